"""Networks that send eigenvectors: their data, losses, runs and rows."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.clustered_channels import sgcs
from tfds_builders import subbands
from zoo.config import ExperimentConfig
from zoo.data import eigenmodes, splits
from zoo.exporting import fit_quantizer
from zoo.metrics import precoding
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, losses, session


@pytest.fixture(scope="module")
def run_of(eigen_config, tmp_path_factory):
    """Function that trains a tiny run of two epochs, its fitted start before them."""

    def train(**changes) -> RunDirectory:
        values = {
            "target": "eigenvectors", "rank": 2, "model": "klt_residual",
            "codeword_dim": 32, "init": "klt", "lr": 2e-4, "lr_min": 1e-5, "epochs": 2,
            "batch_size": 50, "warmup_epochs": None, "num_train": 400,
            "num_validation": 50, "image_every": 1, "cpu_step": "native",
            "run_dir": str(tmp_path_factory.mktemp("runs") / "r"),
        }  # fmt: skip
        return session.train(dataclasses.replace(eigen_config, **values | changes))

    return train


@pytest.mark.parametrize("rank", [1, 2])
def test_split_of_eigenvectors(eigen_config, rank):
    config = dataclasses.replace(eigen_config, target="eigenvectors", rank=rank)
    modes = eigenmodes.load(eigen_config, "test", phase=config.phase)
    split = splits.load_split(config, "test")
    assert split.csi.shape == (20, 32, 13 * rank, 2) and split.csi.dtype == np.float32
    assert splits.check(config) == split.csi.shape[1:]
    assert 0 <= split.csi.min() < 0.35 and 0.65 < split.csi.max() <= 1
    for layer, subband in ((0, 0), (rank - 1, 12)):
        column = split.h[:, :, 13 * layer + subband]
        expected = modes.vectors[:, subband, :, layer]
        np.testing.assert_allclose(2 * column[..., 0], expected.real, atol=1e-6)
        np.testing.assert_allclose(2 * column[..., 1], expected.imag, atol=1e-6)
    v = subbands.of_csi(split.h, rank)
    np.testing.assert_allclose(v, modes.vectors[..., :rank], atol=1e-6)
    row = split.frequency_metrics(split.h * np.float32(0.3))
    assert row["sgcs_by_layer"] == pytest.approx([1] * rank)
    assert (row["rank"], row["num_subbands"], row["num_ports"]) == (rank, 13, 32)
    assert row["definitions"] == precoding.DEFINITIONS and row["num_users"] == 4
    assert splits.load_split(config, "train", 7).eigen is None


def test_eigenvectors_of_the_csi_of_any_data_set(tiny_config):
    config = tiny_config("unused", target="eigenvectors", num_subbands=5)
    split = splits.load_split(config, "test", 6)
    assert split.csi.shape == (6, 32, 5, 2) == (6, *splits.check(config))
    modes = eigenmodes.load(config, "test", 5, "port", 6)
    np.testing.assert_allclose(subbands.of_csi(split.h, 1), modes.vectors, atol=1e-6)
    wide = dataclasses.replace(config, num_subbands=32)
    assert splits.check(wide) == (32, 32, 2)
    for read in (splits.check, lambda config: splits.load_split(config, "test")):
        with pytest.raises(ValueError, match="--num_subbands=33: .* keeps 32 delays"):
            read(dataclasses.replace(config, num_subbands=33))


def test_groups_of_users_are_the_same_for_all_seeds(eigen_config):
    config = dataclasses.replace(eigen_config, target="eigenvectors")
    tests = [
        splits.load_split(dataclasses.replace(config, seed=seed), "test")
        for seed in (0, 1)
    ]
    rows = [test.frequency_metrics(test.h[:, ::-1]) for test in tests]
    assert rows[0] == rows[1]


def test_loss_is_one_minus_sgcs_of_every_example():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 6, 8, 10, 2)).astype(np.float32)
    got = losses.sgcs(tf.constant(x), tf.constant(y)).numpy()
    v, w = (subbands.of_csi(z - 0.5, 2) for z in (x, y))
    each = [1 - np.mean(sgcs(v[i : i + 1], w[i : i + 1])) for i in range(6)]
    np.testing.assert_allclose(got, each, atol=1e-6)
    turns = np.exp(1j * rng.random((6, 5, 1, 2))) * (1 + rng.random((6, 5, 1, 2)))
    turned = tf.constant(subbands.as_csi(w * turns))
    np.testing.assert_allclose(losses.sgcs(tf.constant(x), turned), each, atol=1e-5)
    zero = tf.Variable(np.full_like(x, 0.5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(losses.sgcs(x, zero))
    assert float(loss) == 6 and np.isfinite(tape.gradient(loss, zero).numpy()).all()


def test_run_of_squared_errors(run_of):
    run = run_of(quantizer="uniform", bits=2)
    records = run.read_metrics()
    assert all(0 < r["val_sgcs"] < 1 for r in records)
    assert min(r["val_nmse_db"] for r in records) < -0.5
    row, h, h_hat = evaluation.evaluate(run)
    v, w = (subbands.of_csi(x, 2) for x in (h, h_hat))
    assert row["sgcs_by_layer"] == pytest.approx(sgcs(v, w).tolist(), abs=1e-6)
    assert row["sgcs"] == pytest.approx(np.mean(row["sgcs_by_layer"]))
    assert row["nmse_db"] == pytest.approx(precoding.nmse_db(v, w), abs=1e-4)
    assert (row["sent"], row["phase"], row["rank"]) == ("eigenvectors", "port", 2)
    assert row["feedback_bits"] == 64 and row["csi_shape"] == [32, 26, 2]
    assert row["zf_rate"] < row["zf_rate_perfect"]
    assert row["loss"] == "csi"
    json.dumps(row)


def test_run_of_sgcs(run_of):
    """It learns from a random start, and its NMSE is not quoted."""
    run = run_of(loss="sgcs", rank=1, init="paper", lr=5e-3, epochs=4)
    records = run.read_metrics()
    assert all(r["val_loss"] == pytest.approx(1 - r["val_sgcs"]) for r in records)
    assert not any("val_nmse_db" in r for r in records)
    assert records[-1]["val_sgcs"] > records[0]["val_sgcs"] + 0.05 > 0.1
    best = [r for r in records if r["best"]]
    assert best[-1]["val_sgcs"] == max(r["val_sgcs"] for r in records)
    row, *_ = evaluation.evaluate(run)
    assert row["nmse_db"] is None and row["start_nmse_db"] is None
    assert row["loss"] == "sgcs"
    assert row["best_epoch"] == best[-1]["epoch"] and 0.1 < row["sgcs"] < 1
    wanted = fit_quantizer.quantised(run.config(), "uniform", 6)
    fit = fit_quantizer.fitted_model(run, wanted)[1]
    assert f"1-SGCS {fit.nmse_db:.2f} dB instead of" in str(fit)
    reached = 1 - best[-1]["val_sgcs"]
    assert fit.nmse_float_db == pytest.approx(10 * np.log10(reached), abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 2}, "--rank=2 is of eigenvectors: give --target=eigenvectors"),
        ({"phase": "entry"}, "--phase=entry is of eigenvectors"),
        ({"num_subbands": 13}, "--num_subbands=13 is of eigenvectors"),
        ({"loss": "sgcs"}, "--loss=sgcs is of eigenvectors"),
        ({"target": "eigenvectors", "rank": 5}, "--rank=5: expected 1 to 4"),
        ({"target": "eigenvectors", "scaling": "global"}, "--scaling=global: of CSI"),
        ({"target": "eigenvectors", "num_frames": 3}, "--num_frames=3: of CSI alone"),
        ({"target": "eigenvectors", "loss": "phase"}, "--loss=phase: .* csi or codew"),
        (
            {"target": "eigenvectors", "csi_noise": "ls", "test_snr_db": 5.0},
            "--csi_noise=ls: of CSI alone, not of --target=eigenvectors; give none",
        ),
        (
            {"target": "eigenvectors", "dataset": "cost2100_sim/indoor:stream"},
            "a stream has no eigenvectors",
        ),
    ],
)
def test_flags_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ExperimentConfig(**changes)


def test_data_that_do_not_fit_are_refused(eigen_config):
    for changes, message in (
        ({"rank": 3}, "--rank=3: .* has 2 layers, one for each receive antenna"),
        ({"num_subbands": 12}, "--num_subbands=12: .* stores 13"),
        ({"model": "dualnet_mp"}, "takes the uplink, which --target=eigenvectors has"),
        ({"model": "convlstm_csinet"}, "takes sequences, which --target=eigenvectors"),
    ):
        config = dataclasses.replace(eigen_config, target="eigenvectors", **changes)
        for read in (splits.check, lambda config: splits.load_split(config, "test")):
            with pytest.raises(ValueError, match=message):
                read(config)
