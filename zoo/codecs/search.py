"""Orthogonal matching pursuit over an angle-delay grid, many CSI at once (NumPy).

The next atom is the one of the largest correlation with the residual: first on a grid
of twice the resolution of the channel, then around it on steps halved down to those of
the grid. It is made orthogonal to the atoms before it, so that errors of the values do
not add up to more than their squares (Y. C. Pati, R. Rezaiifar and P. S. Krishnaprasad,
Asilomar Conference 1993).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from serving.codec import atoms
from serving.codec.angle_delay_grid import AngleDelayGrid

COARSE = 2  # points per bin and tap of the first search
BATCH = 128  # CSI: their residuals stay in the cache of a core


@dataclass(frozen=True)
class Pursuit:
    """Atoms of many CSI in the order in which they were found.

    Attributes:
        angle: grid index, int32 `[n, atoms]`.
        delay: grid index, int32 `[n, atoms]`.
        value: component along the orthogonalised atom, complex128 `[n, atoms]`.
    """

    angle: np.ndarray
    delay: np.ndarray
    value: np.ndarray

    def __getitem__(self, part) -> Pursuit:
        return Pursuit(self.angle[part], self.delay[part], self.value[part])


def search(
    grid: AngleDelayGrid, h: np.ndarray, num_atoms: int, coarse: int = COARSE
) -> Pursuit:
    """The first atoms of channels.

    Args:
        grid: what the atoms are.
        h: zero-centred CSI, complex `[n, N_t, N_a]`.
        num_atoms: atoms of each.
        coarse: points per bin and tap of the first search; those of the grid: of all.

    Raises:
        ValueError: CSI of another shape, NaN or infinity.
    """
    h = grid.check(h)
    parts = [
        _search(grid, h[start : start + BATCH], num_atoms, coarse)
        for start in range(0, len(h), BATCH)
    ]
    return joined(parts, num_atoms)


def check_number(h: np.ndarray) -> None:
    """Refuse training CSI of which none can be held out.

    Raises:
        ValueError: they are fewer than two.
    """
    if len(h) < 2:
        raise ValueError(
            f"{len(h)} training CSI: expected 2 or more, one of them to choose a grid "
            "by; take a larger data set"
        )


def joined(parts: Iterable[Pursuit], num_atoms: int) -> Pursuit:
    """Atoms of all CSI of some parts, of which there may be none."""
    places, values = np.zeros((2, 0, num_atoms), np.int32), np.zeros((0, num_atoms))
    each = Pursuit(*places, values.astype(np.complex128)), *parts
    fields = zip(*[(p.angle, p.delay, p.value) for p in each], strict=True)
    return Pursuit(*map(np.concatenate, fields))


def _search(grid: AngleDelayGrid, h: np.ndarray, num_atoms: int, coarse) -> Pursuit:
    residual = h.astype(np.complex64)
    basis = atoms.Basis(grid, len(h), num_atoms)
    angle, delay = np.zeros((2, len(h), num_atoms), np.int32)
    value = np.zeros((len(h), num_atoms), np.complex128)
    first, steps = _Coarse(grid, coarse), neighbours(grid, coarse)
    for k in range(num_atoms):
        start = first.best(residual)
        angle[:, k], delay[:, k] = _refined(grid, steps, residual, *start)
        basis.append(angle[:, k], delay[:, k])
        value[:, k] = basis.component(residual)
        residual -= basis.newest(value[:, k]).astype(np.complex64)
    return Pursuit(angle, delay, value)


def coarse_angles(grid: AngleDelayGrid, coarse: int = COARSE) -> np.ndarray:
    """Angles of the first search: every `oversampling / coarse`-th of a direction."""
    index = np.arange(grid.num_angles).reshape(grid.index_shape)
    for axis in (1, 2):
        if grid.index_shape[axis] > 1:
            every = range(0, index.shape[axis], grid.oversampling // coarse)
            index = index.take(every, axis)
    return index.reshape(-1)


class _Coarse:
    """Every `stride`-th atom of a grid in each direction."""

    def __init__(self, grid: AngleDelayGrid, coarse: int):
        self._stride = grid.oversampling // coarse
        self._index = coarse_angles(grid, coarse)
        self._left = grid.angles[self._index].conj().astype(np.complex64)
        right = grid.delays[:: self._stride].conj().T
        self._right = np.ascontiguousarray(right, np.complex64)

    def best(self, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Grid indices of the atoms of the largest correlation."""
        correlation = self._left @ residual @ self._right
        energy = correlation.real**2 + correlation.imag**2
        i, j = np.divmod(energy.reshape(len(residual), -1).argmax(1), energy.shape[2])
        return self._index[i], j * self._stride


def neighbours(
    grid: AngleDelayGrid, coarse: int = COARSE
) -> list[tuple[int, np.ndarray]]:
    """Steps of the refinement, each with the angles so far around every angle.

    Returns:
        Step and int64 `[angles, near]`, the steps halved down to 1; empty where the
        coarse grid is the whole one.
    """
    around = np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij")).reshape(2, -1)
    if grid.index_shape[2] == 1:
        around = np.array([[-1, 0, 1], [0, 0, 0]])
    p, x, y = np.unravel_index(np.arange(grid.num_angles), grid.index_shape)
    steps, step = [], grid.oversampling // coarse // 2
    while step:
        near = x[:, None] + step * around[0], y[:, None] + step * around[1]
        index = np.broadcast_arrays(p[:, None], *near)
        near = np.ravel_multi_index(index, grid.index_shape, mode="wrap")
        steps.append((step, near))
        step //= 2
    return steps


def _refined(grid, steps, residual, angle, delay):
    """The best atoms around those found, on ever smaller steps of the grid."""
    rows = np.arange(len(residual))
    left, right = grid.single
    for step, near in steps:
        angles = near[angle]
        delays = delay[:, None] + step * np.array([-1, 0, 1])
        delays = delays.clip(0, grid.num_delays - 1)
        correlation = left[angles] @ residual @ right[delays].transpose(0, 2, 1)
        energy = correlation.real**2 + correlation.imag**2
        i, j = np.divmod(energy.reshape(len(rows), -1).argmax(1), 3)
        angle, delay = angles[rows, i], delays[rows, j]
    return angle, delay
