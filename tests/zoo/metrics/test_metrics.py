"""Metrics and the KLT line against plain loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders import transforms
from zoo.metrics import accuracy, klt_line


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    h = rng.standard_normal((450, 8, 6, 2)).astype(np.float32)
    scale = rng.uniform(0.05, 0.9, (450, 1, 1, 1))
    return h, (h + scale * rng.standard_normal(h.shape)).astype(np.float32)


def test_nmse_definitions_against_loops(pair):
    h, h_hat = pair
    ratios = [np.sum((a - b) ** 2) / np.sum(a**2) for a, b in zip(*pair, strict=True)]
    db = 10 * np.log10(ratios)
    assert accuracy.nmse_db(h, h_hat) == pytest.approx(10 * np.log10(np.mean(ratios)))
    assert accuracy.nmse_db(h, h_hat, "sample_db") == pytest.approx(db.mean(), abs=1e-5)
    batches = [np.mean(ratios[i : i + 200]) for i in (0, 200, 400)]
    expected = np.mean(10 * np.log10(batches))
    assert accuracy.nmse_db(h, h_hat, "batch_db") == pytest.approx(expected, abs=1e-5)
    # Jensen: averaging the dB of equal batches is never worse.
    equal = h[:400], h_hat[:400]
    assert accuracy.nmse_db(*equal, "batch_db") <= accuracy.nmse_db(*equal)


def test_nmse_facts(pair):
    h, _ = pair
    assert accuracy.nmse_db(h, np.zeros_like(h)) == pytest.approx(0)
    assert accuracy.nmse_db(h, 0.9 * h) == pytest.approx(-20, abs=1e-4)
    complex_h = accuracy.to_complex(h)
    np.testing.assert_allclose(complex_h, h[..., 0] + 1j * h[..., 1])
    np.testing.assert_allclose(
        accuracy.nmse(complex_h, 0.5 * complex_h), accuracy.nmse(h, 0.5 * h), rtol=1e-6
    )


def test_nmse_refuses(pair):
    h, h_hat = pair
    with pytest.raises(ValueError, match="shapes differ"):
        accuracy.nmse(h, h_hat[:-1])
    with pytest.raises(ValueError, match="zero energy"):
        accuracy.nmse(np.zeros_like(h), h_hat)
    with pytest.raises(ValueError, match="global, batch_db or sample_db"):
        accuracy.nmse_db(h, h_hat, "linear")


def test_rho_sgcs_and_loss_against_loops(pair):
    h, h_hat = (accuracy.to_complex(x)[:5] for x in pair)
    cosines, energies = [], []
    for a, b in zip(h, h_hat, strict=True):
        for k in range(a.shape[1]):
            u, v = a[:, k], b[:, k]
            norms = np.linalg.norm(u) * np.linalg.norm(v)
            cosines.append(abs(np.vdot(u, v)) / norms)
            energies.append(np.linalg.norm(u) ** 2)
    cosines, energies = np.array(cosines), np.array(energies)
    assert accuracy.rho(h, h_hat) == pytest.approx(cosines.mean())
    assert accuracy.sgcs(h, h_hat) == pytest.approx((cosines**2).mean())
    loss = 10 * np.log10(np.sum(energies * cosines**2) / energies.sum())
    assert accuracy.beamforming_loss_db(h, h_hat) == pytest.approx(loss, abs=1e-5)


def test_rho_ignores_a_phase_per_subcarrier_and_zero_columns(pair):
    h = accuracy.to_complex(pair[0])[:3]
    rotated = h * np.exp(1j * np.arange(h.shape[2]))
    assert accuracy.rho(h, 2 * rotated) == pytest.approx(1)
    assert accuracy.rho(h, np.zeros_like(h)) == 0


def test_rho_domain_is_that_of_the_published_evaluator(pair):
    """Zero-pad delay to 257, FFT, first 125 bins: one path keeps similarity 1."""
    h_t = np.zeros((1, 32, 32), complex)
    h_t[0, 5, 3] = 1 + 2j
    freq = transforms.delay_to_frequency(h_t, 257, 125)
    expected = np.fft.fft(np.pad(h_t, [(0, 0), (0, 0), (0, 225)]), axis=-1)[..., :125]
    np.testing.assert_allclose(freq * np.sqrt(257), expected, atol=1e-6)
    assert accuracy.rho(freq, expected) == pytest.approx(1)


def _sources(rng, num, eigenvalues, basis):
    size = (num, len(eigenvalues))
    y = (rng.standard_normal(size) + 1j * rng.standard_normal(size)) / np.sqrt(2)
    x = (y * np.sqrt(eigenvalues)) @ basis.T
    return np.stack([x.real, x.imag], -1).reshape(num, 4, 5, 2).astype(np.float32)


def test_klt_reaches_the_eigenvalue_tail():
    rng = np.random.default_rng(3)
    eigenvalues = 0.6 ** np.arange(20)
    square = rng.standard_normal((20, 20)) + 1j * rng.standard_normal((20, 20))
    basis, _ = np.linalg.qr(square)
    train, test = (_sources(rng, 40_000, eigenvalues, basis) for _ in range(2))
    recovered = klt_line.reconstruct(test, klt_line.fit(train, 12))
    kept = np.sum((test - recovered) ** 2) / np.sum(test**2)
    expected = eigenvalues[6:].sum() / eigenvalues.sum()
    assert 10 * np.log10(kept / expected) == pytest.approx(0, abs=0.05)
    full = klt_line.reconstruct(test[:10], klt_line.fit(train, 40))
    np.testing.assert_allclose(full, test[:10], atol=1e-5)


def test_klt_refuses_too_many_coefficients(pair):
    with pytest.raises(ValueError, match="codeword_dim is 200"):
        klt_line.fit(pair[0], 200)
    with pytest.raises(ValueError, match="even"):
        klt_line.fit(pair[0], 7)
