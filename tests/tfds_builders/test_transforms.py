"""Domain changes, scaling and LS estimation against written-out formulas."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders import transforms


def complex_normal(*shape: int, seed: int = 0, dtype=np.complex128) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)


def angular_delay_by_formula(h: np.ndarray) -> np.ndarray:
    """Double sum over subcarriers and antennas with explicit exponentials."""
    num_subcarriers, num_antennas = h.shape
    n, m = np.arange(num_subcarriers), np.arange(num_antennas)
    delay = np.exp(2j * np.pi * np.outer(np.arange(num_subcarriers), n) / n.size)
    beams = np.arange(num_antennas) - num_antennas // 2
    angle = np.exp(-2j * np.pi * np.outer(beams, m) / m.size)
    return angle @ h.T @ delay.T / np.sqrt(n.size * m.size)


@pytest.mark.parametrize("shape", [(64, 32), (1024, 32), (13, 8), (15, 5)])
def test_angular_delay_equals_the_explicit_dft_matrices(shape):
    h = complex_normal(*shape)
    expected = angular_delay_by_formula(h)
    np.testing.assert_allclose(transforms.to_angular_delay(h), expected, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_round_trip_is_exact_unitary_and_keeps_precision(dtype):
    h = complex_normal(2, 3, 129, 7, dtype=dtype)
    h_a = transforms.to_angular_delay(h)
    back = transforms.to_spatial_frequency(h_a, 129)
    assert h_a.shape == (2, 3, 7, 129)
    assert h_a.dtype == back.dtype == dtype
    np.testing.assert_allclose(back, h, atol=3e-6 if dtype == np.complex64 else 1e-12)
    np.testing.assert_allclose(np.linalg.norm(h_a), np.linalg.norm(h), rtol=1e-6)


def test_round_trip_to_1e_6_of_unit_power_entries():
    h = complex_normal(4, 256, 32, dtype=np.complex64) / np.sqrt(2)
    back = transforms.to_spatial_frequency(transforms.to_angular_delay(h), 256)
    assert np.sqrt(np.mean(np.abs(back - h) ** 2)) < 1e-6


@pytest.mark.parametrize("num_antennas", [8, 31, 32])
def test_broadside_lands_in_the_middle_and_a_delay_on_its_tap(num_antennas):
    tap, num_subcarriers = 5, 64
    response = np.exp(-2j * np.pi * np.arange(num_subcarriers) * tap / num_subcarriers)
    h_a = transforms.to_angular_delay(np.outer(response, np.ones(num_antennas)))
    expected = np.zeros((num_antennas, num_subcarriers))
    expected[num_antennas // 2, tap] = np.sqrt(num_subcarriers * num_antennas)
    np.testing.assert_allclose(h_a, expected, atol=1e-10)


def test_ula_plane_wave_lands_on_the_bin_of_its_angle():
    bins = 6  # a_n = exp(-j pi n sin(phi)), sin(phi) = 2 * bins / N_t
    wave = np.exp(-2j * np.pi * np.arange(32) * bins / 32)
    h_a = transforms.to_angular_delay(np.outer(np.ones(16), wave))
    assert np.unravel_index(np.abs(h_a).argmax(), h_a.shape) == (16 - bins, 0)


@pytest.mark.parametrize(("first", "last"), [(32, 0), (20, 12), (0, 4), (100, 0)])
def test_truncate_zero_fill_and_kept_energy(first, last):
    h_a = complex_normal(3, 8, 100)
    kept = transforms.truncate(h_a, first, last)
    filled = transforms.zero_fill(kept, 100, last)
    mask = np.r_[np.ones(first), np.zeros(100 - first - last), np.ones(last)]
    np.testing.assert_array_equal(filled, h_a * mask)
    np.testing.assert_array_equal(transforms.truncate(filled, first, last), kept)
    expected = [np.sum(np.abs(x * mask) ** 2) / np.sum(np.abs(x) ** 2) for x in h_a]
    np.testing.assert_allclose(
        transforms.kept_energy(h_a, first, last), expected, rtol=1e-12
    )


@pytest.mark.parametrize(("num_subcarriers", "keep"), [(257, 125), (64, None), (32, 3)])
def test_delay_to_frequency_equals_the_sum_over_taps(num_subcarriers, keep):
    h_t = complex_normal(2, 4, 32)
    f = np.arange(keep or num_subcarriers)
    dft = np.exp(-2j * np.pi * np.outer(np.arange(32), f) / num_subcarriers)
    np.testing.assert_allclose(
        transforms.delay_to_frequency(h_t, num_subcarriers, keep),
        h_t @ dft / np.sqrt(num_subcarriers),
        atol=1e-10,
    )


def test_delay_to_frequency_is_the_angle_domain_of_the_spatial_frequency_channel():
    h = complex_normal(48, 8)
    frequency = transforms.delay_to_frequency(transforms.to_angular_delay(h), 48)
    angle = np.fft.fftshift(np.fft.fft(h, axis=-1, norm="ortho"), axes=-1)
    np.testing.assert_allclose(frequency, angle.T, atol=1e-10)


def test_per_sample_scale_norm_and_cap():
    spread = complex_normal(5, 32, 32, dtype=np.complex64)
    np.testing.assert_allclose(
        transforms.per_sample_scale(spread),
        0.9 / np.linalg.norm(spread, axis=(1, 2)),
        rtol=1e-6,
    )
    single = np.zeros((1, 4, 4), np.complex64)
    single[0, 1, 2] = -3.3 + 0.2j  # 0.9 / norm would reach -0.4
    np.testing.assert_allclose(transforms.per_sample_scale(single), 0.5 / 3.3)


@pytest.mark.parametrize("magnitude", [1e-7, 1.0, 3e5])
def test_scaled_csi_lies_in_the_unit_interval_and_inverts(magnitude):
    h = magnitude * complex_normal(2000, 2, 2, seed=3, dtype=np.complex64)
    for scale in (transforms.per_sample_scale(h), transforms.global_scale(h)):
        csi = transforms.to_unit_range(h, scale)
        assert csi.dtype == np.float32 and csi.shape == (2000, 2, 2, 2)
        assert csi.min() >= 0 and csi.max() <= 1
        back = transforms.from_unit_range(csi, scale)
        bound = 1e-7 / np.min(scale)
        np.testing.assert_allclose(back, h, rtol=1e-6, atol=bound)
        np.testing.assert_allclose(
            transforms.to_unit_range(back, scale), csi, atol=1.2e-7
        )


def test_unit_range_is_the_written_formula():
    h = np.array([[[1 + 2j, -3j]]])
    csi = transforms.to_unit_range(h, [0.1])
    np.testing.assert_allclose(csi, [[[[0.6, 0.7], [0.5, 0.2]]]], atol=1e-7)
    assert transforms.global_scale(h) == pytest.approx(0.5 / 3)


def test_ls_estimate_without_noise_is_exact():
    h = complex_normal(2, 10, 32)
    pilots = transforms.orthogonal_pilots(32, 48)
    np.testing.assert_allclose(pilots @ pilots.conj().T, np.eye(32), atol=1e-6)
    np.testing.assert_allclose(transforms.ls_estimate(h @ pilots, pilots), h, atol=1e-5)


def test_ls_estimate_error_is_white_with_the_noise_variance():
    h, variance = complex_normal(500, 32), 0.3
    pilots = transforms.orthogonal_pilots(32, 64)
    noise = np.sqrt(variance / 2) * complex_normal(500, 64, seed=1)
    error = transforms.ls_estimate(h @ pilots + noise, pilots) - h
    covariance = error.conj().T @ error / len(error)
    np.testing.assert_allclose(np.trace(covariance).real / 32, variance, rtol=0.03)
    np.testing.assert_allclose(covariance, variance * np.eye(32), atol=0.08)


BAD = np.ones((2, 4, 4), complex)
NAN = np.where(np.eye(4) > 0, np.nan, BAD)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transforms.to_angular_delay(np.ones(4)), r"got shape \(4,\)"),
        (lambda: transforms.to_angular_delay(np.ones((0, 4, 4))), "non-empty"),
        (lambda: transforms.to_angular_delay(NAN), "NaN or Inf"),
        (lambda: transforms.to_angular_delay(np.array([["a"]])), "got dtype"),
        (lambda: transforms.to_spatial_frequency(BAD, 3), r"sum must lie in 1\.\.3"),
        (lambda: transforms.truncate(BAD, 3, 2), "first=3, last=2"),
        (lambda: transforms.truncate(BAD, -1, 2), "first=-1"),
        (lambda: transforms.zero_fill(BAD, 8, last=5), "first=-1, last=5"),
        (lambda: transforms.kept_energy(0 * BAD, 2), "2 of 2 samples are all zero"),
        (lambda: transforms.delay_to_frequency(BAD, 8, 9), "keep=9"),
        (lambda: transforms.per_sample_scale(0 * BAD), "all zero"),
        (lambda: transforms.per_sample_scale(BAD, norm=0), "norm=0"),
        (lambda: transforms.global_scale(0 * BAD), "all zero"),
        (lambda: transforms.to_unit_range(BAD, np.ones(3)), r"shape \(3,\)"),
        (lambda: transforms.to_unit_range(BAD, -1.0), "positive, got -1"),
        (lambda: transforms.from_unit_range(np.ones((2, 4, 4)), 1.0), r"\(2, 4, 4\)"),
        (lambda: transforms.from_unit_range(np.full((4, 4, 2), np.inf), 1), "NaN or"),
        (lambda: transforms.from_unit_range(np.ones((4, 4, 2)), 0.0), "positive"),
        (lambda: transforms.orthogonal_pilots(8, 4), "length=4"),
        (lambda: transforms.ls_estimate(BAD, np.eye(3)), "T_p=4"),
        (lambda: transforms.ls_estimate(BAD, 2 * np.eye(4)), "orthonormal"),
    ],
)
def test_errors_name_what_they_got(call, message):
    with pytest.raises(ValueError, match=message):
        call()
