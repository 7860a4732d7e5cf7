"""Statistics of CSI against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders import statistics, synthesis

BANDWIDTH_HZ = 20e6
BAND = synthesis.Band(5.29e9, BANDWIDTH_HZ)


def entries(*amplitudes):
    """One sample `[1, 32, 32]` with (beam, tap, amplitude) and nothing else."""
    h = np.zeros((1, 32, 32), np.complex64)
    for beam, tap, amplitude in amplitudes:
        h[0, beam, tap] = amplitude
    return h


def white(num, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((num, 32, 32)) + 1j * rng.standard_normal((num, 32, 32))


def test_path_on_the_grid_has_no_spread():
    beam, tap = 20, 5
    path = np.array([[(16 - beam) / 16]]), np.array([[tap / BANDWIDTH_HZ]])
    h = synthesis.ula_taps(*path, np.array([[3 - 4j]]), BAND)
    assert statistics.energy(h)[0] == pytest.approx(25 * 32 * 1024, rel=1e-5)
    assert np.abs(h[0]).argmax() == beam * 32 + tap
    assert statistics.delay_profile(h)[0] == pytest.approx(np.eye(32)[tap], abs=1e-9)
    assert statistics.angular_profile(h)[0] == pytest.approx(np.eye(32)[beam], abs=1e-9)
    assert statistics.delay_spread(h, BANDWIDTH_HZ) < 0.001 / BANDWIDTH_HZ
    assert statistics.angular_spread(h) < 0.001
    assert statistics.strongest_share(h, (1,)) == pytest.approx(1)
    assert statistics.peak_to_rest_db(entries((beam, tap, 1j))) == np.inf


@pytest.mark.parametrize("distance", [1, 2, 9, 31])
@pytest.mark.parametrize("share", [0.5, 0.2])
def test_delay_spread_of_two_taps(distance, share):
    h = entries((3, 0, np.sqrt(share)), (7, distance, 1j * np.sqrt(1 - share)))
    expected = np.sqrt(share * (1 - share)) * distance / BANDWIDTH_HZ
    assert statistics.delay_spread(h, BANDWIDTH_HZ) == pytest.approx(expected)


@pytest.mark.parametrize("first", [0, 12, 30])  # the last crosses the end of the ring
@pytest.mark.parametrize("distance", [1, 2, 7])
def test_angular_spread_of_two_beams(first, distance):
    h = entries((first, 0, 2), ((first + distance) % 32, 9, -2j))
    length = np.cos(np.pi * distance / 32)
    expected = 32 / (2 * np.pi) * np.sqrt(-2 * np.log(length))
    assert statistics.angular_spread(h) == pytest.approx(expected)
    assert expected == pytest.approx(distance / 2, rel=0.1)  # as on a line while small


def test_white_noise_is_flat():
    h = white(2000)
    for profile in (statistics.delay_profile(h), statistics.angular_profile(h)):
        np.testing.assert_allclose(profile.sum(axis=1), 1)
        np.testing.assert_allclose(profile.mean(axis=0), 1 / 32, rtol=0.02)
    taps = statistics.delay_spread(h, 1.0)
    assert taps.mean() == pytest.approx(np.sqrt((32**2 - 1) / 12), rel=0.01)
    counts = np.array(statistics.STRONGEST)
    share = counts / 1024 * (1 + np.log(1024 / counts))  # of exponential powers
    mean = statistics.strongest_share(h).mean(axis=0)
    np.testing.assert_allclose(mean, share, rtol=0.01)


def test_scale_and_closed_forms_of_energy():
    h = entries((1, 1, 2), (2, 2, 1j), (3, 3, -1))
    assert statistics.peak_to_rest_db(h) == pytest.approx(10 * np.log10(4 / 2))
    np.testing.assert_allclose(
        statistics.strongest_share(h, (1, 2, 3)), [[4, 5, 6] / np.float64(6)]
    )
    small, large = (statistics.describe(a * white(5), 1e6) for a in (1, 10))
    for name in small:
        np.testing.assert_allclose(large[name], small[name] + 20 * ("energy [" in name))


def test_pair_correlations():
    a, b = white(300), white(300, seed=1)
    expected = [
        np.corrcoef(abs(x.ravel()), abs(y.ravel()))[0, 1]
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(statistics.magnitude_correlation(a, b), expected)
    turned = a * np.exp(1j * np.random.default_rng(2).uniform(0, 6, (300, 1, 1)))
    pairs = statistics.pairs(a, 3 * turned)
    np.testing.assert_allclose(list(pairs.values()), 1)
    assert statistics.phase_correlation(a, np.abs(a)).mean() < 0.1
    mixed = np.abs(a) * np.exp(1j * np.angle(b))  # only magnitudes in common
    assert statistics.magnitude_correlation(a, mixed) == pytest.approx(1)
    assert statistics.phase_correlation(a, mixed).max() < 0.2


def test_time_correlation_of_a_turning_vector():
    first, other = entries((3, 4, 2)), entries((5, 6, 2j))
    angles = np.array([0, 0.3, 1.0, np.pi / 2, np.pi])
    h = np.cos(angles)[:, None, None] * first + np.sin(angles)[:, None, None] * other
    correlation = statistics.time_correlation(h[None].astype(np.complex64))
    np.testing.assert_allclose(correlation[0], np.abs(np.cos(angles)), atol=1e-6)


@pytest.mark.parametrize(
    ("h", "words"),
    [
        (np.stack([*entries((0, 0, 1)), *entries()]), "1 of 2 .* all zero.* index 1"),
        (np.full((3, 32, 32), np.nan + 0j), "3 of 3 samples hold NaN"),
        (np.ones((32, 32), complex), r"\[n, N_t, N_a\], got complex128 \(32, 32\)"),
        (np.ones((0, 32, 32), complex), "non-empty"),
    ],
)
def test_channels_without_statistics_are_refused(h, words):
    for statistic in (statistics.energy, statistics.angular_spread):
        with pytest.raises(ValueError, match=words):
            statistic(h)
