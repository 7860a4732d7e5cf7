"""Tracks through the visibility regions: stationarity, geometry, Doppler, seeding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from tfds_builders.cost2100_sim import motion, simulator, visibility
from tfds_builders.cost2100_sim.parameters import load_scenario

SCENARIOS = ("indoor", "outdoor")
LENGTH = {"indoor": 12.0, "outdoor": 180.0}  # m, over four and five radii of a region
BLOCKS = {"indoor": 20, "outdoor": 4}


def of_far_clusters(paths, columns):
    """Columns without those of the line of sight and of the local clusters."""
    scenario = load_scenario(paths.scenario)
    num_local = 1 + scenario.bs_local_cluster
    return columns[:, 1 + num_local * scenario.paths_per_cluster :]


def describe(paths):
    """Statistics of each drop, by name."""
    power = np.abs(paths.amplitude) ** 2
    weight = power / power.sum(axis=1, keepdims=True)
    mean_delay = np.sum(weight * paths.delay, axis=1, keepdims=True)
    variance = np.sum(weight * (paths.delay - mean_delay) ** 2, axis=1)
    far = of_far_clusters(paths, power) > 0
    num_far = far.sum(axis=1)
    bearing = np.arctan2(paths.ue_position[:, 1], paths.ue_position[:, 0])
    turn = np.cos(of_far_clusters(paths, paths.azimuth) - bearing[:, None])
    return {
        "clusters": num_far // load_scenario(paths.scenario).paths_per_cluster,
        "delay_spread": np.sqrt(variance),
        "bearing": np.sum(turn * far, axis=1) / np.maximum(num_far, 1),
        "gain": power.sum(axis=1),
    }


def describe_all(blocks):
    rows = [describe(paths) for paths in blocks]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module", params=SCENARIOS)
def long_tracks(request):
    """Statistics at start, middle and end, along tracks and of drops that rest."""
    scenario, rng = request.param, np.random.default_rng(3)
    tracks = [
        motion.block_track(scenario, 0, 0, block, LENGTH[scenario], [0, 0.5, 1])
        for block in range(BLOCKS[scenario])
    ]
    rows = []
    for along in zip(*tracks, strict=True):
        resting = [simulator.paths_at(scenario, rng, p.ue_position) for p in along]
        rows.append((describe_all(along), describe_all(resting)))
    return rows


@pytest.mark.parametrize("name", ["clusters", "delay_spread", "bearing", "gain"])
@pytest.mark.parametrize("time", [0, 1, 2])
def test_every_snapshot_follows_the_law_of_a_resting_drop(long_tracks, time, name):
    along, resting = long_tracks[time]
    assert stats.ks_2samp(along[name], resting[name]).pvalue > 0.01
    assert along["clusters"].mean() == pytest.approx(
        resting["clusters"].mean(), rel=0.05
    )


def tracks_along_x(scenario, moves, seed, num=400):
    """Regions seen from 400 terminals at `moves` m from the BS, on a straight line."""
    ue = np.zeros((num, len(moves), 2))
    ue[:, :, 0] = moves
    rng = np.random.default_rng(seed)
    return visibility.draw_track_regions(load_scenario(scenario), rng, ue)


def test_clusters_are_lost_and_found_at_the_rate_of_overlapping_discs():
    # Outdoors a cluster has one region: it stays visible over a move of d metres with
    # the share of a disc of radius r that its copy d metres away overlaps.
    moves = np.array([0, 5.0, 20, 40, 70])
    visible = np.isfinite(tracks_along_x("outdoor", moves, seed=1)[2])
    x = np.minimum(moves / (2 * 32.8), 1)
    expected = 2 / np.pi * (np.arccos(x) - x * np.sqrt(1 - x**2))
    first = visible[:, :1]
    kept = (visible & first).sum(axis=0) / first.sum()
    found = (visible & ~first).sum(axis=0) / visible.sum(axis=0)
    np.testing.assert_allclose(kept, expected, atol=0.015)
    np.testing.assert_allclose(found, 1 - expected, atol=0.015)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_distances_from_regions_change_no_faster_than_the_terminal(scenario):
    moves, step = np.linspace(0, LENGTH[scenario], 200, retstep=True)
    drop, centre, distance = tracks_along_x(scenario, moves, seed=2, num=50)
    visible = np.isfinite(distance)
    assert np.all(np.diff(drop) >= 0) and set(drop) == set(range(50))
    assert set(drop[visible[:, 0]]) == set(range(50))  # each sees a cluster at first
    both, born = visible[:, 1:] & visible[:, :-1], visible[:, 1:] & ~visible[:, :-1]
    change = np.diff(np.where(visible, distance, 0), axis=1)[both]
    assert np.abs(change).max() <= step * (1 + 1e-9)
    radius = load_scenario(scenario).visibility_radius_m
    entered = distance[:, 1:][born]
    assert born.sum() > 100 and radius - step <= entered.min() < entered.max() < radius
    if scenario == "outdoor":  # the only region of a cluster is its reference
        ue = np.stack([moves, 0 * moves], axis=1)
        expected = np.hypot(*(centre[:, None] - ue).T).T
        np.testing.assert_allclose(distance[visible], expected[visible])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_delays_are_those_of_fixed_scatterers_and_a_moving_terminal(scenario):
    # (c tau - K)^2 = |scatterer - UE|^2 is v^2 t^2 + b t + const for every path, K the
    # way before the scatterer: linear in (K, b, const) once c^2 tau^2 - v^2 t^2 is
    # moved to one side. Line of sight and the UE's own cluster included.
    speed, times = LENGTH[scenario] / 2, np.linspace(0, 2, 9)
    track = motion.block_track(scenario, 2, 1, 0, speed, times)
    n = load_scenario(scenario).paths_per_cluster
    used = np.arange(track[0].delay.shape[1]) < track[0].num_paths[:, None]
    used[3:] = False  # three drops will do
    length = np.stack([3e8 * paths.delay[used] for paths in track], axis=1)
    known = length**2 - (speed * times) ** 2
    errors, before = [], []
    for path, target in zip(length, known, strict=True):
        columns = np.stack([2 * path, times, np.ones_like(times)], axis=1)
        fit = np.linalg.lstsq(columns / path.max(), target / path.max(), rcond=None)[0]
        errors.append(np.abs(columns @ fit - target).max() / target.max())
        before.append(fit[0])
    assert max(errors) < 1e-9
    column = np.broadcast_to(np.arange(used.shape[1]), used.shape)[used]
    np.testing.assert_allclose(np.array(before)[column == 0], 0, atol=1e-3)
    for later in track[1:]:
        for name in ("azimuth", "elevation"):
            fixed = (getattr(paths, name)[:, 1 + n :] for paths in (later, track[0]))
            np.testing.assert_array_equal(*fixed)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_local_cluster_moves_along_and_keeps_its_shape(scenario):
    track = motion.block_track(scenario, 3, 0, 0, 1.0, [0, 1, 5])
    local, offsets = np.s_[:, 1 : 1 + load_scenario(scenario).paths_per_cluster], []
    for paths in track:
        azimuth, elevation = paths.azimuth[local], paths.elevation[local]
        length = 3e8 * paths.delay[local]
        unit = np.stack([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)])
        unit *= np.cos(elevation)
        ue = np.column_stack([paths.ue_position, np.zeros(100)]).T[:, :, None]
        # A point q with |q| + |q - ue| = length, q along unit.
        along = (length**2 - np.sum(ue**2, axis=0)) / (
            2 * (length - np.sum(unit * ue, axis=0))
        )
        offsets.append(along * unit - ue)
    for offset in offsets[1:]:
        np.testing.assert_allclose(offset, offsets[0], atol=1e-6)


def test_line_of_sight_turns_with_the_speed_towards_the_station():
    speed, time = 0.9, 0.36
    track = motion.block_track("outdoor", 4, 0, 0, speed, [0, time])
    alone = [
        dataclasses.replace(p, amplitude=np.eye(1, p.delay.shape[1]) * p.amplitude)
        for p in track
    ]
    before, after = motion.sequence_taps(alone).swapaxes(0, 1)
    turn = np.angle(np.sum(after * before.conj(), axis=(1, 2)))
    start, end = (p.ue_position for p in track)
    away = np.sum((end - start) * start, axis=1) / (speed * time)
    cosine = -away / np.hypot(*start.T)  # of the angle between velocity and the BS
    middle_hz = 300e6 - 20e6 / 1024 / 2  # of the subcarriers
    expected = 2 * np.pi * speed * time * cosine * middle_hz / 3e8
    sine = [np.sin(p.azimuth[:, 0]) for p in track]
    expected -= 15.5 * np.pi * (sine[1] - sine[0])  # of the array, from its first end
    distant = np.hypot(*start.T) > 30
    error = np.angle(np.exp(1j * (turn - expected)))[distant]
    assert distant.sum() > 80 and np.ptp(cosine) > 1.9
    assert np.abs(error).max() < 0.02


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_terminal_that_rests_has_one_channel(scenario):
    track = motion.block_track(scenario, 5, 0, 0, 0.0, [0, 0.04, 7])
    h = motion.sequence_taps(track)
    assert h.dtype == np.complex64 and h.shape == (100, 3, 32, 32)
    for snapshot in h.swapaxes(0, 1):
        np.testing.assert_array_equal(snapshot, simulator.taps(track[0]))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_channels_are_continuous_and_forget_with_distance(scenario):
    wavelength = 3e8 / load_scenario(scenario).carrier_hz
    moves = wavelength * np.array([0, 1e-3, 1e-2, 0.1, 1, 10, 100])
    h = motion.sequence_taps(motion.block_track(scenario, 6, 0, 0, 1.0, moves))
    inner = np.abs(np.sum(h.conj() * h[:, :1], axis=(2, 3)))
    norm = np.linalg.norm(h, axis=(2, 3))
    similarity = (inner / norm / norm[:, :1]).mean(axis=0)
    assert similarity[1] > 0.9999 and similarity[2] > 0.999 > similarity[3]
    assert np.all(np.diff(similarity) < 1e-5) and similarity[-1] < 0.6


def test_clusters_out_of_sight_stay_so_at_another_carrier():
    track = motion.block_track("indoor", 8, 0, 0, 3.0, [0, 1])
    for paths in track:
        other = paths.at_carrier(5.1e9)
        np.testing.assert_array_equal(other.amplitude == 0, paths.amplitude == 0)
    assert np.any((track[0].amplitude == 0) != (track[1].amplitude == 0))


def test_clusters_weaken_as_their_delay_beyond_the_line_of_sight_grows():
    track = motion.block_track("indoor", 8, 0, 0, 5.0, [0, 1])
    used = np.arange(2, 9) < track[0].num_paths[:, None] // 3  # without both local ones
    power, excess = [], []
    for paths in track:
        energy = np.abs(paths.cluster_amplitude.reshape(100, -1, 3)) ** 2
        power.append(energy.sum(axis=2)[:, 2:9][used])
        delay = (paths.delay[:, 1:] - paths.delay[:, :1]).reshape(100, -1, 3)
        excess.append(delay.mean(axis=2)[:, 2:9][used])
    decay = -np.diff(np.log(power), axis=0)
    np.testing.assert_allclose(decay, 16e6 * np.diff(excess, axis=0), atol=0.05)
    assert np.ptp(decay) > 0.5


def test_tracks_are_seeded_apart_from_each_other_and_from_drops():
    first = motion.block_track("indoor", 9, 1, 2, 1.0, [0, 1])
    again = motion.block_track("indoor", 9, 1, 2, 1.0, [0, 1])
    np.testing.assert_array_equal(first[1].amplitude, again[1].amplitude)
    keys = [(9, 1, 2), (8, 1, 2), (9, 0, 2), (9, 1, 1), (1, 9, 2)]
    tracks = [motion.block_track("indoor", *key, 1.0, [0])[0] for key in keys]
    drops = [simulator.block_paths("indoor", *key) for key in keys]
    starts = {p.ue_position[0, 0] for p in tracks + drops}
    assert len(starts) == 2 * len(keys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("indoor", 0, 0, -1, 1.0, [0]), "block=-1"),
        (("indoor", 0, 0, 0, -1.0, [0]), "speed=-1.0 must be 0 or more"),
        (("indoor", 0, 0, 0, 1.0, []), r"times=\[\] must be a list of one or more"),
        (("indoor", 0, 0, 0, 1.0, [0, float("inf")]), "inf.*must be a list"),
        (("indoor", 0, 0, 0, 20.0, [0, 1]), "tracks of 20 m leave.*room for 13.1 m"),
    ],
)
def test_errors_name_the_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        motion.block_track(*arguments)
