"""Eigenvectors on the air: encoder on TFLite, bits, the served decoder."""

from __future__ import annotations

import dataclasses
import json
import threading

import numpy as np
import pytest

from serving import client
from serving.codec import csi_scale, nmse
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side import csi_source, daemon
from tests.conftest import run_command
from tests.support.serving_harness import running_server
from tfds_builders import subbands
from zoo.data import eigenmodes, splits
from zoo.exporting import exporter
from zoo.metrics import accuracy
from zoo.quantization.precisions import EncoderOptions
from zoo.training import evaluation, session


@pytest.fixture(scope="module")
def exported(eigen_config, tmp_path_factory):
    """Run of two layers with 2 bits an entry, and the directory of its export."""
    folder = tmp_path_factory.mktemp("eigen_export")
    settings = dataclasses.replace(
        eigen_config, target="eigenvectors", rank=2, phase="sequential",
        model="klt_residual", codeword_dim=32, init="klt", quantizer="uniform", bits=2,
        epochs=1, batch_size=50, lr=1e-4, lr_min=1e-5, warmup_epochs=None,
        num_train=400, num_validation=50, cpu_step="native", image_every=0,
        run_dir=str(folder / "run"),
    )  # fmt: skip
    run = session.train(settings)
    options = EncoderOptions(("fp32",), calibration_samples=100)
    exporter.export(run, folder / "export", options=options)
    return run, folder / "export"


@pytest.fixture(scope="module")
def sent(exported):
    """The evaluation's row, truth and estimate of the test split."""
    return evaluation.evaluate(exported[0])


def test_codec_says_what_is_sent(exported):
    codec = json.loads((exported[1] / "codec.json").read_text())
    about = {"rank": 2, "num_subbands": 13, "phase": "sequential"}
    assert codec["eigenvectors"] == about and codec["csi_shape"] == [32, 26, 2]
    assert codec["payload_bytes"] == 8 and codec["normalisation"]["constant"] == 0.5
    assert codec["norms"] == pytest.approx([26**0.5 / 2] * 2)
    other = exporter.agreement({**codec, "eigenvectors": {**about, "phase": "port"}})
    same = exporter.agreement({**codec, "eigenvectors": about})
    assert other["model_id"] != same["model_id"]


def test_encoders_send_what_the_network_sends(exported, sent):
    _, h, _ = sent
    run, folder = exported
    model = run.load()
    expected = model.quantizer.indices(model.encode(h)).numpy()
    encoder = UeEncoder(folder / "encoder.tflite")
    got = np.array([model.quantizer.indices(encoder.encode(x)) for x in h])
    assert np.mean(got != expected) < 1e-3
    assert all(len(encoder.encode_bits(x)) == 8 for x in h)


@pytest.mark.parametrize("key", ["channels", "eigenvectors"])
def test_input_of_channels_and_of_eigenvectors(exported, eigen_config, key, tmp_path):
    """Any phases and norms that a UE finds become those of the training."""
    codec = json.loads((exported[1] / "codec.json").read_text())
    rng = np.random.default_rng(2)
    modes = eigenmodes.load(eigen_config, "test", phase="sequential")
    turns = np.exp(2j * np.pi * rng.random((20, 13, 1, 2)))
    given = (modes.vectors * turns).astype(np.complex64)
    if key == "eigenvectors":
        given *= rng.uniform(0.2, 5, (20, 13, 1, 2)).astype(np.float32)
    if key == "channels":  # two subcarriers that have these eigenvectors
        left, _ = np.linalg.qr(rng.standard_normal((20, 13, 4, 2)))
        singular = np.array([2.0, 1.0])
        rows = np.einsum("ntil,l,ntpl->ntip", left, singular, given.conj())
        given = rows.reshape(20, 26, 2, 32)
    np.savez(tmp_path / "x.npz", **{key: given}, rate=np.float32(1))
    h = csi_source.load_samples(tmp_path / "x.npz", codec=codec)
    expected = subbands.as_csi(modes.vectors) - np.float32(0.5)
    np.testing.assert_allclose(h, expected, atol=2e-5)
    csi_scale.check(h, codec, "x.npz")
    few = csi_source.load_samples(tmp_path / "x.npz", 3, codec=codec)
    np.testing.assert_array_equal(few, h[:3])
    source = csi_source.open_source(tmp_path / "x.npz", codec=codec)
    np.testing.assert_array_equal(source.read().h, h[0])
    with pytest.raises(ValueError, match="expected h"):
        csi_source.load_samples(tmp_path / "x.npz")


