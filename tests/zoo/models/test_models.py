"""What every network of the registry must do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT, assert_one_line_error, run_command
from tests.support.network_checks import SMALL, side_inputs, whole
from tests.zoo.models.test_model_counts import HEAD_MACS
from zoo import registry
from zoo.metrics import complexity
from zoo.reporting import network_list as command


def test_crnet_slope_reaches_every_leaky_relu():
    model = registry.build("crnet", codeword_dim=32, model_args={"slope": 0.05})
    slopes = [
        layer.negative_slope
        for part in (model.encoder, model.decoder)
        for layer in part.layers
        if type(layer).__name__ == "LeakyReLU"
    ]
    # Encoder: 2 in path A, merge in and out; decoder: head and per block 3 + 1 + 1.
    assert len(slopes) == 4 + 1 + 2 * 5
    np.testing.assert_allclose(slopes, 0.05)


def test_outputs_of_clnet():
    x = np.linspace(-5, 5, 5, dtype=np.float32)
    for output, expected in (
        ("hard_sigmoid", np.clip(x / 6 + 0.5, 0, 1)),
        ("sigmoid", 1 / (1 + np.exp(-x))),
    ):
        model = registry.build("clnet", (4, 4, 2), 8, {"output": output})
        np.testing.assert_allclose(model.decoder.layers[-1](x), expected, atol=1e-6)


@pytest.mark.parametrize(
    "name", [n for n, spec in registry.MODELS.items() if not spec.takes_sequences]
)
def test_other_csi_shapes(name):
    own = {"deepcmc": {"filters": 4}, "dualnet_mp": {"magnitude_dim": 60}}
    model = registry.build(name, (16, 24, 2), 96, own.get(name))
    csi = np.full((2, 16, 24, 2), 0.5, np.float32)
    assert whole(model, csi, *side_inputs(name, csi)).shape == csi.shape


@pytest.mark.parity
def test_crnet_encoder_against_numpy():
    """Path B, merge and FC of the encoder with path A switched off, written out."""
    model = registry.build("crnet", codeword_dim=16)
    weights = {w.path: w for w in model.encoder.weights}
    rng = np.random.default_rng(1)
    for path, w in weights.items():
        value = rng.standard_normal(w.shape).astype(np.float32) * 0.3
        w.assign(np.abs(value) + 0.5 if path.endswith("variance") else value)
    csi = rng.random((32, 32, 2), np.float32)

    def find(layer, name):
        return next(np.asarray(w) for p, w in weights.items() if f"{layer}/{name}" in p)

    def conv_bn(x, name):
        kernel = find(f"{name}_conv", "kernel")
        rows, cols = kernel.shape[:2]
        padded = np.pad(x, [(rows // 2,) * 2, (cols // 2,) * 2, (0, 0)])
        out = np.zeros((*x.shape[:2], kernel.shape[3]))
        for i in range(rows):
            for j in range(cols):
                window = padded[i : i + x.shape[0], j : j + x.shape[1]]
                out += window @ kernel[i, j]
        bn = [find(f"{name}_bn", n) for n in ("gamma", "beta", "moving_mean")]
        variance = find(f"{name}_bn", "moving_variance")
        return bn[0] * (out - bn[2]) / np.sqrt(variance + 1e-5) + bn[1]

    def leaky(x):
        return np.where(x > 0, x, 0.3 * x)

    a = leaky(conv_bn(leaky(conv_bn(csi, "path_a1")), "path_a2"))
    x = np.concatenate([conv_bn(a, "path_a3"), conv_bn(csi, "path_b")], axis=-1)
    x = leaky(conv_bn(leaky(x), "merge")).reshape(-1)
    expected = x @ find("codeword", "kernel") + find("codeword", "bias")
    np.testing.assert_allclose(
        np.asarray(model.encoder(csi[None]))[0], expected, rtol=2e-4, atol=2e-4
    )


@pytest.mark.parametrize(
    ("name", "args", "word"),
    [
        ("crnt", {}, "crnet"),
        ("crnet", {"heads": "3x3"}, "head"),
        ("crnet", {"head": "4x4"}, "dual3x3"),
        ("crnet", {"slope": 1.5}, "[0, 1)"),
        ("crnet", {"slope": "0.3"}, "like 0.3"),
        ("crnet", {"head": ["5x5"]}, "like '5x5'"),
        ("csinet", {"bn": "angle"}, "delay"),
        ("csinet", {"kernel": 0}, "positive integer"),
        ("clnet", {"variant": "SE"}, "cbam"),
        ("clnet", {"output": "tanh"}, "hard_sigmoid, sigmoid"),
        ("acrnet", {"kappa": 21}, "1 to 20"),
        ("acrnet", {"kappa": 0}, "1 to 20"),
        ("acrnet", {"kappa": True}, "like 1"),
    ],
)
def test_refused_options(name, args, word):
    with pytest.raises(ValueError, match=word.replace("[", r"\[").replace(")", r"\)")):
        registry.build(name, model_args=args)


def test_refused_sizes():
    with pytest.raises(ValueError, match="csi_shape"):
        registry.build("crnet", (32, 32), 64)
    with pytest.raises(ValueError, match="codeword_dim"):
        registry.build("crnet", codeword_dim=0)


def test_list_and_info():
    rows = command.list_models()
    networks = [row for row in rows if row["kind"] == "network"]
    assert {row["name"] for row in networks} == set(registry.MODELS)
    keys = {"kind", "name", "paper", "licence", "options", "codeword_dims", "weights"}
    assert all(set(row) == keys for row in networks)
    others = {row["name"]: row["kind"] for row in rows if row not in networks}
    assert others == {
        "dnnnet": "receiver", "offset": "receiver", "klt": "baseline",
        "lasso": "baseline", "fista": "baseline", "tval3": "baseline",
        "dft": "baseline", "klt_coded": "baseline", "klt_mixture": "baseline",
        "pursuit": "baseline",
        "pursuit_learned": "baseline", "etype2": "baseline", "type2": "baseline",
        "type1": "baseline",
    }  # fmt: skip
    assert [row["name"] for row in command.list_models("cr*")] == ["crnet"]
    assert command.info("crnet")["options"] == {"head": "5x5", "slope": 0.3}


def test_command_line():
    done = run_command(
        "zoo", "summary", "crnet", "--codeword_dim=512", "--format=json",
        '--model_args={"head": "7x7"}',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["ue_macs"] + value["bs_macs"] == HEAD_MACS["7x7"]
    assert value["ue_bytes_fp32"] > 4 * value["ue_params"] > 0
    assert_one_line_error(run_command("zoo", "info", "crnett"), "did you mean crnet")
    assert_one_line_error(run_command("zoo", "list", "--nope"), "nope", code=2)


LEGACY = """
import json, sys, numpy as np
from tests.support.network_checks import side_inputs, whole
from zoo import registry
from zoo.metrics import complexity
from zoo.keras_compat import LEGACY
assert LEGACY
counts = {}
for name, (shape, args) in json.loads(sys.argv[2]).items():
    model = registry.build(name, tuple(shape), 64, args)
    model.trained.load_weights(f"{sys.argv[1]}/{name}.weights.h5")
    csi = np.load(f"{sys.argv[1]}/{name}_csi.npy")
    np.save(f"{sys.argv[1]}/{name}.npy", whole(model, csi, *side_inputs(name, csi)))
    counts[name] = complexity.summary(model)
