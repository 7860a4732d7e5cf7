"""COST2100 simulator against explicit sums, its seeding, carriers and regions."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator, visibility
from tfds_builders.cost2100_sim.parameters import LogNormal, load_scenario

SCENARIOS = ("indoor", "outdoor")


def scatter_regions(rng, ue):
    """Indoor cell in full: per visible cluster, is its reference region active?"""
    far = max(1, rng.poisson(3.8))
    groups = round(round(far * 30**2 / 1.72**2) / 5)
    sizes = 1 + rng.poisson(4, groups)
    position = 30 * np.sqrt(rng.random(sizes.sum()))
    angle = rng.uniform(0, 2 * np.pi, sizes.sum())
    position = np.stack([position * np.cos(angle), position * np.sin(angle)], axis=1)
    active = np.hypot(*(position - ue).T) < 2.72
    group = np.repeat(np.arange(groups), sizes)
    reference = np.cumsum(sizes) - sizes + np.floor(sizes * rng.random(groups))
    visible = np.unique(group[active])
    return len(visible), active[reference[visible].astype(int)]


def test_regions_follow_the_law_of_the_full_cell():
    rng = np.random.default_rng(0)
    scenario = load_scenario("indoor")
    ue = rng.uniform(-10, 10, (2000, 2))
    full = [scatter_regions(rng, position) for position in ue]
    full_counts = np.array([count for count, _ in full])
    full_active = np.concatenate([active for _, active in full])
    counts = visibility.draw_cluster_counts(scenario, rng, len(ue))
    assert counts.min() == 1
    assert stats.ks_2samp(counts, full_counts[full_counts > 0]).pvalue > 0.01
    terminal = np.repeat(ue, counts, axis=0)
    region, distance = visibility.draw_regions(scenario, rng, terminal)
    active = np.hypot(*(region - terminal).T) < 2.72
    assert active.mean() == pytest.approx(full_active.mean(), abs=0.012)
    assert distance.max() < 2.72
    assert np.hypot(*region[~active].T).max() < 30


def test_log_normal_has_the_given_moments():
    spread = LogNormal.from_moments(3.0, 2.0)
    values = spread.at(np.random.default_rng(0).standard_normal(400_000))
    assert values.mean() == pytest.approx(3, rel=0.01)
    assert values.std() == pytest.approx(2, rel=0.02)


def explicit_response(paths, drop, frequency, wavelength_share=0.5):
    """H [frequencies, 32 antennas] of one drop, path by path."""
    h = np.zeros((len(frequency), 32), complex)
    for path in range(paths.num_paths[drop]):
        azimuth, elevation = paths.azimuth[drop, path], paths.elevation[drop, path]
        phase = 2 * math.pi * wavelength_share * math.sin(azimuth) * math.cos(elevation)
        ramp = np.exp(-2j * np.pi * frequency * paths.delay[drop, path])
        h += paths.amplitude[drop, path] * np.outer(
            ramp, np.exp(-1j * phase * np.arange(32))
        )
    return h


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_simulate_and_beam_subcarriers_against_explicit_sums(scenario):
    paths = simulator.paths(scenario, 3, seed=5, split=2)
    taps = simulator.simulate(scenario, 3, seed=5, split=2)
    beams = simulator.beam_subcarriers(paths)
    assert taps.dtype == beams.dtype == np.complex64
    assert taps.shape == (3, 32, 32) and beams.shape == (3, 32, 125)
    first = {"indoor": 5.29e9, "outdoor": 290e6}[scenario]
    for drop in range(3):
        h = explicit_response(paths, drop, first + np.arange(1024) * 20e6 / 1024)
        expected = transforms.truncate(transforms.to_angular_delay(h), 32)
        error = np.linalg.norm(taps[drop] - expected) / np.linalg.norm(expected)
        assert error < 1e-5
        h = explicit_response(paths, drop, first + np.arange(125) * 20e6 / 257)
        expected = np.fft.fftshift(np.fft.fft(h, norm="ortho"), axes=-1).T
        expected *= np.sqrt(1024 / 257)
        error = np.linalg.norm(beams[drop] - expected) / np.linalg.norm(expected)
        assert error < 1e-5


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_beam_subcarriers_equal_the_transform_without_truncation(scenario):
    paths = simulator.paths(scenario, 10, seed=6)
    every_tap = simulator.taps(paths, first=1024)
    expected = transforms.delay_to_frequency(every_tap, 1024)
    beams = simulator.beam_subcarriers(paths, 1024, 1024)
    assert np.linalg.norm(beams - expected) < 1e-5 * np.linalg.norm(expected)
    # On the 257-point grid the two agree where every path lies on one of the 32 taps.
    delay = np.minimum(np.rint(paths.delay * 20e6), 31) / 20e6
    on_taps = dataclasses.replace(paths, delay=delay)
    expected = transforms.delay_to_frequency(simulator.taps(on_taps), 257, 125)
    beams = simulator.beam_subcarriers(on_taps)
    assert np.linalg.norm(beams - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("scenario", "within"), [("indoor", 0.7), ("outdoor_released", 0.5)]
)
def test_as_sparse_as_the_released_drops(scenario, within):
    """Errors of the 221, 55, 13 largest taps: EricssonResearch/icassp-2023."""
    indoor, outdoor = (-25.75, -15.39, -8.73), (-17.67, -9.81, -4.61)
    released = indoor if scenario == "indoor" else outdoor
    power = np.abs(simulator.simulate(scenario, 1000, seed=2)).reshape(1000, -1) ** 2
    power = np.sort(power / power.sum(1, keepdims=True), axis=1)
    for k, expected in zip((221, 55, 13), released, strict=True):
        found = 10 * np.log10(power[:, :-k].sum(1).mean())
        assert found == pytest.approx(expected, abs=within)


def test_dualnet_has_a_disc_below_the_base_station():
    """Uniform within 20 m; local clusters of both terminals, as far as the triangle."""
    paths = simulator.paths("indoor_dualnet", 2000, seed=12)
    distance = np.hypot(*paths.ue_position.T)
    assert stats.kstest((distance / 20) ** 2, "uniform").pvalue > 0.01
    link = np.hypot(distance, 20)
    power = np.abs(paths.amplitude[:, 1:7]) ** 2
    sizes = 1.8  # m, half of what 3 ns are long, four standard deviations over three
    for columns in (slice(1, 4), slice(4, 7)):  # around the UE, then the BS
        excess = paths.delay[:, columns] * 3e8 - link[:, None]
        assert np.abs(excess).max() < 2 * sizes and excess.mean() > -0.01
    below = np.degrees(np.sum(paths.elevation[:, 1:4] * power[:, :3], 1))
    below /= power[:, :3].sum(1)
    expected = -np.degrees(np.arctan2(20, distance))
    np.testing.assert_allclose(below, expected, atol=6)
    free_space = (3e8 / (4 * np.pi * link * 5.3e9)) ** 2
    np.testing.assert_allclose(power[:, :3].sum(1), free_space, rtol=1e-3)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_same_seed_same_bits_and_prefix(scenario):
    longer = simulator.simulate(scenario, 130, seed=7)
    np.testing.assert_array_equal(longer, simulator.simulate(scenario, 130, seed=7))
    np.testing.assert_array_equal(longer[:20], simulator.simulate(scenario, 20, seed=7))
    joined = simulator.paths(scenario, 130, seed=7)
    np.testing.assert_array_equal(longer, simulator.taps(joined))


def test_blocks_are_seeded_by_seed_split_and_number():
    joined = simulator.paths("indoor", 250, seed=8, split=1)
    second = simulator.block_paths("indoor", seed=8, split=1, block=1)
    width = second.delay.shape[1]
    np.testing.assert_array_equal(joined.delay[100:200, :width], second.delay)
    np.testing.assert_array_equal(joined.num_paths[100:200], second.num_paths)
    keys = [(8, 1, 1), (9, 1, 1), (8, 0, 1), (8, 1, 0), (1, 8, 1)]
    firsts = [simulator.block_paths("indoor", *key).ue_position[0, 0] for key in keys]
    assert len(set(firsts)) == len(keys)


@pytest.mark.parametrize(("scenario", "hz"), [("indoor", 5.1e9), ("outdoor", 2.1e9)])
def test_other_carrier_of_the_same_drops(scenario, hz):
    paths = simulator.paths(scenario, 20, seed=9)
    other = paths.at_carrier(hz)
    for name in ("delay", "azimuth", "elevation", "ue_position", "los_factor"):
        np.testing.assert_array_equal(getattr(other, name), getattr(paths, name))
    parameters = load_scenario(scenario)
    n = parameters.paths_per_cluster
    inner = parameters.visibility_radius_m - parameters.transition_length_m
    for drop, path in [(0, 1), (0, -1), (7, 3 * n), (11, 5 * n + 1)]:
        ratio = parameters.carrier_hz / hz
        distance = paths.region_distance[drop, (path - 1) // n if path > 0 else -1]
        for carrier, power in ((hz, 1), (parameters.carrier_hz, -1)):
            width = math.sqrt(3e8 / carrier * parameters.transition_length_m)
            edge = 2 * math.sqrt(2) * (distance - inner) / width
            ratio *= (0.5 - math.atan(edge) / math.pi) ** power
        expected = paths.amplitude[drop, path] * ratio
        assert other.amplitude[drop, path] == pytest.approx(expected, rel=1e-9)
    power = np.abs(other.amplitude) ** 2
    expected = other.los_factor * power[:, 1:].sum(axis=1)
    np.testing.assert_allclose(power[:, 0], expected)
    back = other.at_carrier(parameters.carrier_hz)
    np.testing.assert_array_equal(simulator.taps(back), simulator.taps(paths))


def test_fdd_pair_has_one_array_in_metres():
    paths = simulator.paths("indoor", 3, seed=11)
    downlink, uplink = simulator.fdd_pair(paths, 5.1e9)
    np.testing.assert_array_equal(downlink, simulator.taps(paths))
    metres = 3e8 / 5.3e9 / 2
    at_uplink = paths.at_carrier(5.1e9)
    for drop in range(3):
        frequency = 5.09e9 + np.arange(1024) * 20e6 / 1024
        h = explicit_response(at_uplink, drop, frequency, metres * 5.1e9 / 3e8)
        expected = transforms.truncate(transforms.to_angular_delay(h), 32)
        error = np.linalg.norm(uplink[drop] - expected) / np.linalg.norm(expected)
        assert error < 1e-5
    assert uplink.dtype == np.complex64 and uplink.shape == (3, 32, 32)
    own_array = simulator.taps(at_uplink)  # half a wavelength of the uplink
    assert np.linalg.norm(own_array - uplink) > 0.1 * np.linalg.norm(uplink)


def correlation(a, b):
    """Pearson correlation over the entries of each sample."""
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    return np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_uplink_and_downlink_share_magnitudes_but_not_phases():
    blocks = [simulator.block_paths("indoor", 2100, 0, block) for block in range(20)]
    pairs = [simulator.fdd_pair(paths, 5.1e9) for paths in blocks]
    downlink, uplink = (np.concatenate(side) for side in zip(*pairs, strict=True))
    shared = correlation(np.abs(downlink), np.abs(uplink)).mean()
    shuffled = correlation(np.abs(downlink), np.roll(np.abs(uplink), 1, axis=0)).mean()
    assert 0.78 < shared < 0.83  # 0.804 measured
    assert shuffled < 0.32
    phases = [np.angle(side) for side in (downlink, uplink)]
    assert abs(np.exp(1j * (phases[0] - phases[1])).mean()) < 0.02
    for part in (np.cos, np.sin):
        assert abs(correlation(*(part(phase) for phase in phases)).mean()) < 0.02


def test_local_cluster_has_the_free_space_gain():
    # Indoors without shadowing; 147.56 dB is 20 log10(4 pi / 3e8) to 0.002 dB.
    paths = simulator.paths("indoor", 100, seed=10)
    local = np.sum(np.abs(paths.amplitude[:, 1:4]) ** 2, axis=1)
    distance = np.hypot(*paths.ue_position.T)
    free_space = (3e8 / (4 * np.pi * distance * 5.3e9)) ** 2
    np.testing.assert_allclose(local, free_space, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulator.simulate("attic", 1, 0), "'attic'.*indoor, outdoor"),
        (lambda: simulator.simulate("indoor", 0, 0), "num=0 must be a positive"),
        (lambda: simulator.paths("indoor", 2.5, 0), "num=2.5 must be a positive"),
        (lambda: simulator.block_paths("indoor", 0, -1, 0), "split=-1"),
        (lambda: simulator.paths("indoor", 1, 0).at_carrier(5.3), "carrier 5.3 Hz"),
        (lambda: simulator.fdd_pair(simulator.paths("indoor", 1, 0), 5.1), "5.1 Hz"),
    ],
)
def test_errors_name_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
