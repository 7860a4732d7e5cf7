"""Evaluation row, export round trips, and the served path with real bytes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving.codec import bitstream, csi_scale, framing
from serving.codec.ue_encoder import UeEncoder
from tests.conftest import assert_one_line_error, run_command
from zoo import files
from zoo.codeword.codec_graph import DecoderGraph, pack
from zoo.data import scaling, splits
from zoo.exporting import exporter, lite_decoder, verify_export
from zoo.layers.quantizers import UniformQuantizer
from zoo.metrics import accuracy
from zoo.reporting import run_page
from zoo.run_directory import RunDirectory


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "crnet"
    exporter.export(tiny_run, out)
    return out


@pytest.fixture(scope="module")
def test_h(tiny_run):
    return splits.load_split(tiny_run.config(), "test").h


def test_norms_are_those_of_the_training(exported, tiny_run, tmp_path, capsys):
    """Also of float encoders, which are made without CSI; none without the data."""
    codec = json.loads((exported / "codec.json").read_text())
    settings = tiny_run.config()
    h = splits.load_split(settings, "train", 500).h
    assert codec["norms"] == pytest.approx(csi_scale.norms(h))
    with pytest.raises(ValueError, match="its norm is"):
        csi_scale.check(100 * h, codec, "here")
    elsewhere = replace(settings, data_dir=str(tmp_path))
    assert exporter.training_csi(elsewhere, 500) is None
    assert "codec.json without norms" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())  # nothing was simulated for it


@pytest.fixture(scope="module")
def in_process(tiny_run, test_h):
    """Quantised reconstruction by Keras, no bytes involved."""
    return np.asarray(tiny_run.load().autoencoder(test_h + 0.5)) - 0.5


def test_evaluate_command(tiny_run, test_h, in_process, tmp_path):
    target = tmp_path / "row.json"
    done = run_command("zoo.evaluate", f"--run={tiny_run.path}", f"--json={target}")
    assert done.returncode == 0, done.stderr[-2000:]
    row = json.loads(target.read_text())
    assert row["nmse_db"] == pytest.approx(
        accuracy.nmse_db(test_h, in_process), abs=1e-3
    )
    assert row["feedback_bits"] == 32 * 6
    assert row["ratio"] == 32 / 2048
    assert 0 < row["rho"] <= 1 and 0 < row["sgcs"] <= row["rho"]
    assert row["beamforming_loss_db"] <= 0 and row["nmse_pca_db"] < 0
    assert row["weights_sha256"] == files.sha256(tiny_run.weights)
    assert row["origin"] == "ours" and row["num_test"] == 50 and row["seed"] == 0
    assert row["precision"] == row["train_precision"].replace("float32", "fp32")
    for key in ("commit", "device", "date", "dataset_version", "flags_sha256"):
        assert row[key]
    for name in ("row_examples.png", "row_nmse.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    page = tmp_path / "report.html"
    run_page.write(page, target, tiny_run.path, {"NMSE [dB]": row["nmse_db"]})
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 3
    assert "http" not in text.replace("https://arxiv.org", "")


@pytest.mark.parametrize("bits", [1, 3, 6, 8, 11, 16])
def test_pack_in_the_graph_equals_the_codec(bits):
    indices = np.random.default_rng(bits).integers(0, 2**bits, (1, 37), dtype=np.int32)
    expected = bitstream.pack(indices, bits)
    np.testing.assert_array_equal(pack(tf.constant(indices), bits), expected)


@pytest.mark.tflite
def test_encoder_sends_the_bits_of_the_network(exported, tiny_run, test_h):
    ue = UeEncoder(exported / "encoder.tflite")
    model = tiny_run.load()
    codeword = np.asarray(model.encoder(test_h + 0.5))
    quantizer = UniformQuantizer(6)
    differing = 0
    for h, z in zip(test_h[:20], codeword, strict=False):
        np.testing.assert_allclose(ue.encode(h), z, atol=5e-5)
        payload = ue.encode_bits(h)
        assert len(payload) == 24
        sent = bitstream.unpack(payload, 32, 6)
        expected = np.asarray(quantizer.indices(z[None]))[0]
        assert np.max(np.abs(sent - expected)) <= 1
        differing += np.sum(sent != expected)
    assert differing <= 2  # only entries within 5e-5 of a decision threshold


@pytest.mark.tflite
@pytest.mark.parametrize("name", exporter.ENCODERS)
def test_signatures_and_builtin_operations(exported, name):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported / name))
    signatures = interpreter.get_signature_list()
    assert signatures == {
        "encode": {"inputs": ["h"], "outputs": ["codeword"]},
        "encode_bits": {"inputs": ["h"], "outputs": ["packed"]},
    }
    operations = {op["op_name"] for op in interpreter._get_ops_details()}
    assert not {op for op in operations if op.startswith("Flex") or "VAR" in op}


def test_sizes_and_checksums(exported):
    sizes = {n: (exported / n).stat().st_size for n in exporter.ENCODERS}
    assert sizes["encoder.tflite"] > 4 * 65_740
    assert sizes["encoder_dynamic.tflite"] < 0.35 * sizes["encoder.tflite"]
    lines = (exported / "checksums.sha256").read_text().splitlines()
    named = dict(reversed(line.split("  ")) for line in lines)
    present = {str(p.relative_to(exported)) for p in exported.rglob("*") if p.is_file()}
    assert set(named) == present - {"checksums.sha256"}
    assert all(files.sha256(exported / n) == digest for n, digest in named.items())


def _session(exported):
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    path = str(exported / "decoder" / "1")
    with graph.as_default():
        return session, tf.compat.v1.saved_model.load(session, ["serve"], path)


@pytest.mark.serving
def test_decoder_through_a_session(exported, tiny_run, test_h, in_process):
    """All signatures equal the network; damaged rows are flagged NaN, others exact."""
    codec = json.loads((exported / "codec.json").read_text())
    model_id = bytes.fromhex(codec["model_id"])
    codeword = np.array(tiny_run.load().encoder(test_h[:6] + 0.5))
    indices = np.array(UniformQuantizer(6).indices(codeword))
    payload = bitstream.pack(indices, 6)
    frames = [framing.frame(p.tobytes(), model_id) for p in payload]
    frames[1] = frames[1][:-1]
    frames[3] = frames[3][:9] + bytes([frames[3][9] ^ 4]) + frames[3][10:]
    frames[4] = framing.frame(payload[4].tobytes(), b"none")
    indices[2, 5] = 64
    codeword[0, 0] = np.nan
    feeds = {
        "serving_default": (frames, [1, 0, 1, 0, 0, 1]),
        "decode_u8": (payload, [1] * 6),
        "decode_indices": (indices, [1, 1, 0, 1, 1, 1]),
        "decode_float": (codeword, [0, 1, 1, 1, 1, 1]),
    }
    session, loaded = _session(exported)
    with session:
        for name, (feed, expected) in feeds.items():
            signature = loaded.signature_def[name]
            (source,) = signature.inputs.values()
            outputs = [signature.outputs[k].name for k in ("h", "valid")]
            h, valid = session.run(outputs, {source.name: feed})
            np.testing.assert_array_equal(valid, np.array(expected, bool), name)
            assert np.isnan(h[~valid]).all()
            if name != "decode_float":
                np.testing.assert_allclose(h[valid], in_process[:6][valid], atol=2e-5)


def test_lite_decoder_gives_what_the_saved_model_gives(exported, tiny_run, in_process):
    """Damaged rows too; TFLite's own operations only, as TensorFlow Serving asks."""
    codec = json.loads((exported / "codec.json").read_text())
    assert "decoder/1/model.tflite" in codec["files"]
    path = exported / "decoder" / "1"
    loaded = tf.saved_model.load(str(path)).signatures["serving_default"]
    rng, size = np.random.default_rng(0), codec["payload_bytes"]
    payloads = rng.integers(0, 256, (5, size), np.uint8)
    model_id = bytes.fromhex(codec["model_id"])
    frames = [framing.frame(p.tobytes(), model_id) for p in payloads]
    rows = np.frombuffer(b"".join(frames), np.uint8).reshape(5, -1).copy()
    for row, at in ((0, 0), (1, 5), (2, framing.PREFIX_BYTES), (3, -1)):
        rows[row, at] ^= 128
    expected = loaded(feedback_bytes=tf.constant([row.tobytes() for row in rows]))
    answer = lite_decoder.run(path / "model.tflite", {"feedback_bytes": rows})
    assert answer["valid"].tolist() == [False] * 4 + [True]
    np.testing.assert_array_equal(answer["valid"], expected["valid"])
    np.testing.assert_allclose(answer["h"], expected["h"], atol=1e-5)


