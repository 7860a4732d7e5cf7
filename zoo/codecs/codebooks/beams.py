"""The beams that Type II reports share: the rotation and L beams of most energy."""

from __future__ import annotations

import numpy as np

from zoo.codecs.codebooks.panel import POLARISATIONS, Panel


def choose(
    panel: Panel, vectors: np.ndarray, num_beams: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Beams of most energy over subbands, polarisations and layers.

    Args:
        panel: N1 and N2.
        vectors: complex `[n, N3, P, rank]`.
        num_beams: L.

    Returns:
        Rotations int `[n]`; beams int `[n, L]`, n1 + N1 n2 rising; coefficients of the
        vectors along them, complex128 `[n, rank, 2 L, N3]`.
    """
    n, subbands, _, rank = vectors.shape
    x = vectors.reshape(n, subbands, POLARISATIONS, panel.size, rank)
    x = x.transpose(0, 3, 4, 2, 1).reshape(n, panel.size, -1)
    along = panel.beams.conj().reshape(-1, panel.size) @ x / panel.size
    along = along.reshape(n, panel.num_rotations, panel.size, rank, POLARISATIONS, -1)
    energy = np.sum(np.abs(along) ** 2, axis=(3, 4, 5))
    best = np.argsort(-energy, axis=-1, kind="stable")[..., :num_beams]
    kept = np.take_along_axis(energy, best, axis=-1).sum(axis=-1)
    rotation, rows = kept.argmax(axis=1), np.arange(n)
    beams = best[rows, rotation]
    order = np.argsort(number_of(panel, beams), axis=-1)
    beams = np.take_along_axis(beams, order, axis=-1)
    chosen = along[rows[:, None], rotation[:, None], beams]  # [n, L, rank, 2, N3]
    chosen = chosen.transpose(0, 2, 3, 1, 4).reshape(n, rank, -1, subbands)
    return rotation, beams, chosen


def number_of(panel: Panel, beams: np.ndarray) -> np.ndarray:
    """n1 + N1 n2, by which reports count beams, of n1 N2 + n2; and `beam_of` back."""
    n1, n2 = np.divmod(beams, panel.n2)
    return n1 + panel.n1 * n2


def beam_of(panel: Panel, numbers: np.ndarray) -> np.ndarray:
    """Inverse of `number_of`."""
    n2, n1 = np.divmod(numbers, panel.n1)
    return n1 * panel.n2 + n2
