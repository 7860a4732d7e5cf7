"""Trainings on several data sets: which examples, in which order, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.conftest import TINY
from zoo.config import ExperimentConfig
from zoo.data import mixture, splits, training_source

OTHER = "cost2100_sim/outdoor_tiny"


@pytest.mark.parametrize("counts", [(100, 50), (7, 7, 7), (1, 200)])
def test_any_first_examples_are_of_all_parts(counts):
    order = mixture.order(counts)
    assert sorted(order) == list(range(sum(counts)))
    part = np.repeat(np.arange(len(counts)), counts)[order]
    for first in range(1, sum(counts) + 1):
        for i, count in enumerate(counts):
            share = np.sum(part[:first] == i)
            assert abs(share - first * count / sum(counts)) <= 1


def test_examples_of_both(tiny_config, tmp_path):
    config = tiny_config(tmp_path / "x", mix=OTHER, num_train=41)
    shape = splits.check(config)
    mixed = splits.load_split(config, "train").csi
    own = [
        splits.load_split(
            tiny_config(tmp_path, dataset=name, num_train=20), "train"
        ).csi
        for name in (TINY["dataset"], OTHER)
    ]
    assert mixed.shape == (40, *shape)
    for i, csi in enumerate(own):  # of 41 examples 20 each, in turn
        np.testing.assert_array_equal(mixed[i::2], csi)
    told = splits.read_from(config)
    for name in ("train", "validation"):
        assert "/indoor_tiny/" in told[name] and "/outdoor_tiny/" in told[name]
    builder = splits.open_builder(config.dataset, config.data_dir)
    assert training_source.num_train(config, builder) == 40
    test = splits.load_split(config, "test").csi
    alone = splits.load_split(tiny_config(tmp_path), "test").csi
    np.testing.assert_array_equal(test, alone)


def test_sizes_that_differ(tiny_config, tmp_path):
    config = tiny_config(tmp_path, mix="tr38901/lora_rma_nlos_small_tiny")
    with pytest.raises(ValueError, match="expected CSI of one size"):
        splits.check(config)


def test_a_batch_is_compared_with_the_sum(tiny_config, tmp_path):
    config = tiny_config(tmp_path, mix=OTHER, num_train=30, batch_size=20)
    assert splits.check(config)  # of each 15
    larger = dataclasses.replace(config, batch_size=31)
    with pytest.raises(ValueError, match="30 training examples are less than"):
        splits.check(larger)


def test_noise_that_depends_on_the_subcarriers(tiny_config, tmp_path, monkeypatch):
    noise = {"csi_noise": "ls", "train_snr_db": 5.0}
    config = tiny_config(tmp_path, mix=OTHER, **noise)
    assert splits.check(config)
    numbers = iter([1024, 667] * 2)
    monkeypatch.setattr(splits, "num_subcarriers", lambda builder: next(numbers))
    with pytest.raises(ValueError, match="subcarriers .*667.*expected one number with"):
        splits.check(config)
    assert splits.check(dataclasses.replace(config, csi_noise="awgn"))


def test_the_first_alone_is_tested(tiny_config, tmp_path, monkeypatch):
    """Another data set needs no split of the test."""

    def name_of(config, builder, split):
        if split == "test" and config.dataset == OTHER:
            raise ValueError("no test split")
        return split

    monkeypatch.setattr(splits, "name_of", name_of)
    config = tiny_config(tmp_path, mix=OTHER)
    assert splits.check(config) and splits.check(config, ("test",))
    with pytest.raises(ValueError, match="no test split"):
        splits.check(tiny_config(tmp_path, dataset=OTHER))


def test_clean_csi_is_there_once(tiny_config, tmp_path):
    config = tiny_config(tmp_path, mix=OTHER, num_validation=20)
    clean = splits.load_split(config, "validation")
    assert clean.csi is clean.csi_clean
    noise = {"csi_noise": "awgn", "train_snr_db": 5.0}
    noisy = splits.load_split(dataclasses.replace(config, **noise), "validation")
    np.testing.assert_array_equal(noisy.csi_clean, clean.csi)
    assert not np.array_equal(noisy.csi, noisy.csi_clean)


def test_spaces_between_names():
    config = ExperimentConfig(mix=" a/b, c/d")
    assert config.mix == "a/b,c/d"
    assert [one.dataset for one in mixture.parts(config)][1:] == ["a/b", "c/d"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"mix": "a/b, a/b"}, "--mix=a/b,a/b: expected stored data sets"),
        ({"mix": "a/b,cost2100_sim/indoor"}, "than --dataset=cost2100_sim/indoor"),
        ({"mix": "a/b:stream"}, "expected stored"),
        ({"mix": "a/b", "num_train": 1}, "--num_train=1: expected 0 or at least 2"),
    ],
)
def test_mixtures_that_are_none(flags, said):
    with pytest.raises(ValueError, match=said):
        ExperimentConfig(**flags)
