"""Eigenvectors per subband against the covariance, and their phases."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders import subbands


@pytest.fixture(scope="module")
def h():
    rng = np.random.default_rng(3)
    parts = rng.standard_normal((2, 5, 7, 3, 2, 6))
    return parts[0] + 1j * parts[1]


def test_eigenmodes_are_those_of_the_covariance(h):
    vectors, values = subbands.eigenmodes(h, 3)
    for drop, band in np.ndindex(5, 7):
        covariance = np.mean([x.conj().T @ x for x in h[drop, band]], axis=0)
        expected = np.linalg.eigvalsh(covariance)[::-1][:3]
        np.testing.assert_allclose(values[drop, band], expected)
        v = vectors[drop, band]
        np.testing.assert_allclose(covariance @ v, v * expected, atol=1e-12)
        np.testing.assert_allclose(v.conj().T @ v, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("kind", subbands.PHASES)
def test_phases_undo_any_turn_of_any_layer(h, kind):
    vectors, _ = subbands.eigenmodes(h, 2)
    fixed = subbands.with_phase(vectors, kind)
    np.testing.assert_allclose(np.abs(fixed), np.abs(vectors))
    turns = np.exp(2j * np.pi * np.random.default_rng(4).random((5, 7, 1, 2)))
    np.testing.assert_allclose(
        subbands.with_phase(vectors * turns, kind), fixed, atol=1e-12
    )


def test_what_each_phase_makes_real(h):
    vectors, _ = subbands.eigenmodes(h, 2)

    def real(x):
        np.testing.assert_allclose(x, np.abs(x), atol=1e-12)

    entry = subbands.with_phase(vectors, "entry")
    strongest = np.abs(vectors).argmax(axis=2)[:, :, None]
    real(np.take_along_axis(entry, strongest, axis=2))
    port = subbands.with_phase(vectors, "port")
    strongest = (np.abs(vectors) ** 2).sum(axis=1).argmax(axis=1)[:, None, None]
    real(np.take_along_axis(port, strongest, axis=2))
    aligned = subbands.with_phase(vectors, "sequential")
    real(np.sum(aligned[:, :-1].conj() * aligned[:, 1:], axis=2))
    real(
        np.take_along_axis(
            aligned[:, :1], np.abs(aligned[:, :1]).argmax(2)[:, :, None], 2
        )
    )


def test_unusable_channels_are_refused(h):
    with pytest.raises(
        ValueError, match=r"expected \[n, subbands, subcarriers, N_r, P\]"
    ):
        subbands.eigenmodes(h[0], 1)
    with pytest.raises(ValueError, match="7 layers of 3 subcarriers.*expected 1 to 6"):
        subbands.eigenmodes(h, 7)
    with pytest.raises(ValueError, match="phase 'none': expected one of port, entry"):
        subbands.with_phase(h[:, :, 0], "none")
