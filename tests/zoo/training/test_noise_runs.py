"""Training runs with noise on the CSI: resuming, evaluation, sweep over the SNR."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.conftest import run_command
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

NOISY = {
    "model": "csinet", "dataset": "cost2100_sim/indoor_tiny:stream", "num_train": 60,
    "epochs": 3, "csi_noise": "awgn", "train_snr_db": 3.0, "test_snr_db": 5.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def noisy_run(tiny_config, tmp_path_factory) -> RunDirectory:
    return session.train(tiny_config(tmp_path_factory.mktemp("noisy") / "run", **NOISY))


@pytest.mark.slow
def test_resumed_run_repeats_the_noise(noisy_run, tiny_config, tmp_path, monkeypatch):
    append = RunDirectory.append_metrics

    def interrupt(run, record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt
        append(run, record)

    monkeypatch.setattr(RunDirectory, "append_metrics", interrupt)
    with pytest.raises(KeyboardInterrupt):
        session.train(tiny_config(tmp_path / "run", **NOISY))
    monkeypatch.undo()
    run = session.train(tiny_config(tmp_path / "run", **NOISY))
    values, expected = (
        [[r["epoch"], r["loss"], r["val_nmse_db"]] for r in each.read_metrics()]
        for each in (run, noisy_run)
    )
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_evaluation_at_the_runs_snr_and_at_others(noisy_run):
    row, h, _ = evaluation.evaluate(noisy_run)
    assert (row["csi_noise"], row["test_snr_db"]) == ("awgn", 5.0)
    assert (row["train_csi_noise"], row["train_snr_db"]) == ("awgn", 3.0)
    clean, h_clean, _ = evaluation.evaluate(noisy_run, "none")
    assert (clean["csi_noise"], clean["test_snr_db"]) == ("none", None)
    assert clean["train_snr_db"] == 3.0 and clean["nmse_db"] != row["nmse_db"]
    np.testing.assert_array_equal(h, h_clean)
    strong, _, _ = evaluation.evaluate(noisy_run, "ls", 0.0)
    assert (strong["csi_noise"], strong["test_snr_db"]) == ("ls", 0.0)
    json.dumps([row, clean, strong], allow_nan=False)
    # The basis is orthonormal: M / 2 of 1024 noise entries add to the clean error.
    floor, share = 10 ** (clean["nmse_pca_db"] / 10), 16 / 1024
    for each, power in ((row, 10**-0.5), (strong, 32 / 1024)):
        added = 10 ** (each["nmse_pca_db"] / 10) - floor
        assert added == pytest.approx(power * share, rel=0.15)


def test_codec_without_loss_leaves_the_noise(noisy_run, monkeypatch):
    """With encoder and decoder the identity, all that is left is the noise."""

    class Identity:
        encoder = decoder = receiver = quantizer = None

        def predict(self, values, **_):
            return values

    identity = Identity()
    identity.encoder = identity.decoder = identity
    monkeypatch.setattr(RunDirectory, "load", lambda *_: identity)
    monkeypatch.setattr(evaluation, "through_bits", lambda codeword, _: (codeword, 1))
    monkeypatch.setattr(evaluation.complexity, "summary", lambda _: {})
    row, _, _ = evaluation.evaluate(noisy_run, test_snr_db=10.0)
    assert row["nmse_db"] == pytest.approx(-10, abs=0.1)
    assert row["rho_all"] == pytest.approx(1 / math.sqrt(1.1), abs=0.05)


@pytest.mark.slow
def test_sweep_by_command_keeps_the_runs_own_row(noisy_run):
    args = [f"--run={noisy_run.path}", "--csi_noise=ls"]
    done = run_command("zoo.evaluate", *args, "--test_snr_db=-5")
    assert done.returncode == 0, done.stderr[-2000:]
    row = json.loads((noisy_run.path / "evaluation_ls_-5.0.json").read_text())
    assert (row["csi_noise"], row["test_snr_db"]) == ("ls", -5.0)
    assert not (noisy_run.path / "evaluation.json").exists()
