"""Encoders by precision: files, signatures, int8 operations, parity, golden vectors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from serving import golden
from serving.codec import bitstream, checksums, golden_vectors
from serving.codec.ue_encoder import UeEncoder
from tests.conftest import ROOT, run_command
from zoo import files
from zoo.codeword.codec_graph import EncoderGraph
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.exporting import exporter, verify_export
from zoo.quantization import encoder_files, operation_counts, precision_table
from zoo.quantization.precisions import PRECISIONS, EncoderOptions
from zoo.quantization.tflite_slim import pack

EXPORTED = ("fp32", "fp16", "dynamic", "int8", "int8_io", "int16x8")


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("precisions") / "crnet"
    options = EncoderOptions(EXPORTED, 20, int8_loss_db=10.0, evaluate=True)
    exporter.export(tiny_run, out, options=options)
    return out


@pytest.fixture(scope="module")
def h(tiny_run):
    return splits.load_split(tiny_run.config(), "test", 10).h


@pytest.fixture(scope="module")
def quantizer(tiny_run):
    return tiny_run.load().quantizer


@pytest.mark.tflite
def test_files_of_every_precision(exported):
    codec = files.read_json(exported / "codec.json")
    paths = {name: exported / p.file for name, p in PRECISIONS.items()}
    size = {n: path.stat().st_size for n, path in paths.items() if path.exists()}
    assert len(size) == 6 and {paths[n].name for n in size} < set(codec["files"])
    assert max(size["int8"], size["int8_io"], size["int16x8"]) < 0.4 * size["fp32"]
    for name in size:
        signatures = operation_counts.operations(
            (exported / PRECISIONS[name].file).read_bytes()
        )
        assert set(signatures) == {"encode", "encode_bits"}


@pytest.mark.tflite
@pytest.mark.parametrize("name", ["fp32", "fp16", "dynamic", "int8", "int8_io"])
def test_bits_in_the_graph_are_those_of_the_codec(exported, quantizer, h, name):
    ue = UeEncoder(exported / PRECISIONS[name].file)
    codeword = np.stack([ue.encode(x) for x in h])
    expected = bitstream.pack(np.asarray(quantizer.indices(codeword)), 6)
    sent = [ue.encode_bits(x) for x in h]
    assert sent == [row.tobytes() for row in expected]


@pytest.mark.tflite
@pytest.mark.parametrize("name", ["fp16", "dynamic"])
@pytest.mark.parametrize("quantizer", ["mu_law", "lszq", "ssq"])
def test_the_quantiser_is_not_rounded_with_the_encoder(quantizer, name, tmp_path):
    shape, m = (16, 16, 2), 64
    fitted = "tanh" if quantizer == "mu_law" else "none"
    model = build_autoencoder(
        ExperimentConfig(
            model="csinet", codeword_dim=m, quantizer=quantizer, bits=10,
            normaliser=fitted,
        ), shape,
    )  # fmt: skip
    h = np.random.default_rng(0).uniform(-0.5, 0.5, (40, *shape)).astype(np.float32)
    if fitted == "none":
        model.quantizer.fit(np.asarray(model.encoder(h + 0.5)))
    codec = {"csi_shape": shape, "codeword_dim": m, "sections": [[m, 10]]}
    content = encoder_files.convert(
        EncoderGraph(model, codec), tmp_path, PRECISIONS[name]
    )
    encode, bits = (
        Interpreter(model_content=content).get_signature_runner(signature)
        for signature in ("encode", "encode_bits")
    )
    codeword = np.concatenate([encode(h=x[None])["codeword"] for x in h])
    sent = np.concatenate([bits(h=x[None])["packed"] for x in h])
    expected = bitstream.pack(np.asarray(model.quantizer.indices(codeword)), 10)
    np.testing.assert_array_equal(sent, expected)


@pytest.mark.tflite
def test_int8_encoders_compute_in_int8(exported):
    expected = {"int8": {"QUANTIZE", "DEQUANTIZE"}, "int8_io": set()}
    for name, allowed in expected.items():
        content = (exported / PRECISIONS[name].file).read_bytes()
        assert set(operation_counts.not_int8(content)["encode"]) == allowed
    content = (exported / "encoder.tflite").read_bytes()
    assert "CONV_2D" in operation_counts.not_int8(content)["encode"]


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
@pytest.mark.parametrize("name", ["fp32", "int8", "int8_io"])
def test_compiled_model_sends_the_same_bits(exported, h, name):
    path = exported / PRECISIONS[name].file
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
    assert all(0 < row["kib_gzip"] < row["kib"] for row in rows.values())
    assert "DEQUANTIZE" not in rows["fp16"]["not_int8"]["encode"]
    assert rows["fp32"]["outside_xnnpack"] == []
    lines = dict(zip(rows, precision_table.text(table).splitlines()[2:], strict=True))
    assert all(line.startswith(name) for name, line in lines.items())
    for name in ("fp32", "fp16", "dynamic", "int16x8"):
        assert rows[name]["num_int8"]["encode"] == 0
        count = rows[name]["num_operations"]["encode"]
        assert count > 5 and f" 0/{count}  all | " in lines[name]
    both = rows["int8_io"]["num_operations"]["encode"]
    assert f" {both}/{both}  none | none" in lines["int8_io"]
    assert f" {both}/{both + 2}  DEQUANTIZE, QUANTIZE | none" in lines["int8"]


def spoilt(content: bytes, change) -> bytes:
    """An encoder file with its largest kernel, of the last layer, changed."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    buffer = max(model.buffers, key=lambda x: 0 if x.data is None else x.data.size)
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    kernel = next(x for x in tensors if model.buffers[x.buffer] is buffer)
    rows = np.array(buffer.data).reshape(kernel.shape[0], -1)
    buffer.data = change(rows).reshape(-1)
    return pack(model)


