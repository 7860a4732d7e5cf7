"""Gains of the antennas of an unknown array, from the CSI that it has measured.

An array whose antennas differ in gain and phase sees a path as diag(g) a. In turns, the
strongest paths of each CSI are searched with the gains known so far, and the gains that
explain the CSI best by these paths follow by least squares, one antenna at a time:

    g_t = sum_n x_nt^H h_nt / sum_n x_nt^H x_nt,

h_nt the taps of antenna t in CSI n, and x_nt those of the paths through an ideal array
(the alternation of M. Viberg and A. L. Swindlehurst, "A Bayesian approach to
auto-calibration for parametric array signal processing", IEEE Trans. Signal Processing
42(12), 1994, without a prior). The common phase and the slope of the phase over the
array stay open: they turn or shift all paths alike, and cost nothing.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs.search import search

OVERSAMPLING = 4  # of the grid that paths are searched on
EXAMPLES = 300  # CSI that are looked at
LEAST = 1e-3  # on the diagonal: two atoms may be almost one
PATHS = (1, 1, 2, 3, 4, 6, 6, 6, 6)  # of each, in every turn: first the surest alone


def calibrated(grid: AngleDelayGrid, h: np.ndarray) -> AngleDelayGrid:
    """A grid with gains estimated from CSI.

    Args:
        grid: of an array whose antennas are taken as alike.
        h: zero-centred CSI, complex `[n, N_t, N_a]`, all of one array.

    Returns:
        The grid with gains of a mean power of 1.
    """
    h = grid.check(h)[:EXAMPLES]
    antennas = grid.antennas.conj() @ h
    even = dataclasses.replace(grid, oversampling=OVERSAMPLING, gains=())
    gains = np.ones(grid.num_antennas, np.complex128)
    for num_paths in PATHS:
        known = dataclasses.replace(even, gains=_pairs(gains))
        paths = even.antennas.conj() @ _paths(even, known, h, num_paths)
        across = np.einsum("nta,nta->t", paths.conj(), antennas)
        power = np.einsum("nta,nta->t", paths.conj(), paths).real
        gains = across / np.maximum(power, 1e-12 * power.max())
        gains /= np.sqrt(np.mean(np.abs(gains) ** 2))
    return dataclasses.replace(grid, gains=_pairs(gains))


def _paths(even: AngleDelayGrid, known: AngleDelayGrid, h, num_paths: int):
    """CSI `[n, N_t, N_a]` of the strongest paths, as an ideal array would see them."""
    found = search(known, h, num_paths)
    left, right = known.angles[found.angle], known.delays[found.delay]
    inner = (left.conj() @ left.swapaxes(1, 2)) * (right.conj() @ right.swapaxes(1, 2))
    along = np.einsum("nkt,nta,nka->nk", left.conj(), h, right.conj(), optimize=True)
    inner += LEAST * np.eye(num_paths)
    weights = np.linalg.solve(inner, along[:, :, None])
    return (even.angles[found.angle] * weights).swapaxes(1, 2) @ right


def _pairs(gains: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple(zip(gains.real.tolist(), gains.imag.tolist(), strict=True))