def test_lite_decoder_that_differs_is_discarded(exported, tiny_run, tmp_path):
    path = tmp_path / "1"
    shutil.copytree(exported / "decoder" / "1", path)
    codec = json.loads((exported / "codec.json").read_text())
    model = tiny_run.load()
    lite_decoder.verify(path, model, codec)
    bias = next(v for v in model.decoder.weights if v.shape[-1] == 2)
    bias.assign(bias + 0.1)
    with pytest.raises(ValueError, match="model.tflite: the decoder differs"):
        lite_decoder.verify(path, model, codec)
    other = {**codec, "model_id": "00000000"}
    with pytest.raises(ValueError, match="good frames were refused"):
        lite_decoder.verify(path, model, other)


def test_network_that_tflite_cannot_run_has_no_lite_decoder(tmp_path, capsys):
    def decode(codeword):
        return tf.reshape(tf.math.igamma(codeword, codeword), [-1, 2, 1, 2])

    sizes = {"codeword_dim": 4, "sections": [[4, 6]], "payload_bytes": 3}
    codec = {**sizes, "frame_bytes": 14, "model_id": "00" * 4, "csi_shape": [2, 1, 2]}
    model = SimpleNamespace(
        quantizer=UniformQuantizer(6), recover=lambda codeword: decode(codeword)
    )
    graph = DecoderGraph(model, {**codec, "uplink": False})
    assert not lite_decoder.save(graph, tmp_path)
    assert capsys.readouterr().out.startswith("no model.tflite: ")
    assert not list(tmp_path.iterdir())


