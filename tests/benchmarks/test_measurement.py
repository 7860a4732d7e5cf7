"""What the study of measurement matrices compares: closed forms and exact recovery."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.benchmark_modules import imported

measurement = imported("measurement")


@pytest.fixture
def coarse(monkeypatch):
    """One step a beam and tap: orthogonal beams, 11 delays."""
    monkeypatch.setattr(measurement, "STEPS", 1)
    return measurement.dictionary()


def test_dictionary(coarse):
    """A beam and a tap of its own for each atom, and the same times j."""
    assert coarse.shape == (2048, 32 * 12, 2)
    np.testing.assert_allclose(np.linalg.norm(coarse, axis=0), 1, rtol=1e-5)
    atom = coarse[:, 3 * 12 + 5].reshape(32, 32, 2, 2)  # beam 3, tap 4
    place = np.zeros((32, 32))
    place[3, 4] = 1
    np.testing.assert_allclose(np.linalg.norm(atom[..., 0], axis=-1), place, atol=2e-3)
    np.testing.assert_allclose(atom[..., 1, 1], atom[..., 0, 0], atol=1e-6)


def test_matching_pursuit_recovers_few_waves(coarse):
    rng = np.random.default_rng(0)
    inside = [beam * 12 + tap for beam in range(32) for tap in range(1, 12)]
    drops = np.stack(
        [
            coarse[:, rng.choice(inside, 3, replace=False), 0] @ rng.uniform(1, 2, 3)
            for _ in range(3)
        ]
    ).astype(float)
    matrix = rng.normal(size=(2048, measurement.M))
    by_atoms = measurement.sparse_db(matrix, coarse, drops)
    assert len(by_atoms) == measurement.MOST_ATOMS
    assert by_atoms[2] < -60 and by_atoms[0] > -10


def test_linear_estimate_from_the_klt_is_the_projection():
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(2048, 60)))[0]
    strength = 0.9 ** np.arange(60)
    train, test = (rng.normal(size=(n, 60)) * strength @ basis.T for n in (400, 50))
    first = np.linalg.svd(train, full_matrices=False)[2][:4].T
    error = test - test @ first @ first.T
    ratios = (error**2).sum(1) / (test**2).sum(1)
    reached = measurement.linear_db(first, train, test)
    assert reached == pytest.approx(10 * np.log10(ratios.mean()), abs=1e-3)
