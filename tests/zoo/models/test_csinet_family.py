"""CS-CsiNet, and what all descendants of CsiNet and ACRNet of this part must do."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import assert_reloads, in_bfloat16
from zoo.keras_compat import keras
from zoo.layers.random_projection import RandomProjection
from zoo.metrics import complexity
from zoo.models.bacrnet import build_bacrnet
from zoo.models.bcsinet import build_bcsinet
from zoo.models.cs_csinet import build_cs_csinet
from zoo.models.csinet import build_csinet
from zoo.models.csinet_plus import build_csinet_plus
from zoo.models.csinet_plus_rates import build_csinet_plus_pm, build_csinet_plus_sm

SHAPE = (8, 6, 2)
DIMS = (24, 12, 6, 3)  # 96 values by 4, 8, 16, 32
RATES = {"sm": build_csinet_plus_sm, "pm": build_csinet_plus_pm}
BUILDS = {
    "bcsinet": build_bcsinet,
    "bacrnet": build_bacrnet,
    "csinet_plus": build_csinet_plus,
    "cs_csinet": build_cs_csinet,
    **RATES,
}
ON_TF_KERAS = [name for name in BUILDS if name != "csinet_plus"]  # in sm and pm
# (UE params, BS params, UE MACs, BS MACs) at M = 32; CS-CsiNet has CsiNet's
# decoder.
COUNTS = {
    "csinet_plus": (65_968, 89_404, 466_944, 22_138_880),
    "cs_csinet": (0, 70_946, 65_536, 3_346_432),
}


def randomise(model, seed=0):
    """Random weights near a trained network's size; returns them by layer/name."""
    rng, values = np.random.default_rng(seed), {}
    for w in model.weights:
        fan = np.prod(w.shape[:-1]) if len(w.shape) > 1 else 10
        value = rng.standard_normal(w.shape) / np.sqrt(fan)
        if w.name in ("gamma", "moving_variance"):
            value = 1 + np.abs(value)
        w.assign(value.astype(np.float32))
        values["/".join(w.path.split("/")[-2:])] = np.asarray(w)
    return values


def random_csi(n=3, shape=SHAPE):
    return np.random.default_rng(5).random((n, *shape), np.float32)


def counts(model):
    s = complexity.summary(model)
    return s["ue_params"], s["bs_params"], s["ue_macs"], s["bs_macs"]


@pytest.mark.golden
@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    assert counts(BUILDS[name](codeword_dim=32)) == COUNTS[name]


def _convolve(x, kernel):
    rows, cols = kernel.shape[:2]
    padded = np.pad(x, [(0, 0), (rows // 2,) * 2, (cols // 2,) * 2, (0, 0)])
    out = np.zeros((*x.shape[:3], kernel.shape[3]))
    for i in range(rows):
        for j in range(cols):
            out += padded[:, i : i + x.shape[1], j : j + x.shape[2]] @ kernel[i, j]
    return out


def conv_bn(w, x, name, epsilon):
    x = _convolve(x, w[f"{name}_conv/kernel"])
    x = (x - w[f"{name}_bn/moving_mean"]) / np.sqrt(
        w[f"{name}_bn/moving_variance"] + epsilon
    )
    return w[f"{name}_bn/gamma"] * x + w[f"{name}_bn/beta"]


def leaky(x):
    return np.where(x > 0, x, 0.3 * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_cs_csinet_measures_at_random():
    """N(0, 1/M), not trained, the same in every build, another one per M."""
    size, m = 96, 48
    model, csi = build_cs_csinet(SHAPE, m), random_csi()
    (kernel,) = model.encoder.get_weights()
    np.testing.assert_allclose(
        model.encoder(csi), csi.reshape(len(csi), -1) @ kernel, atol=1e-5
    )
    assert abs(kernel.mean()) < 4 / np.sqrt(m * size * m)
    assert kernel.std() * np.sqrt(m) == pytest.approx(1, abs=4 / np.sqrt(2 * m * size))
    keras.utils.set_random_seed(123)
    again = build_cs_csinet(SHAPE, m)
    np.testing.assert_array_equal(again.encoder.get_weights()[0], kernel)
    (other,) = build_cs_csinet(SHAPE, m // 2).encoder.get_weights()
    assert abs(np.corrcoef(other.ravel(), kernel[:, : m // 2].ravel())[0, 1]) < 0.1
    assert not model.encoder.trainable_weights
    assert len(model.autoencoder.trainable_weights) == 2 + 6 * 4 + 2  # FC, blocks, conv


def test_cs_csinet_has_csinets_decoder():
    for bn in ("channel", "delay"):
        ours, theirs = (b(SHAPE, 5, bn=bn) for b in (build_cs_csinet, build_csinet))
        randomise(ours.decoder)
        theirs.decoder.set_weights(ours.decoder.get_weights())
        z = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
        np.testing.assert_array_equal(ours.decoder(z), theirs.decoder(z))


@pytest.mark.parametrize(
    ("build", "args", "words"),
    [
        (build_bcsinet, {"head": "D"}, "A, B, C"),
        (build_bcsinet, {"blocks": 4}, "2 or 3"),
        (build_bacrnet, {"kappa": 21}, "1 to 20"),
        (build_csinet_plus, {"codeword": "relu"}, "linear, tanh"),
        (build_cs_csinet, {"bn": "angle"}, "channel, delay"),
        (RandomProjection, {"units": 0}, "positive integer"),
        (build_csinet_plus_sm, {"codeword_dim": 32}, "512, 256, 128, 64"),
        (build_csinet_plus_pm, {"csi_shape": (5, 7, 2)}, "multiple of 16"),
    ],
)
def test_refused(build, args, words):
    with pytest.raises(ValueError, match=words):
        build(**args)


@pytest.mark.parametrize("name", [name for name in BUILDS if name not in RATES])
def test_mixed_precision(name):
    full, csi = BUILDS[name](SHAPE, DIMS[0]), random_csi()
    half = in_bfloat16(lambda: BUILDS[name](SHAPE, DIMS[0]))
    randomise(full.autoencoder)
    half.autoencoder.set_weights(full.autoencoder.get_weights())
    out = half.autoencoder(csi)
    assert out.dtype == tf.float32 and half.encoder.compute_dtype == "bfloat16"
    expected = np.asarray(full.autoencoder(csi))
    error = np.sqrt(np.mean((out - expected) ** 2))
    assert 0 < error < 0.1 * expected.std()


@pytest.mark.parametrize("name", BUILDS)
def test_serialisation(name, tmp_path):
    encoder = BUILDS[name](SHAPE, DIMS[1]).encoder
    randomise(encoder)
    assert_reloads(encoder, random_csi(), tmp_path)
