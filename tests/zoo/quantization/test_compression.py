"""Pruned and clustered encoders: refusals here, the process of TF-MOT when slow."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.conftest import assert_one_line_error, run_command
from zoo import files, registry
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.quantization import compression, precision_table
from zoo.quantization.precisions import EncoderOptions

SHAPE = (16, 16, 2)


def test_large_layers_are_the_dense_ones():
    encoder = registry.build("crnet", SHAPE, 16, {}).encoder
    assert [layer.name for layer in compression.large_layers(encoder)] == ["codeword"]
    tiny = registry.build("crnet", (8, 8, 2), 4, {})
    assert compression.large_layers(tiny.encoder) == []
    csi = splits.Split(*[np.zeros((100, 8, 8, 2), np.float32)] * 2, None, 1024)
    with pytest.raises(ValueError, match="no dense kernel of 4096"):
        compression.compress(tiny, csi, "pruned", 0.5, epochs=1, lr=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 0.0}, "--sparsity=0.0"),
        ({"sparsity": 1.0}, "--sparsity=1.0"),
        ({"clusters": 1}, "--clusters=1"),
        ({"clusters": 257}, "--clusters=257"),
    ],
)
def test_refused_strength(options, message):
    with pytest.raises(ValueError, match=message):
        EncoderOptions(**options)


def test_fine_tuning_needs_a_batch():
    model = registry.build("crnet", SHAPE, 16, {})
    csi = splits.Split(*[np.zeros((99, *SHAPE), np.float32)] * 2, None, 1024)
    with pytest.raises(ValueError, match="99 samples.*--qat_samples"):
        compression.compress(model, csi, "pruned", 0.5, epochs=1, lr=1e-4)


def test_what_stands_at_the_bs_stays_as_it_is(monkeypatch):
    nothing = lambda layer: layer, lambda encoder: encoder, []
    monkeypatch.setattr(compression, "_method", lambda *args: nothing)
    settings = ExperimentConfig(
        model="csinet", codeword_dim=16, quantizer="uniform", bits=4, receiver="offset"
    )
    model = build_autoencoder(settings, SHAPE)
    csi = np.random.default_rng(0).random((100, *SHAPE), np.float32)
    parts = model.encoder, model.receiver, model.decoder
    before = [[np.array(w) for w in part.weights] for part in parts]
    split = splits.Split(csi, csi, None, 1024)
    compression.compress(model, split, "pruned", 0.5, epochs=1, lr=1e-2)
    moved = [
        any(np.any(a != b) for a, b in zip(part.weights, old, strict=True))
        for part, old in zip(parts, before, strict=True)
    ]
    assert moved == [True, False, False]


def test_fine_tuning_is_by_the_loss_of_the_training(monkeypatch, capsys):
    """Of an estimate near zero the squared error is small, 1 - SGCS is not."""
    nothing = lambda layer: layer, lambda encoder: encoder, []
    monkeypatch.setattr(compression, "_method", lambda *args: nothing)
    csi = np.random.default_rng(0).random((100, *SHAPE), np.float32)
    for loss, least, most in (("csi", 0, 0.2), ("sgcs", 0.5, 1)):
        model = registry.build("csinet", SHAPE, 16, {})
        split = splits.Split(csi, csi, None, 1024, loss=loss)
        compression.compress(model, split, "pruned", 0.5, epochs=1, lr=1e-4)
        printed = float(re.findall(r"loss: ([\d.e-]+)", capsys.readouterr().out)[-1])
        assert least < printed <= most


@pytest.mark.slow
def test_process_refuses_keras_3(tiny_run):
    done = run_command("zoo.quantization.compression", f"--run={tiny_run.path}")
    assert_one_line_error(done, "TF_USE_LEGACY_KERAS=1")


@pytest.mark.slow
@pytest.mark.tflite
def test_pruned_and_clustered_export(tiny_run, tmp_path):
    out = tmp_path / "out"
    done = run_command(
        "zoo.export",
        f"--run={tiny_run.path}",
        f"--out={out}",
        "--precision=fp32,pruned,clustered",
        "--sparsity=0.6",
        "--clusters=8",
        "--calibration_samples=20",
        timeout=900,  # three processes, one behind the other
    )
    assert done.returncode == 0, done.stderr[-2000:]
    pruned, clustered = (
        _largest_kernel(out / f"encoder_{name}.tflite") for name in compression.METHODS
    )
    assert 0.59 < np.mean(pruned == 0) < 0.62
    # The batch norm behind is folded: a factor of its own for each row.
    assert max(len(np.unique(row)) for row in clustered) <= 8
    rows = files.read_json(out / precision_table.FILE)["rows"]
    assert rows["pruned"]["kib_gzip"] < 0.7 * rows["fp32"]["kib_gzip"]
    assert rows["clustered"]["kib_gzip"] < 0.3 * rows["fp32"]["kib_gzip"]
    assert not list(out.rglob("*.weights.h5"))


def _largest_kernel(path) -> np.ndarray:
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    largest = max(details, key=lambda x: np.prod(x["shape"]))
    return interpreter.get_tensor(largest["index"])