def test_unusable_input_is_refused(exported, tmp_path):
    codec = json.loads((exported[1] / "codec.json").read_text())
    one = np.ones((2, 26, 2, 32), complex)
    some = np.ones((2, 13, 32, 2), complex)
    damaged, silent, missing = one.copy(), one.copy(), some.copy()
    damaged[1, 3, 0, 5] = np.nan
    silent[1, 4:6] = 0  # a subband
    missing[0, 2, :, 1] = 0
    for arrays, message in (
        ({"channels": one[:, :25]}, "a multiple of 13 subcarriers"),
        ({"channels": one[:, :, :1]}, "expected 2 receive antennas or more"),
        ({"channels": one[..., :16]}, r"expected .* with \[13, 32, 2\]"),
        ({"eigenvectors": one[:, :13]}, r"expected .* with \[13, 32, 2\]"),
        ({"channels": one.real}, r"are float64 \[2, 26, 2, 32\]: expected complex"),
        ({"eigenvectors": np.array(["x"])}, r"are <U1 \[1\]: expected complex"),
        ({"channels": np.complex64(1)}, r"are complex64 \[\]: .* of four dimensions"),
        ({"channels": one[:0]}, r"\[0, 26, 2, 32\]: .* none of them 0"),
        ({"channels": damaged}, "channels have 1 NaN or Inf values"),
        (
            {"eigenvectors": np.full_like(some, np.inf)},
            "eigenvectors have 1664 NaN or Inf values",
        ),
        ({"channels": silent}, "channels: 1 subbands are zero"),
        ({"eigenvectors": missing}, "eigenvectors: 1 are zero"),
    ):
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(ValueError, match=rf"x\.npz: .*{message}"):
            csi_source.load_samples(tmp_path / "x.npz", codec=codec)


def test_likely_eigenvectors_are_not_taken_for_other_csi(exported):
    """Even all ports in phase, whose mean is as large as it can be."""
    codec = json.loads((exported[1] / "codec.json").read_text())
    flat = np.full((1, 13, 32, 2), 32**-0.5, complex)
    h = subbands.as_csi(flat)[0] - np.float32(0.5)
    assert csi_scale.fault(h, codec) == ""
    assert "its norm is" in csi_scale.fault(h / 5, codec)


def test_sgcs_of_the_client_is_that_of_the_zoo():
    x, y = np.random.default_rng(0).standard_normal((2, 5, 8, 6, 2)).astype(np.float32)
    expected = accuracy.sgcs(accuracy.to_complex(x), accuracy.to_complex(y))
    assert nmse.sgcs(x, y) == pytest.approx(expected, abs=1e-6)


def test_directions_alone_have_no_nmse(exported, sent, tmp_path):
    """Neither client nor daemon quotes that of a network trained by SGCS."""
    run, folder = exported
    _, h, h_hat = sent
    settings = dataclasses.replace(run.config(), loss="sgcs")
    encoder = UeEncoder(folder / "encoder.tflite")
    encoder.codec |= exporter._sent(settings, run.load())
    assert encoder.codec["eigenvectors"]["direction_alone"]
    answers = iter([*h_hat[:3], *h_hat[:3]])

    class Decoder:
        def decode(self, frames, uplink=None):
            return 3 * next(answers)[np.newaxis], np.array([True])

        def close(self):
            pass

    expected = pytest.approx(nmse.sgcs(h[:3], h_hat[:3]))
    report = client.measure(encoder, Decoder(), h[:3])
    assert (report["nmse_db"], report["sgcs"]) == (None, expected)
    np.save(tmp_path / "h.npy", h[:3])
    source = csi_source.open_source(tmp_path / "h.npy")
    ue = daemon.UeDaemon(
        encoder, source, daemon.Link(Decoder), daemon.Schedule(period=0.01)
    )
    ue.run(threading.Event(), 3, lambda: None)
    summary = ue.summary()
    assert (summary["valid"], summary["nmse_db"]) == (3, None)
    assert summary["sgcs"] == expected


@pytest.mark.serving
def test_bits_over_the_server(exported, sent, tmp_path):
    row, h, _ = sent
    run, folder = exported
    split = splits.load_split(run.config(), "test")
    vectors = split.eigen.vectors * np.complex64(1j)
    np.savez(tmp_path / "x.npz", eigenvectors=vectors)
    with running_server(folder / "decoder") as server:
        done = run_command(
            "serving.client", f"--encoder={folder / 'encoder.tflite'}",
            f"--samples={tmp_path / 'x.npz'}", f"--endpoint={server.endpoint}",
            f"--json={tmp_path / 'client.json'}",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads((tmp_path / "client.json").read_text())
    assert report["payload_bits_per_csi"] == 64 == row["feedback_bits"]
    assert report["nmse_db"] == pytest.approx(row["nmse_db"], abs=1e-3)
    assert report["sgcs"] == pytest.approx(row["sgcs"], abs=1e-4)
    assert "SGCS" in done.stdout