print(json.dumps(counts))
"""


# One of every kind: dense, convolutions, attention, recurrent, two parts, unfolded.
KINDS = ("clnet", "cllwcsinet", "transnet", "convlstm_csinet", "dualnet_mp", "lora")


@pytest.mark.parity
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(KINDS, id="kinds"),
        pytest.param(
            sorted(registry.MODELS.keys() - KINDS), id="rest", marks=pytest.mark.slow
        ),
    ],
)
def test_same_networks_on_tf_keras(names, tmp_path):
    """Counts and outputs agree on both versions; weights travel as .weights.h5."""
    rng, models, csi = np.random.default_rng(0), {}, {}
    specs = {name: registry.MODELS[name] for name in names}
    sizes = {
        name: ((3, 16, 16, 2) if spec.takes_sequences else (16, 16, 2), SMALL.get(name))
        for name, spec in specs.items()
    }
    for name, (shape, args) in sizes.items():
        models[name] = registry.build(name, shape, 64, args)
        csi[name] = rng.random((2, *shape), np.float32)
        np.save(tmp_path / f"{name}_csi.npy", csi[name])
        for w in models[name].trained.weights:
            w.assign(np.asarray(w) + 0.1 * (rng.random(w.shape) - 0.5))
        models[name].trained.save_weights(tmp_path / f"{name}.weights.h5")
    script = tmp_path / "legacy.py"
    script.write_text(LEGACY)
    env = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script, tmp_path, json.dumps(sizes)],
        env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    for name, model in models.items():
        assert counts[name] == complexity.summary(model)
        legacy = np.load(tmp_path / f"{name}.npy")
        assert legacy.std() > 1e-3
        expected = whole(model, csi[name], *side_inputs(name, csi[name]))
        atol = 1e-5 * max(1, np.abs(expected).max())  # unfolded ones are not bounded
        np.testing.assert_allclose(legacy, expected, rtol=1e-5, atol=atol, err_msg=name)
