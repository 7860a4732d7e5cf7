"""The UE encoder and the client that sends its bits to a served decoder."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket

import numpy as np
import pytest

from serving import client
from serving.codec import bitstream
from serving.codec.ue_encoder import UeEncoder, read_codec
from serving.ue_side import csi_source
from serving.ue_side.decoder_client import Decoder
from tests.support.serving_harness import MODEL, TIMEOUT, command
from tests.support.tiny_export import (
    BITS,
    DIRECTIONS,
    FRAME_BYTES,
    MODEL_ID,
    NUM_INDICES,
    PAYLOAD_BYTES,
    decode,
    frames,
    random_indices,
    samples,
)

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = [pytest.mark.serving, pytest.mark.tflite]
H = samples(40)


@pytest.fixture(scope="module")
def encoder(tiny_export):
    return UeEncoder(tiny_export / "encoder.tflite")


def indices_by_numpy(h: np.ndarray) -> np.ndarray:
    codeword = h.reshape(len(h), -1) @ DIRECTIONS
    levels = np.floor((codeword + 1) * 2 ** (BITS - 1))
    return np.clip(levels, 0, 2**BITS - 1).astype(int)


def test_encoder_gives_the_codeword_and_its_bits(encoder):
    assert encoder.model_id == MODEL_ID and encoder.codec["bits"] == BITS
    expected = indices_by_numpy(H)
    for h, indices in zip(H, expected, strict=True):
        codeword = encoder.encode(h)
        assert codeword.shape == (NUM_INDICES,) and codeword.dtype == np.float32
        np.testing.assert_allclose(codeword, h.ravel() @ DIRECTIONS, atol=1e-5)
        payload = encoder.encode_bits(h)
        assert len(payload) == PAYLOAD_BYTES
        received = bitstream.unpack(payload, NUM_INDICES, BITS)
        np.testing.assert_array_equal(received, indices)


@pytest.mark.parametrize(
    ("h", "match"),
    [
        (np.zeros((1, 32, 32, 2), np.float32), r"shape \[1, 32, 32, 2\]"),
        (np.zeros((32, 32), np.float32), r"expected \[32, 32, 2\]"),
        (np.zeros((32, 32, 2), int), "dtype int64"),
        (np.full((32, 32, 2), np.nan, np.float32), "2048 NaN or Inf"),
        (np.full((32, 32, 2), -np.inf, np.float32), "2048 NaN or Inf"),
    ],
)
def test_encoder_refuses(encoder, h, match):
    for call in (encoder.encode, encoder.encode_bits):
        with pytest.raises(ValueError, match=match):
            call(h)


@pytest.fixture
def damaged_export(tiny_export, tmp_path):
    for name in ("encoder.tflite", "codec.json"):
        shutil.copy(tiny_export / name, tmp_path)
    return tmp_path


def write_codec(export, **changes):
    codec = json.loads((export / "codec.json").read_text())
    (export / "codec.json").write_text(json.dumps({**codec, **changes}))


def test_encoder_refuses_another_or_a_truncated_file(damaged_export):
    path = damaged_export / "encoder.tflite"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match=f"{len(content) - 1} bytes .*truncated"):
        UeEncoder(path)
    path.rename(damaged_export / "other.tflite")
    with pytest.raises(ValueError, match="does not name other.tflite"):
        UeEncoder(damaged_export / "other.tflite")
    with pytest.raises(FileNotFoundError):
        UeEncoder(path)


def test_encoder_refuses_a_file_that_is_no_model(damaged_export):
    path = damaged_export / "encoder.tflite"
    path.write_bytes(b"text")
    digest = hashlib.sha256(b"text").hexdigest()
    write_codec(damaged_export, files={"encoder.tflite": digest})
    with pytest.raises(ValueError, match="encoder.tflite is no TFLite file"):
        UeEncoder(path)


def test_encoder_refuses_shapes_other_than_those_of_the_codec(damaged_export):
    write_codec(damaged_export, payload_bytes=PAYLOAD_BYTES + 1)
    with pytest.raises(ValueError, match=r"'packed': \[1, 10\].*'packed': \[1, 11\]"):
        UeEncoder(damaged_export / "encoder.tflite")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not a JSON file"),
        ("[]", "expected object"),
        ('{"format": 2}', "format is 2, expected one of"),
        ('{"format": 1}', "expected an object with model"),
    ],
)
def test_codec_is_checked(tmp_path, text, match):
    (tmp_path / "codec.json").write_text(text)
    with pytest.raises(ValueError, match=match):
        read_codec(tmp_path)
    (tmp_path / "codec.json").unlink()
    with pytest.raises(FileNotFoundError, match="keep the encoder in its export"):
        read_codec(tmp_path)


def test_client_measures_what_numpy_gives(encoder, tiny_server):
    expected = decode(indices_by_numpy(H))
    error = np.sum((H - expected) ** 2, (1, 2, 3)) / np.sum(H**2, (1, 2, 3))
    with Decoder(tiny_server.endpoint, MODEL, TIMEOUT) as decoder:
        report = client.measure(encoder, decoder, H, batch=7)
    assert report["nmse_db"] == pytest.approx(10 * np.log10(error.mean()), abs=1e-3)
    assert report["payload_bits_per_csi"] == 8 * PAYLOAD_BYTES
    assert report["frame_bytes_per_csi"] == FRAME_BYTES
    assert (report["samples"], report["invalid"]) == (len(H), 0)
    for times in (report["encode_ms"], report["round_trip_ms"]):
        assert 0 < times["p10"] <= times["p50"] <= times["p99"]


def test_client_command_refuses_flipped_bits(tiny_export, tiny_server, tmp_path):
    np.savez(tmp_path / "h.npz", h=H)
    process = command(
        "serving.client",
        f"--encoder={tiny_export / 'encoder.tflite'}",
        f"--endpoint={tiny_server.endpoint}",
        f"--samples={tmp_path / 'h.npz'}",
        f"--json={tmp_path / 'report.json'}",
        "--limit=9",
        "--flip_bit=77",
    )
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    last = err.splitlines()[-1]
    assert last.startswith("error: 9 of 9 frames refused by the decoder")
    assert "Traceback" not in err and "NMSE" in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["invalid"], report["nmse_db"]) == (9, None)


def test_client_errors_name_the_cause(tiny_server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no answer from {endpoint}"):
            Decoder(endpoint, MODEL, TIMEOUT)
    with pytest.raises(ValueError, match="Could not find any versions of model x"):
        Decoder(tiny_server.endpoint, "x", TIMEOUT)
    with pytest.raises(ValueError, match="bit 168: expected 0 to 167"):
        client.flip_bit(bytes(FRAME_BYTES), 8 * FRAME_BYTES)


def test_samples_are_checked(tmp_path):
    np.save(tmp_path / "h.npy", H)
    np.testing.assert_array_equal(csi_source.load_samples(tmp_path / "h.npy", 3), H[:3])
    np.savez(tmp_path / "x.npz", csi=H)
    with pytest.raises(ValueError, match=r"keys \['csi'\]: expected h"):
        csi_source.load_samples(tmp_path / "x.npz")
    np.save(tmp_path / "d.npy", H.astype(float))
    with pytest.raises(ValueError, match="holds float64"):
        csi_source.load_samples(tmp_path / "d.npy")
    np.save(tmp_path / "z.npy", H[:0])
    with pytest.raises(ValueError, match=r"\[0, 32, 32, 2\]"):
        csi_source.load_samples(tmp_path / "z.npy")


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_only_a_proxy_of_grpc_stands_between(tiny_server, monkeypatch, name):
    for other in ("http_proxy", "https_proxy", "grpc_proxy", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    if name == "grpc_proxy":
        with pytest.raises(ConnectionError):
            Decoder(tiny_server.endpoint, MODEL, 2)
        return
    with Decoder(tiny_server.endpoint, MODEL, TIMEOUT) as decoder:
        assert decoder.decode(frames(random_indices(1)))[1].all()
