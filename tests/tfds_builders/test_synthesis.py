"""Closed-form taps against the frequency response of every subcarrier and antenna."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders import synthesis, transforms

NUM_SUBCARRIERS = 1024
BAND = synthesis.Band(5.29e9, 20e6, NUM_SUBCARRIERS)


def brute_force(sine, delay, amplitude, band, num_antennas=32):
    """H [drops, N_c, N_t] as a plain sum over paths."""
    n = np.arange(band.num_subcarriers)
    frequency = band.first_hz + n * band.bandwidth_hz / band.num_subcarriers
    antenna = np.arange(num_antennas)
    h = np.zeros((len(sine), len(n), num_antennas), complex)
    for drop in range(len(sine)):
        for s, t, a in zip(sine[drop], delay[drop], amplitude[drop], strict=True):
            ramp = np.exp(-2j * np.pi * frequency * t)
            h[drop] += a * np.outer(ramp, np.exp(-1j * np.pi * antenna * s))
    return h


def draw_paths(num_drops=4, num_paths=12, longest=3e-6):
    rng = np.random.default_rng(3)
    shape = (num_drops, num_paths)
    sine = rng.uniform(-1, 1, shape)
    delay = rng.uniform(0, longest, shape)
    return sine, delay, rng.normal(size=shape) + 1j * rng.normal(size=shape)


def relative_error(got, expected):
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(("first", "last"), [(32, 0), (28, 4)])
@pytest.mark.parametrize("longest", [1e-6, 3e-6, 60e-6])
def test_taps_equal_the_transformed_frequency_response(first, last, longest):
    # 60 us is more than the 51.2 us period of the delay axis: taps alias circularly.
    paths = draw_paths(longest=longest)
    expected = transforms.to_angular_delay(brute_force(*paths, BAND))
    expected = transforms.truncate(expected, first, last)
    taps = synthesis.ula_taps(*paths, BAND, first=first, last=last)
    assert taps.dtype == np.complex64
    assert taps.shape == (4, 32, 32)
    assert relative_error(taps, expected) < 1e-5


@pytest.mark.parametrize("num_antennas", [7, 16])
@pytest.mark.parametrize("num_subcarriers", [33, 256])
def test_other_sizes(num_antennas, num_subcarriers):
    band = synthesis.Band(2e9, 10e6, num_subcarriers)
    paths = draw_paths()
    h = brute_force(*paths, band, num_antennas)
    expected = transforms.to_angular_delay(h)[..., :20]
    taps = synthesis.ula_taps(*paths, band, num_antennas, first=20)
    assert relative_error(taps, expected) < 1e-5


@pytest.mark.parametrize("tap", [0, 1, 31, 1023])
@pytest.mark.parametrize("beam", [0, 15, 16, 31])
def test_path_exactly_on_a_tap_and_beam_fills_one_entry(tap, beam):
    delay = np.array([[tap / BAND.bandwidth_hz]])
    sine = np.array([[(16 - beam) / 16]])
    taps = synthesis.ula_taps(sine, delay, np.ones((1, 1)), BAND, first=1024)
    expected = np.zeros((32, 1024), complex)
    turn = np.exp(-2j * np.pi * BAND.first_hz * delay[0, 0])
    expected[beam, tap] = turn * np.sqrt(32 * NUM_SUBCARRIERS)
    np.testing.assert_allclose(taps[0], expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("distance", [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.5])
def test_path_close_to_a_tap(distance):
    delay = (np.array([[3.0, 4.0, 5.0]]) + [[distance, -distance, 0]]) / 20e6
    sine = np.array([[distance, -distance, 0.25]]) / 16
    amplitude = np.array([[1.0, 1j, 2.0]])
    expected = transforms.to_angular_delay(brute_force(sine, delay, amplitude, BAND))
    taps = synthesis.ula_taps(sine, delay, amplitude, BAND)
    assert relative_error(taps, expected[..., :32]) < 1e-5


def test_padding_changes_no_bit():
    sine, delay, amplitude = draw_paths()
    wider = [np.pad(array, ((0, 0), (0, 9))) for array in (sine, delay, amplitude)]
    np.testing.assert_array_equal(
        synthesis.ula_taps(*wider, BAND),
        synthesis.ula_taps(sine, delay, amplitude, BAND),
    )


def test_drop_without_paths_is_zero():
    sine, delay, amplitude = draw_paths()
    amplitude[1] = 0
    taps = synthesis.ula_taps(sine, delay, amplitude, BAND)
    assert not taps[1].any()
    assert taps[[0, 2, 3]].any(axis=(1, 2)).all()


@pytest.mark.parametrize(("num_subcarriers", "keep"), [(257, 125), (64, None)])
def test_frequency_response_of_beams(num_subcarriers, keep):
    band = synthesis.Band(290e6, 20e6, num_subcarriers)
    paths = draw_paths()
    h = brute_force(*paths, band)
    beams = np.fft.fftshift(np.fft.fft(h, axis=-1, norm="ortho"), axes=-1)
    expected = np.swapaxes(beams, -1, -2)[..., :keep]
    response = synthesis.ula_frequency(*paths, band, keep=keep)
    assert response.dtype == np.complex64
    assert response.shape == expected.shape
    assert relative_error(response, expected) < 1e-5


def test_shapes_that_differ_are_refused():
    sine, delay, amplitude = draw_paths()
    with pytest.raises(ValueError, match=r"\(4, 12\), \(4, 11\)"):
        synthesis.ula_taps(sine, delay[:, 1:], amplitude, BAND)
    with pytest.raises(ValueError, match=r"\[drops, paths\], got \(12,\)"):
        synthesis.ula_frequency(sine[0], delay[0], amplitude[0], BAND)
