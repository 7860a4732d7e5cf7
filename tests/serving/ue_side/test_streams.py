"""Both streams of the pursuit from client and UE daemon to a served decoder."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from serving import client
from serving.codec import coded_atoms, framing
from serving.codec.coded_atoms import CodedEncoder, CodedReceiver
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side.decoder_client import CodedDecoder, Decoder
from tests.conftest import assert_one_line_error, run_command
from tests.support.pursuit_channels import sample_channels
from tests.support.serving_harness import running_server

pytest_plugins = ["tests.support.pursuit_export", "tests.support.serving_fixtures"]
pytestmark = [pytest.mark.serving, pytest.mark.tflite]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tmp_path_factory.mktemp("samples") / "h.npz"
    np.savez(path, h=sample_channels(60))
    return path


@pytest.fixture(scope="module")
def endpoint(pursuit_files):
    with running_server(pursuit_files.path / "decoder") as server:
        yield server.endpoint


def test_either_stream_is_served(pursuit_files, endpoint):
    path, h = pursuit_files.path / "encoder.tflite", sample_channels(60)
    plain, coded, short = UeEncoder(path), CodedEncoder(path), CodedEncoder(path, 64)
    bits = 8 * pursuit_files.codec["payload_bytes"]
    served = Decoder(endpoint, "csi_decoder", 60)
    receiver = CodedDecoder(served, CodedReceiver(coded.tables, coded.codec))
    plain, coded, short = (
        client.measure(encoder, decoder, h, batch=16)
        for encoder, decoder in ((plain, served), (coded, receiver), (short, receiver))
    )
    assert plain["payload_bits_per_csi"] == bits >= coded["payload_bits_per_csi"]
    assert short["payload_bits_per_csi"] <= 64
    assert plain["invalid"] == coded["invalid"] == short["invalid"] == 0
    assert coded["nmse_db"] < plain["nmse_db"] < short["nmse_db"] < -4
    receiver.close()
    with pytest.raises(ValueError, match="does not take: its norm is"):
        CodedEncoder(path).encode_bits(1e5 * h[0])


def test_the_client_sends_coded(pursuit_files, samples, endpoint):
    done = run_command(
        "serving.client",
        f"--encoder={pursuit_files.path / 'encoder.tflite'}",
        f"--samples={samples}",
        f"--endpoint={endpoint}",
        "--batch=16",
        "--stream=coded",
        "--report_bits=64",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "0 invalid; 64 payload bits, 19 frame bytes" in done.stdout


def test_the_daemon_reports_coded(pursuit_files, samples, endpoint):
    done = run_command(
        "serving.ue",
        f"--encoder={pursuit_files.path / 'encoder.tflite'}",
        f"--source={samples}",
        f"--endpoint={endpoint}",
        "--stream=coded",
        "--period_ms=100",
        "--reports=5",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    summary = json.loads(done.stdout)
    assert summary["valid"] + summary["missed"] == summary["periods"]
    assert summary["valid"] and summary["nmse_db"] < -5


def test_damaged_coded_frames_leave_the_others_alone(pursuit_files, endpoint):
    coded = CodedEncoder(pursuit_files.path / "encoder.tflite")
    h = sample_channels(2)
    good = [framing.frame(coded.encode_bits(x), coded.model_id) for x in h]
    decoder = Decoder(endpoint, "csi_decoder", 30)
    received = CodedDecoder(decoder, CodedReceiver(coded.tables, coded.codec))
    h_hat, valid = received.decode([good[0], good[1][:-1], good[1]])
    assert valid.tolist() == [True, False, True]
    assert np.isfinite(h_hat[valid]).all() and np.isnan(h_hat[1]).all()
    h_hat, valid = received.decode([b"", b"?"])
    assert not valid.any() and h_hat.shape == (2, *h.shape[1:])
    received.close()


def test_wrong_flags_are_refused(pursuit_files, tiny_export, samples):
    place = f"--encoder={pursuit_files.path / 'encoder.tflite'}", f"--samples={samples}"
    done = run_command("serving.client", *place, "--report_bits=64")
    assert_one_line_error(done, "--report_bits=64 is for --stream=coded")
    done = run_command("serving.client", *place, "--stream=coded", "--report_bits=4")
    assert_one_line_error(done, "report_bits=4: expected 8 or more")
    place = f"--encoder={tiny_export / 'encoder.tflite'}", f"--samples={samples}"
    done = run_command("serving.client", *place, "--stream=coded")
    assert_one_line_error(done, "model tiny has no coded stream")


def test_tables_of_another_export_are_refused(pursuit_files, tmp_path):
    shutil.copytree(pursuit_files.path, tmp_path / "copy")
    tables, codec = tmp_path / "copy" / "tables.npz", pursuit_files.codec
    content = bytearray(tables.read_bytes())
    content[len(content) // 2] ^= 1
    tables.write_bytes(content)
    with pytest.raises(ValueError, match="its sha256 is"):
        coded_atoms.read_tables(tables.parent, codec)
    tables.unlink()
    with pytest.raises(FileNotFoundError, match="no such file"):
        coded_atoms.read_tables(tables.parent, codec)
