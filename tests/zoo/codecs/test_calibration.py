"""Gains of unknown arrays, estimated from the channels that they have measured."""

import dataclasses

import numpy as np
import pytest

from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels, nmse_db
from zoo.codecs import calibration, pursuit, saved
from zoo.data.perturbations import Perturbation

GRID = AngleDelayGrid("ula:16", N_C, 16, oversampling=8)
UNEVEN = Perturbation(gain_db=2, phase_deg=20, seed=3)
TRAIN = UNEVEN.applied(channels(300, seed=1), GRID, "train")
TEST = UNEVEN.applied(channels(100, seed=2), GRID, "test")


@pytest.fixture(scope="module")
def grid():
    return calibration.calibrated(GRID, TRAIN)


def test_gains_are_those_of_the_array(grid):
    """But for the common phase and the slope over the array, which stay open."""
    found = np.array(grid.gains) @ (1, 1j)
    ratio = found / UNEVEN._gains(1, 16, "train")[0]
    slopes = np.exp(-2j * np.pi * np.outer(np.linspace(-0.1, 0.1, 2001), np.arange(16)))
    straight = slopes[np.abs(slopes @ ratio).argmax()] * ratio
    error = straight / straight.mean() - 1
    assert np.mean(np.abs(error) ** 2) < 10**-2.5
    assert np.mean(np.abs(found) ** 2) == pytest.approx(1)


def test_it_wins_back_what_unknown_gains_cost(grid):
    def reached(own, train, test) -> float:
        codec = pursuit.fit(own, train[:150], 150, 14)
        return nmse_db(test, codec.decode(codec.encode(test)))

    even = reached(GRID, channels(300, seed=1), channels(100, seed=2))
    unknown, known = (reached(x, TRAIN, TEST) for x in (GRID, grid))
    assert unknown > even + 3
    assert known < even + 0.7


def test_gains_are_saved_exactly(grid, tmp_path):
    codec = pursuit.fit(grid, TRAIN, 60, 8)
    saved.save(codec, tmp_path / "codec")
    again = saved.load(tmp_path / "codec")
    assert again.grid == grid and again.grid.gains == grid.gains
    reports = codec.encode(TEST[:10])
    assert again.encode(TEST[:10]) == reports
    np.testing.assert_array_equal(again.decode(reports), codec.decode(reports))


def test_an_even_array_stays_as_it_is():
    grid = calibration.calibrated(GRID, channels(300, seed=1))
    gains = np.array(grid.gains) @ (1, 1j)
    assert np.abs(gains).std() < 0.03


def test_gains_of_another_array_are_refused(grid):
    with pytest.raises(ValueError, match="gains of power .*, expected 8"):
        dataclasses.replace(grid, array="ula:8")
    with pytest.raises(ValueError, match="finite"):
        dataclasses.replace(grid, gains=((float("nan"), 0.0),) * 16)
