"""Encoders by precision: files, signatures, int8 operations, parity, golden vectors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from serving import bitstream, golden
from serving.ue_encoder import UeEncoder
from tests.conftest import ROOT, assert_one_line_error, run_command
from zoo import data, export, files, precision_table, registry
from zoo.keras_compat import keras, layers
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.qat import QatOptions, fine_tune
from zoo.quantization import QuantizedEncoder
from zoo.quantization_files import PRECISIONS, EncoderOptions

SHAPE, M = (16, 16, 2), 16
FOLDED = ("acrnet", "clnet", "crnet", "csinet", "lora", "bcsinet", "cs_csinet")


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("precisions") / "crnet"
    names = ("fp32", "fp16", "dynamic", "int8", "int8_io", "int16x8")
    options = EncoderOptions(names, calibration_samples=20, evaluate=True)
    export.export(tiny_run, out, options=options)
    return out


@pytest.fixture(scope="module")
def h(tiny_run):
    return data.load_split(tiny_run.config(), "test", 10).h


def sparse_csi(count: int, shape=SHAPE) -> np.ndarray:
    rng = np.random.default_rng(3)
    h = rng.standard_normal((count, *shape)) * (rng.random((count, *shape)) < 0.1)
    return (0.5 * h / np.abs(h).max()).astype(np.float32)


def disturbed(name: str, **args):
    """Network whose batch norms and slopes are not those of the start."""
    model = registry.build(name, args.pop("shape", SHAPE), args.pop("m", M), args)
    rng = np.random.default_rng(5)
    for variable in model.encoder.variables:
        kind = variable.name.rsplit("/")[-1]
        if kind in ("gamma", "moving_variance", "alpha"):
            variable.assign(rng.uniform(0.3, 1.5, variable.shape))
        elif kind in ("beta", "moving_mean", "bias"):
            variable.assign(rng.uniform(-0.2, 0.2, variable.shape))
    return model


@pytest.mark.parity
@pytest.mark.parametrize("name", FOLDED)
def test_folded_and_equalised_encoder_is_the_network(name, monkeypatch):
    monkeypatch.setattr(QuantizedEncoder, "_calibrate", lambda self, h: None)
    model, h = disturbed(name), sparse_csi(8)
    got = QuantizedEncoder(model.encoder, h).run(h, exact=True)
    expected = np.asarray(model.encoder(h + 0.5))
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(got, expected, atol=2e-5 * scale)


def test_folded_grouped_convolution(monkeypatch):
    monkeypatch.setattr(QuantizedEncoder, "_calibrate", lambda self, h: None)
    csi = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(csi)
    x = GroupedConv2D(6, (3, 3), groups=2)(x)
    x = layers.Dense(M)(layers.Flatten()(x))
    model, h = keras.Model(csi, x), sparse_csi(8)
    got = QuantizedEncoder(model, h).run(h, exact=True)
    np.testing.assert_allclose(got, model(h + 0.5), atol=1e-5)


@pytest.mark.parametrize("name", ["csinet", "lora"])
def test_fake_quantisers_cost_little(name):
    model, h = disturbed(name), sparse_csi(8)
    expected = np.asarray(model.encoder(h + 0.5))
    error = np.asarray(QuantizedEncoder(model.encoder, h)(h)) - expected
    assert 0 < np.sqrt(np.mean(error**2) / np.mean(expected**2)) < 0.1


def test_layer_outside_the_table_is_refused():
    model = registry.build("transnet", (32, 32, 2), 32, {})
    h = np.zeros((2, 32, 32, 2), np.float32)
    with pytest.raises(ValueError, match="TransformerEncoder.*not in the table"):
        QuantizedEncoder(model.encoder, h)


@pytest.mark.tflite
def test_files_of_every_precision(exported):
    codec = files.read_json(exported / "codec.json")
    size = {n: (exported / p.file).stat().st_size for n, p in PRECISIONS.items()
            if n != "qat"}  # fmt: skip
    assert {p.file for n, p in PRECISIONS.items() if n != "qat"} < set(codec["files"])
    assert size["fp16"] < 0.6 * size["fp32"]
    assert max(size["int8"], size["int8_io"], size["int16x8"]) < 0.4 * size["fp32"]
    for name in size:
        signatures = precision_table.operations(
            (exported / PRECISIONS[name].file).read_bytes()
        )
        assert set(signatures) == {"encode", "encode_bits"}


@pytest.mark.tflite
@pytest.mark.parametrize("name", ["fp32", "fp16", "dynamic", "int8", "int8_io"])
def test_bits_in_the_graph_are_those_of_the_codec(exported, tiny_run, h, name):
    ue = UeEncoder(exported / PRECISIONS[name].file)
    quantizer = tiny_run.load().quantizer
    codeword = np.stack([ue.encode(x) for x in h])
    expected = bitstream.pack(np.asarray(quantizer.indices(codeword)), 6)
    sent = [ue.encode_bits(x) for x in h]
    assert sent == [row.tobytes() for row in expected]


@pytest.mark.tflite
def test_int8_encoders_compute_in_int8(exported):
    expected = {"int8": {"QUANTIZE", "DEQUANTIZE"}, "int8_io": set()}
    for name, allowed in expected.items():
        content = (exported / PRECISIONS[name].file).read_bytes()
        assert set(precision_table.not_int8(content)["encode"]) == allowed
    content = (exported / "encoder.tflite").read_bytes()
    assert "CONV_2D" in precision_table.not_int8(content)["encode"]


@pytest.mark.tflite
def test_int8_io_scales_at_the_ue(exported, h):
    codec = files.read_json(exported / "codec.json")
    (grids,) = codec["int8_io"].values()
    scale, zero_point = grids["h"]
    assert 0.1 < scale * (127 - zero_point) < 0.51 and zero_point == 0
    inside = UeEncoder(exported / "encoder_int8.tflite")
    at_the_ue = UeEncoder(exported / "encoder_int8_io.tflite")
    for x in h:
        np.testing.assert_allclose(at_the_ue.encode(x), inside.encode(x), atol=0.02)


@pytest.mark.tflite
def test_compiled_model_sends_the_same_bits(exported, h):
    path = exported / "encoder.tflite"
    ours, compiled = UeEncoder(path), UeEncoder(path, runtime="compiled")
    for x in h[:3]:
        np.testing.assert_allclose(compiled.encode(x), ours.encode(x), atol=1e-5)
        assert compiled.encode_bits(x) == ours.encode_bits(x)
    with pytest.raises(ValueError, match="runtime is 'gpu'"):
        UeEncoder(path, runtime="gpu")


@pytest.mark.tflite
def test_table(exported):
    table = files.read_json(exported / precision_table.FILE)
    rows = table["rows"]
    assert table["num_test"] == 50 and rows["fp32"]["delta_db"] == 0
    assert abs(rows["fp16"]["delta_db"]) < 0.05
    assert rows["fp32"]["outside_xnnpack"] == []
    text = precision_table.text(table)
    assert all(name in text for name in rows) and "CONV_2D" in text


@pytest.mark.golden
def test_golden_vectors(exported, tmp_path):
    results = golden.compare(exported)
    assert len(results) == 6 and all(r["passed"] for r in results.values())
    assert golden.main([f"--export={exported}"]) == 0
    other = tmp_path / "other"
    shutil.copytree(exported, other)
    with np.load(other / golden.GOLDEN_FILE) as stored:
        arrays = dict(stored)
    arrays["encoder.tflite/packed"][0, 0] ^= 1
    np.savez(other / golden.GOLDEN_FILE, **arrays)
    results = golden.compare(other)
    assert [n for n, r in results.items() if not r["passed"]] == ["encoder.tflite"]
    assert golden.main([f"--export={other}"]) == 1


@pytest.mark.golden
def test_damaged_golden_file(exported, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(exported, other)
    path = other / golden.GOLDEN_FILE
    path.write_bytes(path.read_bytes()[:500])
    assert golden.main([f"--export={other}"]) == 1
    assert "damaged" in capsys.readouterr().err
    path.unlink()
    with pytest.raises(FileNotFoundError, match="golden.npz"):
        golden.compare(other)


def test_golden_needs_no_tensorflow():
    code = "import sys, serving.golden; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_refused_options(tiny_run, tmp_path):
    done = run_command(
        "zoo.export",
        f"--run={tiny_run.path}",
        f"--out={tmp_path / 'x'}",
        "--precision=fp32,int4",
    )
    assert_one_line_error(done, "--precision=int4", "int16x8", "qat")
    with pytest.raises(ValueError, match="--precision is empty"):
        EncoderOptions(())
    with pytest.raises(ValueError, match="--calibration_samples=0"):
        EncoderOptions(calibration_samples=0)


def test_fine_tuning_lowers_the_loss(tiny_run):
    model = tiny_run.load()
    h = data.load_split(tiny_run.config(), "train", 40).h
    encoder = QuantizedEncoder(model.encoder, h)

    def loss():
        sent = model.quantizer(encoder(h))
        return float(tf.reduce_mean(tf.square(model.receive(sent) - 0.5 - h)))

    before, decoder = loss(), [np.array(w) for w in model.decoder.weights]
    fine_tune(encoder, model, h, QatOptions(epochs=3, lr=3e-3, batch_size=20))
    assert loss() < before
    for ours, theirs in zip(model.decoder.weights, decoder, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="--qat_samples"):
        fine_tune(encoder, model, h, QatOptions(batch_size=50))


@pytest.mark.slow
@pytest.mark.tflite
def test_qat_command(tiny_run, tmp_path):
    out = tmp_path / "out"
    done = run_command(
        "zoo.export",
        f"--run={tiny_run.path}",
        f"--out={out}",
        "--precision=fp32,int8,qat",
        "--qat_epochs=2",
        "--calibration_samples=50",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "qat" in done.stdout and "outside XNNPACK" in done.stdout
    rows = json.loads((out / precision_table.FILE).read_text())["rows"]
    assert rows["qat"]["nmse_db"] < rows["int8"]["nmse_db"] + 0.1
    assert rows["qat"]["not_int8"] == rows["int8"]["not_int8"]
