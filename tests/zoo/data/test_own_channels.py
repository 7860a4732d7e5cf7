"""A data set own/NAME in training and evaluation: scalings, subcarriers, shapes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.own_channels import SUBCARRIERS, angular_delay, responses
from tfds_builders import csi_examples
from tfds_builders.own import adding
from tfds_builders.own.layout import Layout
from zoo.config import ExperimentConfig
from zoo.data import scaling, splits
from zoo.metrics import accuracy, results_row
from zoo.metrics.results_row import Subcarriers
from zoo.training import evaluation, session

OPTIONS = adding.Options(delays=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """TFDS folder with own/mine, 16 antennas and 12 of 52 delays, own/wide of 300."""
    path = tmp_path_factory.mktemp("own")
    sizes = 10 ** np.linspace(-1, 1, 200)[:, None, None]
    np.save(path / "h.npy", responses(200, 16) * sizes)
    h = responses(30, 4, seed=1)
    np.save(path / "w.npy", np.concatenate([h] * 6, axis=-1)[..., :300])
    for name in ("mine", "wide"):
        file = path / f"{'h' if name == 'mine' else 'w'}.npy"
        adding.add([file], name, Layout(), OPTIONS, str(path))
    return path


def config(folder, **changes) -> ExperimentConfig:
    values = {"dataset": "own/mine", "model": "csinet", "codeword_dim": 32}
    values |= {"batch_size": 40, "epochs": 1, "cpu_step": "native"}
    return ExperimentConfig(**{**values, "data_dir": str(folder), **changes})


def norms(h: np.ndarray) -> np.ndarray:
    return np.linalg.norm(h.reshape(len(h), -1), axis=1)


@pytest.mark.parametrize("name", ["stored", "per_sample", "global"])
def test_every_scaling(folder, name):
    settings = config(folder, scaling=name, run_dir=str(folder / "none"))
    train = splits.load_split(settings, "train")
    builder = splits.open_builder("own/mine", str(folder))
    assert train.csi.shape == (160, 16, 12, 2)
    assert train.csi.min() >= 0 and train.csi.max() <= 1
    said = scaling.describe(name, builder)
    size = norms(train.h)
    if name == "global":
        assert said["constant"] == builder.info.metadata["global_scale"]
        assert np.abs(train.h).max() == pytest.approx(0.5, rel=1e-5)
    else:
        assert said["scale"] == csi_examples.PER_SAMPLE
        peak = np.abs(train.h).max(axis=(1, 2, 3))
        np.testing.assert_allclose(np.maximum(size / 0.9, peak / 0.5), 1, rtol=1e-4)
    test = splits.load_split(settings, "test")
    ratio = norms(test.h) / norms(test.csi_freq)
    assert (ratio <= 1 + 1e-5).all() and ratio.mean() > 0.9


def test_frequency_metrics_are_on_the_set_s_own_subcarriers(folder):
    test = splits.load_split(config(folder, run_dir=str(folder / "none")), "test")
    assert test.subcarriers == Subcarriers(SUBCARRIERS, SUBCARRIERS, 1)
    grid = test.num_subcarriers, test.last_taps, test.subcarriers
    assert grid[0] == SUBCARRIERS and grid[1] > 0
    row = results_row.frequency_metrics(test.h, test.h, test.csi_freq, *grid)
    full = np.zeros((20, 16, SUBCARRIERS), complex)
    taps = np.r_[0 : 12 - grid[1], SUBCARRIERS - grid[1] : SUBCARRIERS]
    full[..., taps] = accuracy.to_complex(test.h)
    freq = np.fft.fft(full, axis=-1, norm="ortho")
    assert row["rho"] == pytest.approx(accuracy.rho(test.csi_freq, freq), abs=1e-6)
    assert row["nmse_freq_db"] == pytest.approx(
        accuracy.nmse_db(test.csi_freq, freq), abs=1e-3
    )
    lost = 1 - np.linalg.norm(test.h) ** 2 / np.linalg.norm(test.csi_freq) ** 2
    assert row["nmse_freq_db"] == pytest.approx(10 * np.log10(lost), abs=0.5)
    assert row["rho_all"] == pytest.approx(1)
    untruncated = angular_delay(np.load(folder / "h.npy").astype(complex))
    assert untruncated.shape[-1] == test.csi_freq.shape[-1]


def test_many_subcarriers_are_thinned_evenly(folder):
    """300 subcarriers, every third: the metrics are those of these 100."""
    settings = config(folder, run_dir=str(folder / "none"), dataset="own/wide")
    test = splits.load_split(settings, "test")
    assert test.subcarriers == Subcarriers(300, 100, 3)
    assert test.csi_freq.shape == (3, 4, 100)
    row = results_row.frequency_metrics(
        test.h, test.h, test.csi_freq, 300, test.last_taps, test.subcarriers
    )
    full = np.zeros((3, 4, 300), complex)
    taps = np.r_[0 : 12 - test.last_taps, 300 - test.last_taps : 300]
    full[..., taps] = accuracy.to_complex(test.h)
    freq = np.fft.fft(full, axis=-1, norm="ortho")[..., ::3]
    assert row["rho"] == pytest.approx(accuracy.rho(test.csi_freq, freq), abs=1e-6)


def test_published_sets_keep_their_subcarriers():
    class Builder:
        class info:
            metadata = {"num_subcarriers": 1024}

    assert results_row.subcarriers_of(Builder) == Subcarriers(257, 125, 1)


def test_train_and_evaluate(folder):
    settings = config(folder, run_dir=str(folder / "run"))
    run = session.train(settings)
    row = evaluation.evaluate(run)[0]
    assert row["dataset"] == "own" and row["dataset_config"] == "mine"
    assert list(row["data_files"]) == ["h.npy"]
    assert np.isfinite(row["nmse_db"]) and 0 <= row["rho"] <= 1
    wrong = config(folder, run_dir="x", model="csinet_lstm")
    with pytest.raises(ValueError, match="single snapshots .16, 12, 2.*sequences"):
        splits.check(wrong)
