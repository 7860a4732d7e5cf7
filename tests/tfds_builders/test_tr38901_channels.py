"""TR 38.901 step 11: coefficients, taps, motion, pairs of carriers and presets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.tfds_builders.test_tr38901_rays import make_setting
from tfds_builders import array_synthesis, transforms
from tfds_builders.synthesis import Band
from tfds_builders.tr38901 import coefficients, presets, simulator
from tfds_builders.tr38901.arrays import panel
from tfds_builders.tr38901.large_scale import SPEED_OF_LIGHT

CARRIER = 7e9
WAVES = ("plane", "spherical", "spherical_single_bounce")


def one_block(scenario="umi_los", waves="spherical", **changes):
    cell = changes.pop("cell", {})
    spacing = SPEED_OF_LIGHT / CARRIER / 2
    arrays = {
        "bs": panel(4, 2, spacing, True, "tr38901"),
        "ue": panel(2, 1, spacing, True),
    }
    setting = make_setting(scenario, **cell)
    setting = dataclasses.replace(setting, waves=waves, **(arrays | changes))
    return simulator.block_drops(setting, 3, 0, 0).rows(slice(0, 6))


def brute_force_frequency(drops, num_subcarriers, time_s=0.0):
    """`[drops, N_r, N_t, N_c]` ray by ray and element by element, eq. 7.5-22."""
    setting, rays = drops.setting, drops.rays
    frequency = (np.arange(num_subcarriers) / num_subcarriers - 0.5) * (
        setting.bandwidth_hz
    )
    moved = drops.velocity * time_s
    link = coefficients.Link(CARRIER, setting.bs, setting.ue, moved)
    points = coefficients.place_scatterers(rays, drops.geometry, setting.waves)
    phases = drops.phases(CARRIER)[: len(rays.delay)]
    result = np.zeros(
        (len(phases), len(setting.ue), len(setting.bs), num_subcarriers), complex
    )
    vertical = np.array([0, 0, setting.cell.bs_height])
    for d, r in np.ndindex(rays.delay.shape):
        if rays.power[d, r] == 0:
            continue
        cross = np.sqrt(1 / rays.xpr[d, r])
        matrix = np.exp(1j * phases[d, r]) * np.array([[1, cross], [cross, 1]])
        ue_centre = drops.geometry.ue_position[d] + moved[d]
        for u, s in np.ndindex(len(setting.ue), len(setting.bs)):
            bs = setting.bs.position[s]
            ue = setting.ue.position[u]
            if setting.waves == "plane":
                out = rays.departure()[d, r]
                back = rays.arrival()[d, r]
                length = -(out @ bs) - back @ (ue + moved[d])
                late = 0.0
                angles = rays.aod[d, r], rays.zod[d, r]
            else:
                first, last = points.first[d, r], points.last[d, r]
                place = ue_centre + ue - vertical
                if rays.has_los and r == 0:
                    length = np.linalg.norm(place - bs) - drops.geometry.distance[d]
                else:
                    centre = drops.geometry.to_ue[d]
                    length = np.linalg.norm(first - bs) - np.linalg.norm(first)
                    length += np.linalg.norm(last - place)
                    length -= np.linalg.norm(last - centre)
                late = length / SPEED_OF_LIGHT
                x, y, z = first - bs
                angles = np.arctan2(y, x), np.arccos(z / np.linalg.norm(first - bs))
            field = [
                np.array([np.cos(a.slant[i]), np.sin(a.slant[i])])
                for a, i in ((setting.ue, u), (setting.bs, s))
            ]
            gain = field[0] @ matrix @ field[1] * np.sqrt(rays.power[d, r])
            gain = gain * link.bs.amplitude(*angles)
            gain = gain * np.exp(-2j * np.pi * length * CARRIER / SPEED_OF_LIGHT)
            delay = rays.delay[d, r] + late
            result[d, u, s] += gain * np.exp(-2j * np.pi * frequency * delay)
    return result


@pytest.mark.parametrize("waves", WAVES)
def test_taps_and_frequencies_are_those_of_the_sum_over_rays(waves):
    drops = one_block("rma_los", waves, cell={"speed": 5.0}).rows(slice(0, 1))
    count, time_s = 1024, 0.05
    expected = brute_force_frequency(drops, count, time_s)
    scale = np.abs(expected).max()
    frequency = simulator.port_frequency(drops, count, count, time_s=time_s)
    np.testing.assert_allclose(frequency, expected, atol=2e-4 * scale)
    h = np.moveaxis(expected[:, 0], 1, 2)  # [drops, N_c, N_t]
    h_a = transforms.to_angular_delay(h)
    taps = (*range(20), *range(count - 12, count))
    got = simulator.angular_taps(simulator.port_taps(drops, taps, time_s=time_s)[:, 0])
    reference = transforms.truncate(h_a, 20, 12)
    np.testing.assert_allclose(got, reference, atol=2e-4 * np.abs(reference).max())


def test_path_lengths_over_the_scatterers_are_those_of_the_delays():
    drops = one_block("umi_nlos")
    rays, to_ue = drops.rays, drops.geometry.to_ue[:, None]
    length = SPEED_OF_LIGHT * rays.delay + drops.geometry.distance[:, None]
    for waves in WAVES[1:]:
        points = coefficients.place_scatterers(rays, drops.geometry, waves)
        hops = points.first, points.last - points.first, to_ue - points.last
        legs = [np.linalg.norm(hop, axis=-1) for hop in hops]
        shortest = coefficients.MIN_SCATTERER_M
        free = legs[2] > shortest * 1.001
        if waves == "spherical":
            free &= legs[0] > shortest * 1.001
        assert free.mean() > 0.7
        np.testing.assert_allclose(sum(legs)[free], length[free], rtol=1e-9)
        assert legs[2].min() >= shortest * (1 - 1e-9)
        arrival = -hops[2] / legs[2][..., None]
        np.testing.assert_allclose(arrival, rays.arrival(), atol=1e-7)
        if waves == "spherical":
            departure = hops[0] / legs[0][..., None]
            np.testing.assert_allclose(departure, rays.departure(), atol=1e-7)
        else:
            np.testing.assert_array_equal(points.first, points.last)


def test_spherical_waves_become_plane_ones_with_distance():
    drops = one_block("umi_nlos")
    rays, setting = drops.rays, drops.setting
    link = coefficients.Link(CARRIER, setting.bs, setting.ue, 0 * drops.velocity)
    turns, _ = coefficients.plane_waves(rays, link)
    errors = []
    for reach in (1e3, 1e4, 1e5):
        to_ue = drops.geometry.to_ue[:, None]
        points = coefficients.Scatterers(
            reach * rays.departure(), to_ue + reach * rays.arrival()
        )
        excess, _ = coefficients.spherical_waves(rays, points, drops.geometry, link)
        errors.append(np.abs(-CARRIER * excess - turns).max())
    # |f - s| = f - s cos + (s sin)^2 / 2f + ...
    radius = setting.bs.radius**2 + setting.ue.radius**2
    assert errors[0] < radius / (2 * 1e3) * CARRIER / SPEED_OF_LIGHT * 1.01
    np.testing.assert_allclose(errors[0] / errors[1], 10, rtol=0.02)
    np.testing.assert_allclose(errors[1] / errors[2], 10, rtol=0.05)


def test_moving_turns_the_phase_of_the_line_of_sight():
    for waves in ("plane", "spherical"):
        drops = one_block("rma_los", waves, cell={"speed": 10.0})
        time_s = 0.002
        moved = drops.velocity * time_s
        turns = []
        for move in (0 * moved, moved):
            bs, ue = drops.setting.bs, drops.setting.ue
            link = coefficients.Link(CARRIER, bs, ue, move)
            if waves == "plane":
                turns.append(coefficients.plane_waves(drops.rays, link)[0])
                continue
            points = coefficients.place_scatterers(drops.rays, drops.geometry, waves)
            excess, _ = coefficients.spherical_waves(
                drops.rays, points, drops.geometry, link
            )
            turns.append(-CARRIER * excess)
        direction = drops.geometry.to_ue / drops.geometry.distance[:, None]
        doppler_hz = -np.sum(direction * drops.velocity, axis=1)
        doppler_hz *= CARRIER / SPEED_OF_LIGHT
        drift = (turns[1] - turns[0])[:, 0].mean(axis=(1, 2))
        np.testing.assert_allclose(drift, doppler_hz * time_s, atol=1e-3)
        assert np.abs(doppler_hz).max() > 20


def test_correlation_over_time_falls_from_one():
    setting = presets.load_preset("lora_umi_nlos").setting
    cell = dataclasses.replace(setting.cell, speed=6 / 3.6)
    setting = dataclasses.replace(setting, cell=cell)
    drops = simulator.block_drops(setting, 0, 0, 0)
    h = [simulator.port_taps(drops, time_s=t)[:, 0] for t in (0, 0.0005, 0.005, 0.5)]

    def similarity(a, b):
        inner = np.abs(np.sum(a * np.conj(b), axis=(1, 2)))
        norms = [np.sqrt(np.sum(np.abs(x) ** 2, axis=(1, 2))) for x in (a, b)]
        return np.mean(inner / norms[0] / norms[1])

    values = [similarity(h[0], other) for other in h]
    assert values[0] == pytest.approx(1, abs=1e-6) and values[1] > 0.998
    assert 0.90 < values[2] < 0.99 and 0.2 < values[3] < 0.55


def test_panel_order_positions_and_element_pattern():
    array = panel(3, 2, 0.1, cross_polarised=True, pattern="tr38901")
    assert len(array) == 12
    np.testing.assert_allclose(np.degrees(array.slant), [-45] * 6 + [45] * 6)
    np.testing.assert_allclose(array.position[:2, 2], [-0.05, 0.05])  # rows fastest
    np.testing.assert_allclose(array.position[[0, 2, 4], 1], [-0.1, 0, 0.1])
    np.testing.assert_array_equal(array.position[:6], array.position[6:])
    half, pole = np.radians(32.5), np.pi / 2
    azimuth = np.array([0, half, 0, np.pi, 2 * np.pi])
    zenith = np.array([pole, pole, pole + half, pole, pole])
    gain_db = 20 * np.log10(array.amplitude(azimuth, zenith))
    np.testing.assert_allclose(gain_db, [8, 5, 5, -22, 8], atol=1e-9)


def test_more_nodes_where_the_excess_is_larger():
    counts = [len(array_synthesis.chebyshev_nodes(edge)) for edge in (0.01, 0.2, 2.0)]
    assert counts[0] <= 2 < counts[1] < counts[2] <= 12
    with pytest.raises(ValueError, match="30.0 taps"):
        array_synthesis.chebyshev_nodes(30 * np.pi)
    rng = np.random.default_rng(0)
    shape, band, bound = (2, 5, 3), Band(-10e6, 20e6, 64), 40e-9
    excess = rng.uniform(-bound, bound, shape)
    delay = rng.uniform(0, 1e-6, shape[:2])
    response = rng.standard_normal(shape).astype(np.complex64)
    got = array_synthesis.array_frequency(delay, response, band, 64, excess, bound)
    f = band.first_hz + band.spacing_hz * np.arange(64)
    late = (delay[..., None] + excess)[..., None]
    expected = np.sum(response[..., None] * np.exp(-2j * np.pi * f * late), axis=1)
    np.testing.assert_allclose(got, expected, atol=1e-4)
    taps = array_synthesis.array_taps(
        delay, response, band, tuple(range(64)), excess, bound
    )
    inverse = np.fft.ifft(expected, axis=-1, norm="ortho")
    np.testing.assert_allclose(taps, inverse, atol=1e-4)


def test_wrong_settings():
    with pytest.raises(ValueError, match="waves='flat'"):
        one_block(waves="flat")
    with pytest.raises(ValueError, match="pattern 'dipole'"):
        panel(2, 2, 0.1, pattern="dipole")
    with pytest.raises(ValueError, match="0 x 2"):
        panel(0, 2, 0.1)
