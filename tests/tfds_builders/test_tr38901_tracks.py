"""UEs on a track among fixed scatterers, against geometry worked out ray by ray."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfds_builders import blocks
from tfds_builders.tr38901 import presets, simulator, tracks
from tfds_builders.tr38901 import tr38901_dataset_builder as dataset
from tfds_builders.tr38901.arrays import panel
from tfds_builders.tr38901.drops import Track
from tfds_builders.tr38901.large_scale import SPEED_OF_LIGHT
from tfds_builders.tr38901.parameters import load_scenario

PRESETS = [f"lora_{name}_nlos_track" for name in ("rma", "uma", "umi")]
TRAIN, VALIDATION, TEST = blocks.SPLITS.values()
STRETCH, OTHERS = blocks.TRACK_TESTS.values()
SEED = 5
GOLDEN = [
    (-18.7545948 - 5.1827803j, -11.1901350 - 22.7641201j, 3.8452277 - 2.7964222j),
    (2.3326993 - 15.9685040j, 1.2978013 - 3.9215012j, -3.9041796 + 2.8848622j),
    (3.8060849 - 10.1522818j, -0.4349281 + 12.9842901j, -4.8970547 - 0.4787516j),
]


def setting_of(name: str):
    return presets.load_preset(name).setting


def track_of(name: str):
    return tracks.draw_track(setting_of(name), (SEED, 0, 0, 7))


def brute_force(middle, offset, count):
    """Response `[N_t, count]` at one position: path by path, element by element."""
    setting, rays = middle.setting, middle.rays
    bs_centre = np.array([0, 0, setting.cell.bs_height])
    ue = middle.geometry.ue_position[0] + offset * middle.heading[0]
    first, last = middle.scatterers.first[0] + bs_centre, middle.scatterers.last[0]
    last = last + bs_centre
    on = np.linalg.norm(last - first, axis=-1) + np.linalg.norm(ue - last, axis=-1)
    used = np.flatnonzero(rays.power[0])
    centre = np.linalg.norm(first - bs_centre, axis=-1) + on
    arrived = centre[used].min() / SPEED_OF_LIGHT
    rng = blocks.generator(*middle.seed, 1, round(setting.carrier_hz))
    shape = blocks.BLOCK, rays.power.shape[1], 2, 2
    phases = rng.uniform(-np.pi, np.pi, shape)[0]
    band = (np.arange(count) / count - 0.5) * setting.bandwidth_hz
    result = np.zeros((len(setting.bs), count), complex)
    for element, r in np.ndindex(len(setting.bs), rays.power.shape[1]):
        if r not in used:
            continue
        cross = np.sqrt(1 / rays.xpr[0, r])
        slant = setting.bs.slant[element]
        field = np.exp(1j * phases[r, 0]) @ np.array(  # the UE sees theta alone
            [np.cos(slant), cross * np.sin(slant)]
        )
        place = bs_centre + setting.bs.position[element]
        delay = (np.linalg.norm(first[r] - place) + on[r]) / SPEED_OF_LIGHT
        turns = setting.carrier_hz * delay + band * (delay - arrived)
        gain = np.sqrt(rays.power[0, r]) * field
        result[element] += gain * np.exp(-2j * np.pi * turns)
    return result


@pytest.mark.parametrize("name", PRESETS)
def test_responses_along_a_track_follow_the_geometry(name):
    middle, offsets = track_of(name), np.array([-10.0, 0.37, 14.0])
    got = simulator.port_frequency(tracks.along(middle, offsets), 16, 16)[:, 0]
    for response, offset in zip(got, offsets, strict=True):
        expected = brute_force(middle, offset, 16)
        error = np.abs(response - expected).max() / np.abs(expected).max()
        assert error < 3e-4


@pytest.mark.parametrize("name", PRESETS)
def test_delays_and_angles_are_those_of_the_scatterers(name):
    middle, offsets = track_of(name), np.linspace(-10, 15, 6)
    drops = tracks.along(middle, offsets)
    np.testing.assert_allclose(
        drops.geometry.ue_position - middle.geometry.ue_position,
        offsets[:, None] * [0, 1, 0],
        atol=1e-12,
    )
    assert (drops.rays.delay >= 0).all()
    used = drops.rays.power > 0
    assert (np.where(used, drops.rays.delay, 1).min(axis=1) == 0).all()
    to_ue = drops.geometry.to_ue[:, None]
    # Follow a ray backwards from each position: all meet at its last scatterer.
    distance = np.linalg.norm(drops.scatterers.last - to_ue, axis=-1, keepdims=True)
    meeting = to_ue + distance * drops.rays.arrival()
    np.testing.assert_allclose(meeting - meeting[:1], 0, atol=1e-6)
    # No ray's length changes by more than the UE's way.
    way = np.abs(np.diff(offsets))[:, None]
    assert (np.abs(np.diff(drops.length, axis=0)) <= way + 1e-9).all()


def test_the_middle_has_the_drawn_delays_and_an_excess():
    middle = track_of("lora_uma_nlos_track")
    here = tracks.along(middle, np.zeros(1))
    legs = SPEED_OF_LIGHT * middle.rays.delay + middle.geometry.distance[:, None]
    placed = np.linalg.norm(middle.scatterers.first, axis=-1) > 1.001
    placed &= (
        np.linalg.norm(middle.scatterers.last - middle.geometry.to_ue[:, None], axis=-1)
        > 1.001
    )
    assert placed.mean() > 0.9
    np.testing.assert_allclose(here.length[placed], legs[placed], rtol=1e-9)
    excess = [
        tracks.draw_track(middle.setting, (seed, 0, 0, 7)).rays.delay.min()
        for seed in range(200)
    ]
    mean, std = tracks.EXCESS["uma_nlos"]
    assert np.log10(excess).mean() == pytest.approx(mean, abs=0.05)
    assert np.log10(excess).std() == pytest.approx(std, abs=0.03)


def similarity(h, other) -> float:
    inner = np.abs(np.sum(h * np.conj(other), axis=(1, 2)))
    norms = np.linalg.norm(h, axis=(1, 2)) * np.linalg.norm(other, axis=(1, 2))
    return float(np.mean(inner / norms))


@pytest.mark.parametrize("name", PRESETS)
def test_neighbours_are_alike_and_metres_apart_they_are_not(name):
    middle, start = track_of(name), np.linspace(-9, 8, 60)
    steps = (0, 0.002, 0.01, 2.0)  # m, of a wavelength of 0.086 m
    h = [
        simulator.port_taps(tracks.along(middle, start + step))[:, 0] for step in steps
    ]
    values = [similarity(h[0], other) for other in h]
    assert values[0] == pytest.approx(1, abs=1e-6)
    assert values[1] > 0.98 and values[2] > 0.8
    assert values[3] < 0.6 and values[3] < values[2]


@pytest.mark.parametrize("name", PRESETS[:1])
def test_splits_are_disjoint_parts_of_one_track_and_other_tracks(name):
    setting, found = setting_of(name), {}
    for split in (TRAIN, VALIDATION, TEST, blocks.STREAM_SPLIT, STRETCH, OTHERS):
        found[split] = [simulator.block_drops(setting, SEED, split, b) for b in (0, 1)]
    first = found[TRAIN][0]
    middle = tracks.draw_track(setting, (SEED, 0, 0, tracks._TRACK))
    offsets = {}
    for split, pair in found.items():
        same = all(
            np.array_equal(x.scatterers.last[0], first.scatterers.last[0]) for x in pair
        )
        assert same == (split != OTHERS)
        y = np.concatenate([x.geometry.ue_position[:, 1] for x in pair])
        offsets[split] = y - middle.geometry.ue_position[0, 1]
    inside = np.concatenate([v for k, v in offsets.items() if k < STRETCH])
    assert len(np.unique(inside)) == 800 and np.abs(inside).max() <= 10
    assert np.ptp(inside) > 19.5
    assert offsets[STRETCH].min() >= 10 and 14.5 < offsets[STRETCH].max() <= 15
    others = [x.scatterers.last[0] for x in found[OTHERS]]
    assert not np.isin(others[0], others[1]).any()
    assert np.ptp(found[OTHERS][0].geometry.ue_position[:, 1]) <= 20


def test_every_carrier_and_time_keeps_the_track():
    setting = setting_of(PRESETS[2])
    cell = dataclasses.replace(setting.cell, speed=5 / 3)
    moving = dataclasses.replace(setting, cell=cell)
    middle = tracks.draw_track(moving, (SEED, 0, 0, 7))
    here, there = (tracks.along(middle, np.array([x])) for x in (1.0, 1.0 + 0.05 / 3))
    later = simulator.port_frequency(here, 8, 8, time_s=0.01)
    arrived = simulator.port_frequency(there, 8, 8)
    # The same rays; the timing is that of the drop or of the new place.
    assert similarity(later[:, 0, :, :1], arrived[:, 0, :, :1]) > 1 - 1e-6


def test_independent_drops_are_what_they_were():
    """First port and tap of three drops of each preset, of before there were tracks."""
    expected = {
        "lora_rma_nlos": GOLDEN[0],
        "dualnet_umi_nlos_fdd": GOLDEN[1],
        "cllw_uma_nlos_28ghz": GOLDEN[2],
    }
    for name, values in expected.items():
        drops = simulator.block_drops(setting_of(name), 38901, 2, 1)
        taps = simulator.port_taps(drops.rows(slice(0, 3)), (0,))[:, 0, 0, 0]
        np.testing.assert_allclose(taps, values, atol=1e-6)


def test_speed_and_tracks_that_would_change_nothing_are_refused(monkeypatch):
    setting = setting_of("lora_rma_nlos")
    drops = simulator.block_drops(setting, 0, 0, 0)
    with pytest.raises(ValueError, match="time_s=0.5 changes nothing at speed=0"):
        simulator.port_taps(drops, (0,), time_s=0.5)
    values = presets._read()
    values["lora_rma_nlos"]["cell"]["speed"] = 1.7
    monkeypatch.setattr(presets, "_read", lambda: values)
    with pytest.raises(ValueError, match="speed=1.7 changes none of its drops"):
        presets.load_preset.__wrapped__("lora_rma_nlos")
    cell = dataclasses.replace(setting.cell, track=Track(20, 5))
    los = load_scenario("rma_los")
    for changes in ({"waves": "plane"}, {"scenario": los}):
        with pytest.raises(ValueError, match="a track in rma_"):
            dataclasses.replace(setting, cell=cell, **changes)


def test_data_sets_of_tracks_have_three_tests():
    configs = {c.name: c for c in dataset.Builder.BUILDER_CONFIGS}
    for name in PRESETS:
        assert blocks.splits_of(configs[name])["test_tracks"] == OTHERS
        assert configs[name].sizes == (40_000, 5_000, 10_000)
    assert blocks.splits_of(configs["lora_rma_nlos"]) == blocks.SPLITS
    small = presets.load_preset("lora_umi_nlos_track_small")
    assert small.taps == (0, 1, 2, 3) and small.setting.cell.track == Track(20, 5)
    assert len(panel(4, 4, 1.0, True)) == len(small.setting.bs)


def test_a_tiny_data_set_of_a_track(tmp_path):
    name = "lora_rma_nlos_track_small_tiny"
    builder = dataset.Builder(config=name, data_dir=tmp_path)
    builder.download_and_prepare()
    sizes = {key: info.num_examples for key, info in builder.info.splits.items()}
    assert sizes == {"train": 400} | dict.fromkeys(
        ("validation", "test", "test_stretch", "test_tracks"), 100
    )
    assert builder.info.metadata["track_m"] == {"segment": 20, "stretch": 5}
    for split in ("test", *blocks.TRACK_TESTS):
        example = next(iter(builder.as_dataset(split=split).as_numpy_iterator()))
        assert example["csi"].shape == (32, 4, 2)
        assert example["csi_freq"].shape == (32, 125, 2)
