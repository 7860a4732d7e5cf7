"""Runs of networks that are not one codeword of real numbers per snapshot."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data import training_source
from zoo.exporting import exporter
from zoo.training import evaluation, session

TRACKS = {
    "dataset": "cost2100_sim/indoor_track_tiny", "num_train": 40, "num_validation": 10,
    "num_test": 10, "epochs": 1, "batch_size": 10, "quantizer": "none", "bits": 0,
}  # fmt: skip


def test_sequences_are_trained_and_measured_per_snapshot(tiny_config, tmp_path):
    settings = tiny_config(
        tmp_path / "run", model="convlstm_csinet", num_frames=3, codeword_dim=16,
        csi_noise="awgn", train_snr_db=10.0, **TRACKS,
    )  # fmt: skip
    run = session.train(settings)
    row, h, h_hat = evaluation.evaluate(run)
    assert h.shape == h_hat.shape == (30, 32, 32, 2)
    assert row["num_test"] == 10 and row["ratio"] == 16 / 2048
    assert np.isfinite(row["nmse_db"]) and row["nmse_pca_db"] < 0
    with pytest.raises(ValueError, match="takes sequences"):
        exporter.check_exportable(run, settings)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": "crnet"}, "--model=crnet does not take"),
        ({"dataset": "cost2100_sim/indoor_tiny"}, "choose a data set of .T, N_t"),
        ({"num_frames": 11}, "expected 2 to 10"),
        ({"dataset": "cost2100_sim/indoor_track_tiny:stream"}, "not streamed"),
    ],
)
def test_data_that_do_not_fit(changes, word, tiny_config, tmp_path):
    values = {"model": "convlstm_csinet", **TRACKS, **changes}
    with pytest.raises(ValueError, match=word):
        training_source.training_source(tiny_config(tmp_path, **values))


def test_entropy_coded_feedback_is_counted_in_real_bytes(tiny_config, tmp_path):
    settings = tiny_config(
        tmp_path / "run", model="deepcmc", codeword_dim=32, epochs=1, quantizer="none",
        bits=0, model_args='{"filters": 8, "rate_weight": 1e-3}', num_train=40,
    )  # fmt: skip
    run = session.train(settings)
    row, _, _ = evaluation.evaluate(run)
    ideal, real = row["feedback_bits_ideal"], row["feedback_bits"]
    assert 0 < ideal and 0.9 * ideal < real < 1.1 * ideal + 24
    assert row["nmse_db"] != row["nmse_float_db"]


@pytest.mark.parametrize(
    "cpu_step", ["native", pytest.param("fused", marks=pytest.mark.slow)]
)
def test_rates_are_trained_together(cpu_step, tiny_config, tmp_path):
    settings = tiny_config(
        tmp_path / "run", model="csinet_plus_sm", codeword_dim=64, epochs=1,
        quantizer="none", bits=0, num_train=20, num_validation=10, num_test=10,
        cpu_step=cpu_step,
    )  # fmt: skip
    run = session.train(settings)
    row, _, _ = evaluation.evaluate(run)
    assert row["codeword_dim"] == 64 and np.isfinite(row["nmse_db"])