def test_saved_model_is_frozen(exported):
    path = exported / "decoder" / "1"
    proto = saved_model_pb2.SavedModel.FromString(
        (path / "saved_model.pb").read_bytes()
    )
    functions = proto.meta_graphs[0].graph_def.library.function
    operations = {node.op for f in functions for node in f.node_def}
    assert "VarHandleOp" not in operations and "ReadVariableOp" not in operations
    # One copy of the 64 K entry kernel serves all four signatures.
    assert (path / "saved_model.pb").stat().st_size < 2 * 4 * 70_538


def test_export_refuses(tiny_run, tiny_config, exported, tmp_path):
    run = f"--run={tiny_run.path}"
    done = run_command("zoo.export", run, f"--out={exported}")
    assert_one_line_error(done, "exists", str(exported))
    done = run_command("zoo.export", f"--run={tmp_path / 'no'}", f"--out={tmp_path}/x")
    assert_one_line_error(done, "no such run directory")
    float_run = RunDirectory.create(
        tiny_config(tmp_path / "float", quantizer="none", bits=0)
    )
    with pytest.raises(ValueError, match="--quantizer=uniform"):
        exporter.export(float_run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_that_differs_is_discarded(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(verify_export, "FLOAT_TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="export was discarded"):
        exporter.export(tiny_run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_during_export_leaves_nothing(tiny_run, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="No space left on device"):
        exporter.export(tiny_run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_codec_says_how_to_scale(exported, tiny_run):
    codec = json.loads((exported / "codec.json").read_text())
    said = codec["normalisation"]
    assert "0.9 / ||H||_F" in said["scale"] and said["says"] == said["scale"]
    assert said["constant"] is None
    assert said | files.read_json(tiny_run.data)["normalisation"] == said


@pytest.mark.parametrize(
    ("changes", "scale", "constant", "says"),
    [
        ({}, True, False, "per sample"),
        ({"scaling": "per_sample", "dataset": "cost2100/indoor"}, True, False, "0.9 /"),
        (
            {"scaling": "global"},
            False,
            True,
            "the global_scale of cost2100_sim/indoor_tiny",
        ),
        ({"dataset": "cost2100_sim/indoor_tiny:stream"}, True, False, "per sample"),
        ({"dataset": "cost2100_sim/indoor_track_tiny"}, True, False, "of all times"),
        ({"dataset": "tr38901/lora_rma_nlos_tiny"}, True, False, "per sample"),
        ({"dataset": "cost2100/indoor"}, False, False, "unknown: one constant"),
        (
            {"dataset": "own/channels"},
            False,
            False,
            "no data set own/channels",
        ),
    ],
)
def test_scaling_of_older_runs(changes, scale, constant, says, tiny_config, tmp_path):
    """Without a record of the training: what the data set says of itself."""
    settings = tiny_config(tmp_path, **changes)
    said = exporter.normalisation(RunDirectory(tmp_path), settings)
    assert bool(said["scale"]) == scale and bool(said["constant"]) == constant
    assert re.search(says, said["says"])
    if constant:  # the one that brings the largest training entry to the edge
        train = splits.load_split(replace(settings, num_train=0), "train").h
        assert np.abs(train).max() == pytest.approx(0.5, rel=1e-5)
        assert str(said["constant"]) in said["says"]


def test_a_foreign_data_set_that_says_nothing():
    info = SimpleNamespace(metadata=None, full_name="own/channels/2.0.0")
    said = scaling.describe("stored", SimpleNamespace(info=info))
    assert said["says"].startswith("unknown: own/channels/2.0.0") and not said["scale"]
    said = scaling.describe("global", SimpleNamespace(info=info))
    assert said["says"].startswith("unknown: ") and said["constant"] is None
    info.metadata = {"normalisation": "1 / max|H| per sample"}
    said = scaling.describe("stored", SimpleNamespace(info=info))
    assert said["scale"] == "1 / max|H| per sample"


def test_model_id_is_that_of_earlier_exports(exported):
    """The pair's name is made of the keys that codec.json had before."""
    codec = json.loads((exported / "codec.json").read_text())
    for key in ("model_id", "files", "int8_io", "norms"):
        codec.pop(key)
    for key in ("says", "constant"):
        codec["normalisation"].pop(key)
    digest = hashlib.sha256(repr(sorted(codec.items())).encode()).hexdigest()
    assert json.loads((exported / "codec.json").read_text())["model_id"] == digest[:8]


def test_damaged_run_directories(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run.path, run)
    (run / "best.weights.h5").write_bytes(tiny_run.weights.read_bytes()[:5000])
    with pytest.raises(ValueError, match="best.weights.h5: its sha256 is"):
        RunDirectory(run).load()
    (run / "best.weights.h5").unlink()
    with pytest.raises(FileNotFoundError, match="at least one epoch"):
        RunDirectory(run).load()
    (run / "config.json").write_text('{"model": ')
    done = run_command("zoo.evaluate", f"--run={run}")
    assert_one_line_error(done, "config.json", "not a JSON file")
    (run / "config.json").write_text('{"model": "crnet"}')
    with pytest.raises(ValueError, match="missing"):
        RunDirectory(run).config()
