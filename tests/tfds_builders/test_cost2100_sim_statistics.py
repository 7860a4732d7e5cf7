"""Statistics of simulated COST2100 drops against 1,000 reference drops.

Means over 1,000 reference drops are compared to 5 % where they are known that well
(number of paths, power-delay profile, shares of energy, delay and angular spread).
Heavy-tailed quantities (path gain, angular profile: its mean over one half of the
reference drops is 7 to 10 % off that over the other half) take the KS test alone.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.conftest import SHARED
from tfds_builders.cost2100_sim import simulator
from tfds_builders.cost2100_sim.parameters import load_scenario

SCENARIOS = ("indoor", "outdoor")
MIN_P = 0.01


def load_reference(scenario):
    """Reference path lists as padded `Paths`."""
    file = SHARED / f"cost2100_reference_{scenario}.npz"
    if not file.exists():
        pytest.skip(f"reference drops {file.name} are not beside the repository")
    data = np.load(file)
    num_paths = data["num_paths"]
    used = np.arange(num_paths.max()) < num_paths[:, None]
    padded = {}
    for name in ("azimuth", "elevation", "delay", "amplitude"):
        padded[name] = np.zeros(used.shape, np.result_type(data[name], np.float64))
        padded[name][used] = data[name]
    return simulator.Paths(
        scenario=scenario,
        carrier_hz=load_scenario(scenario).carrier_hz,
        num_paths=num_paths,
        ue_position=data["ue_position"].astype(np.float64),
        cluster_amplitude=np.empty(0),
        region_distance=np.empty(0),
        los_factor=np.empty(0),
        **padded,
    )


def describe(paths):
    """Statistics of each drop, by name."""
    share = np.abs(simulator.taps(paths)).astype(np.float64) ** 2
    share /= share.sum(axis=(1, 2), keepdims=True)
    strongest = np.cumsum(-np.sort(-share.reshape(len(share), -1)), axis=1)
    angular = share.sum(axis=2)
    resultant = angular @ np.exp(2j * np.pi * np.arange(32) / 32)
    power = np.abs(paths.amplitude) ** 2
    total = power.sum(axis=1)
    weight = power / total[:, None]
    mean_delay = np.sum(weight * paths.delay, axis=1, keepdims=True)
    spread = np.sqrt(np.sum(weight * (paths.delay - mean_delay) ** 2, axis=1))
    count = np.sum(power > 0, axis=1)
    bearing = np.arctan2(paths.ue_position[:, 1], paths.ue_position[:, 0])
    turn = np.cos(paths.azimuth - bearing[:, None] - np.radians(43))
    return {
        "num_paths": paths.num_paths,
        "elevation": np.sum(np.abs(paths.elevation) * (power > 0), axis=1) / count,
        "bearing_offset": np.sum(turn * (power > 0), axis=1) / count,
        "delay_spread": spread,
        "angular_spread": np.sqrt(-2 * np.log(np.abs(resultant))),
        "mean_tap": share.sum(axis=1) @ np.arange(32),
        "mean_beam": np.abs(np.angle(resultant)),
        "strongest_16": strongest[:, 15],
        "strongest_64": strongest[:, 63],
        "strongest_256": strongest[:, 255],
        "delay_profile": share.sum(axis=1),
        "angular_profile": angular,
        "gain_db": 10 * np.log10(total),
        "distance": np.hypot(*paths.ue_position.T),
    }


@pytest.fixture(scope="module", params=SCENARIOS)
def compared(request):
    ours = describe(simulator.paths(request.param, 2000, seed=1))
    return ours, describe(load_reference(request.param))


def p_value(ours, reference):
    return stats.ks_2samp(ours, reference).pvalue


@pytest.mark.golden
@pytest.mark.parametrize(
    "name",
    [
        "num_paths",
        "elevation",
        "delay_spread",
        "angular_spread",
        "mean_tap",
        "mean_beam",
        "strongest_16",
        "strongest_64",
        "strongest_256",
    ],
)
def test_distribution_and_mean(compared, name):
    ours, reference = compared
    assert p_value(ours[name], reference[name]) > MIN_P
    assert ours[name].mean() == pytest.approx(reference[name].mean(), rel=0.05)


@pytest.mark.golden
def test_bearing_of_clusters_from_the_terminal(compared):
    ours, reference = (drops["bearing_offset"] for drops in compared)
    assert p_value(ours, reference) > MIN_P


@pytest.mark.golden
def test_mean_power_delay_profile(compared):
    ours, reference = (drops["delay_profile"].mean(axis=0) for drops in compared)
    assert np.abs(ours - reference).sum() / 2 < 0.05


@pytest.mark.golden
@pytest.mark.parametrize("name", ["delay_profile", "angular_profile"])
def test_share_of_every_bin(compared, name):
    ours, reference = (drops[name].T for drops in compared)
    p = [p_value(a, b) for a, b in zip(ours, reference, strict=True)]
    assert min(p) > MIN_P / len(p)  # 32 tests at once


@pytest.mark.golden
def test_path_gain_by_distance(compared):
    ours, reference = compared
    edges = np.quantile(reference["distance"], [1 / 3, 2 / 3])
    for third in range(3):
        gains = [
            drops["gain_db"][np.digitize(drops["distance"], edges) == third]
            for drops in compared
        ]
        assert p_value(*gains) > MIN_P
    over_free_space = [d["gain_db"] + 20 * np.log10(d["distance"]) for d in compared]
    assert p_value(*over_free_space) > MIN_P


@pytest.mark.golden
@pytest.mark.parametrize(("scenario", "share"), [("indoor", 0.0), ("outdoor", 1.0)])
def test_line_of_sight_share(scenario, share):
    reference = load_reference(scenario)
    last = reference.amplitude[np.arange(1000), reference.num_paths - 1]
    assert np.mean(last != 0) == share
    ours = simulator.paths(scenario, 1000, seed=2)
    assert np.mean(ours.amplitude[:, 0] != 0) == share


@pytest.mark.golden
def test_line_of_sight_factor():
    reference = load_reference("outdoor")
    rows = np.arange(1000)
    last = np.abs(reference.amplitude[rows, reference.num_paths - 1]) ** 2
    others = np.sum(np.abs(reference.amplitude) ** 2, axis=1) - last
    ours = simulator.paths("outdoor", 2000, seed=3)
    assert p_value(ours.los_factor, last / others) > MIN_P
    assert not np.any(ours.amplitude[:, 0].imag)
    expected = np.hypot(*ours.ue_position.T) / 3e8
    np.testing.assert_allclose(ours.delay[:, 0], expected)