@pytest.mark.tflite
@pytest.mark.parametrize("name", EXPORTED)
def test_spoilt_encoder_is_refused(exported, tiny_run, tmp_path, name):
    """A kernel of zeros, or of the right rows in another order."""
    directory, precision = tmp_path / "spoilt", PRECISIONS[name]
    shutil.copytree(exported, directory)
    (directory / checksums.NAME).unlink()  # of the files as they were
    codec, model = files.read_json(directory / "codec.json"), tiny_run.load()
    stored = golden_vectors.read(exported)
    given = stored["h"], {precision.file: stored[f"{precision.file}/codeword"]}

    def verify(content: bytes):
        (directory / precision.file).write_bytes(content)
        codec["files"][precision.file] = files.sha256(directory / precision.file)
        files.write_json(directory / "codec.json", codec)
        verify_export.verify(directory, model, codec, 1, [precision], *given)

    content = (exported / precision.file).read_bytes()
    verify(spoilt(content, lambda rows: rows))
    for change in (np.zeros_like, lambda rows: np.roll(rows, 1, axis=0)):
        with pytest.raises(ValueError, match=f"{precision.file}: codeword differs"):
            verify(spoilt(content, change))


@pytest.mark.parametrize("name", PRECISIONS)
def test_wrong_codewords_are_refused(name):
    """Of zeros, their mean or another CSI's, however small and alike they are."""
    rng = np.random.default_rng(0)
    codewords = 0.2 * rng.standard_normal(32) + 0.05 * rng.standard_normal((16, 32))

    def error(got, reference=codewords):
        args = PRECISIONS[name], got, reference, "the network"
        return verify_export.checked_error(Path("encoder.tflite"), *args)

    assert error(codewords + 1e-6) == pytest.approx(2e-5, rel=0.1)
    mean = np.broadcast_to(codewords.mean(axis=0), codewords.shape)
    for wrong in (np.zeros_like(mean), mean, np.roll(codewords, 1, axis=0)):
        with pytest.raises(ValueError, match="codeword differs from the network"):
            error(wrong)
    with pytest.raises(ValueError, match="gives 16 CSI the same codeword"):
        error(mean, mean)


@pytest.mark.golden
def test_golden_vectors(exported, tmp_path):
    results = golden_vectors.compare(exported)
    assert len(results) == 6 and all(r["passed"] for r in results.values())
    assert golden.main([f"--export={exported}"]) == 0
    other = tmp_path / "other"
    shutil.copytree(exported, other)
    (other / checksums.NAME).unlink()  # other bits of another machine, no damage
    with np.load(other / golden_vectors.GOLDEN_FILE) as stored:
        arrays = dict(stored)
    arrays["encoder.tflite/packed"][0, 0] ^= 1
    np.savez(other / golden_vectors.GOLDEN_FILE, **arrays)
    results = golden_vectors.compare(other)
    assert [n for n, r in results.items() if not r["passed"]] == ["encoder.tflite"]
    assert golden.main([f"--export={other}"]) == 1


@pytest.mark.golden
def test_damaged_golden_file(exported, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(exported, other)
    path = other / golden_vectors.GOLDEN_FILE
    path.write_bytes(path.read_bytes()[:500])
    assert golden.main([f"--export={other}"]) == 1
    assert "golden.npz: its sha256 is" in capsys.readouterr().err
    (other / checksums.NAME).unlink()
    assert golden.main([f"--export={other}"]) == 1
    assert "golden.npz is damaged (" in capsys.readouterr().err
    path.unlink()
    with pytest.raises(FileNotFoundError, match="golden.npz"):
        golden_vectors.compare(other)


def test_golden_needs_no_tensorflow():
    code = "import sys, serving.golden; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_refused_options():
    with pytest.raises(ValueError, match="--precision=int4: .*int16x8.*qat"):
        EncoderOptions(("fp32", "int4"))
    with pytest.raises(ValueError, match="--precision is empty"):
        EncoderOptions(())
    with pytest.raises(ValueError, match="--calibration_samples=1"):
        EncoderOptions(calibration_samples=1)


@pytest.mark.slow
@pytest.mark.tflite
def test_all_but_the_last_layer_float(tiny_run, tmp_path):
    """What a limit that int8 cannot meet leads to: the file is its simulation."""
    options = EncoderOptions(
        ("int8",), calibration_samples=50, int8_loss_db=-10.0, evaluate=True
    )
    exporter.export(tiny_run, tmp_path / "out", options=options)
    row = files.read_json(tmp_path / "out" / "precision.json")["rows"]["int8"]
    assert {"CONV_2D", "LEAKY_RELU"} < set(row["not_int8"]["encode"])
    assert row["kib"] < 0.4 * 263


@pytest.mark.slow
@pytest.mark.tflite
def test_qat_command(tiny_run, tmp_path):
    out = tmp_path / "out"
    done = run_command(
        "zoo.export",
        f"--run={tiny_run.path}",
        f"--out={out}",
        "--precision=fp32,fp16,int8,qat",
        "--qat_epochs=2",
        "--calibration_samples=50",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "qat" in done.stdout and "outside XNNPACK" in done.stdout
    rows = json.loads((out / precision_table.FILE).read_text())["rows"]
    assert rows["qat"]["nmse_db"] < rows["int8"]["nmse_db"] + 0.1
    floats = {name: set(rows[name]["not_int8"]["encode"]) for name in ("qat", "int8")}
    assert floats["qat"] <= floats["int8"]
    assert abs(rows["fp16"]["delta_db"]) < 0.05
    assert rows["fp16"]["kib"] < 0.6 * rows["fp32"]["kib"]
