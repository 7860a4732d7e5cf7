"""The pursuit without a residual: correlations of the CSI, less those of its atoms.

What an atom has in common with the residual is <atom, h> minus the sum of u_l
<atom, atom_l> over the atoms so far, u being their coefficients in the estimate. So the
coarse map of the CSI is computed once. It is brought up to date every few atoms; in
between only its largest cells are, and the next atom is taken from these.

A function may propose the place of an atom within its coarse cell, instead of steps of
refinement (`zoo.codecs.learned_offsets`). The receiver does not need to know.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atoms import SMALLEST
from zoo.codecs.search import COARSE, Pursuit, coarse_angles, joined, neighbours

EVERY = 4  # atoms between two maps
CELLS = 32  # of a map that are brought up to date with every atom
BATCH = 64  # CSI: their maps stay in the cache of a core

Propose = Callable[[np.ndarray], np.ndarray]
Columns = tuple[np.ndarray, np.ndarray]


def search(
    grid: AngleDelayGrid,
    h: np.ndarray,
    num_atoms: int,
    propose: Propose | None = None,
    every: int = EVERY,
    cells: int = CELLS,
) -> Pursuit:
    """The first atoms of channels, nearly those of `zoo.codecs.search`.

    Args:
        grid: what the atoms are.
        h: zero-centred CSI, complex `[n, N_t, N_a]`.
        num_atoms: atoms of each.
        propose: offsets `[n, 2]` in coarse steps of angle and delay, from the
            correlations `[n, 3, 3]` around a coarse cell, of a linear array; None: by
            steps halved down to those of the grid.
        every: atoms between two maps; 1: the atoms of `zoo.codecs.search`, but for
            rounding.
        cells: brought up to date in between.

    Raises:
        ValueError: CSI of another shape, NaN or infinity.
    """
    h = grid.check(h)
    parts = [
        _search(grid, h[start : start + BATCH], num_atoms, propose, every, cells)
        for start in range(0, len(h), BATCH)
    ]
    return joined(parts, num_atoms)


def _search(grid, h, num_atoms: int, propose, every: int, cells: int) -> Pursuit:
    left, rows, steps = _Left(grid, h, num_atoms), np.arange(len(h)), neighbours(grid)
    angle, delay = np.zeros((2, len(h), num_atoms), np.int32)
    value = np.zeros((len(h), num_atoms), np.complex128)
    for k in range(num_atoms):
        if k % every == 0:
            places, inner = _largest(left.map(), cells if every > 1 else 1)
        best = np.abs(inner).argmax(axis=1)
        cell = places[0][rows, best], places[1][rows, best]
        if propose is None:
            place = _refined(left, steps, *left.points(*cell))
        else:
            place = left.moved(*cell, propose(left.around(*cell)))
        angle[:, k], delay[:, k] = place
        value[:, k], weights = left.append(*place)
        if (k + 1) % every:
            inner = inner - left.common(*places, weights)
    return Pursuit(angle, delay, value)


def _largest(coarse: np.ndarray, cells: int) -> tuple[Columns, np.ndarray]:
    """Indices and values `[n, cells]` of the largest entries of maps."""
    energy = (coarse.real**2 + coarse.imag**2).reshape(len(coarse), -1)
    cell = np.argpartition(energy, -cells, axis=1)[:, -cells:]
    inner = np.take_along_axis(coarse.reshape(len(coarse), -1), cell, axis=1)
    return np.divmod(cell, coarse.shape[2]), inner


class _Left:
    """What is left of some CSI, by the coefficients of their atoms."""

    def __init__(self, grid: AngleDelayGrid, h: np.ndarray, most: int):
        self._grid, self._h, self._size = grid, h.astype(np.complex64), 0
        self.last = grid.num_delays - 1
        self._stride, self._index = grid.oversampling // COARSE, coarse_angles(grid)
        angles, delays = grid.single
        self._coarse = angles[self._index], delays[:: self._stride]
        self._map = self._coarse[0] @ self._h @ self._coarse[1].T
        sizes = grid.num_antennas, grid.num_delay, *self._map.shape[1:], most
        self._left, self._right, self._rows, self._columns, self._mix = (
            np.zeros((len(h), most, size), np.complex64) for size in sizes
        )
        self._sum = np.zeros((len(h), most), np.complex64)
        self._atoms = np.zeros((len(h), most), np.int64)  # angle and delay in one

    def map(self) -> np.ndarray:
        """Correlations with the coarse grid, `[n, angles, delays]`."""
        rows, columns, total = (
            x[:, : self._size] for x in (self._rows, self._columns, self._sum)
        )
        return self._map - (rows * total[..., None]).transpose(0, 2, 1) @ columns

    def points(self, i: np.ndarray, j: np.ndarray) -> Columns:
        """Grid indices of coarse cells."""
        return self._index[i], j * self._stride

    def moved(self, i: np.ndarray, j: np.ndarray, offset: np.ndarray) -> Columns:
        """Grid indices of coarse cells of a linear array moved by coarse steps.

        A cell stays where it is if the atom it would move to has been taken.
        """
        across, along = np.rint(offset.T * self._stride).astype(int)
        angle, delay = self.points(i, j)
        moved = (angle + across) % self._grid.num_angles
        later = (delay + along).clip(0, self.last)
        atom = moved * (self.last + 1) + later
        taken = (self._atoms[:, : self._size] == atom[:, None]).any(axis=1)
        return np.where(taken, angle, moved), np.where(taken, delay, later)

    def around(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Correlations `[n, 3, 3]` around coarse cells of a linear array."""
        near, each = np.array([-1, 0, 1]), np.arange(len(i))[:, None]
        i = (i[:, None] + near) % self._map.shape[1]
        j = (j[:, None] + near).clip(0, self._map.shape[2] - 1)
        rows = self._rows[each, : self._size, i] * self._sum[:, None, : self._size]
        columns = self._columns[each, : self._size, j]
        given = self._map[each[..., None], i[:, :, None], j[:, None]]
        return given - rows @ columns.transpose(0, 2, 1)

    def fine(self, angles: np.ndarray, delays: np.ndarray) -> np.ndarray:
        """Correlations `[n, p, q]` of grid indices `[n, p]` and `[n, q]`."""
        left, right = (
            x[y] for x, y in zip(self._grid.single, (angles, delays), strict=True)
        )
        rows = left @ self._left[:, : self._size].transpose(0, 2, 1)
        columns = self._right[:, : self._size] @ right.transpose(0, 2, 1)
        rows *= self._sum[:, None, : self._size]
        return left @ self._h @ right.transpose(0, 2, 1) - rows @ columns

    def common(self, i: np.ndarray, j: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Correlations `[n, cells]` of coarse cells with the newest vectors.

        Args:
            i: rows of the cells.
            j: columns of the cells.
            weights: of the atoms so far in what was added last, `[n, atoms]`.
        """
        each = np.arange(len(i))[:, None]
        rows = self._rows[each, : self._size, i]
        columns = self._columns[each, : self._size, j]
        return np.einsum("nsk,nsk,nk->ns", rows, columns, weights)

    def append(self, angle: np.ndarray, delay: np.ndarray) -> Columns:
        """Add an atom to each estimate, by grid indices `[n]`.

        Returns:
            Components `[n]` along the orthogonalised atoms, and what each atom so far
            has in what was added, `[n, atoms]`.
        """
        k, (angles, delays) = self._size, self._grid.single
        left, right = angles[angle].conj(), delays[delay].conj()
        inner = (self._left[:, :k].conj() @ left[:, :, None])[:, :, 0]
        inner *= (self._right[:, :k].conj() @ right[:, :, None])[:, :, 0]
        given = ((left.conj()[:, None] @ self._h)[:, 0] * right.conj()).sum(axis=1)
        given -= (self._sum[:, :k] * inner.conj()).sum(axis=1)
        mix = self._mix[:, :k, :k]
        along = (mix.conj() @ inner[:, :, None])[:, :, 0]
        outside = 1 - (along.real**2 + along.imag**2).sum(axis=1)
        scale = 1 / np.sqrt(np.maximum(outside, SMALLEST))
        self._mix[:, k, :k] = -(along[:, None] @ mix)[:, 0] * scale[:, None]
        self._mix[:, k, k] = scale
        self._left[:, k], self._right[:, k] = left, right
        self._atoms[:, k] = angle * (self.last + 1) + delay
        self._rows[:, k] = left @ self._coarse[0].T
        self._columns[:, k] = right @ self._coarse[1].T
        self._size += 1
        weights = (given * scale)[:, None] * self._mix[:, k, : k + 1]
        self._sum[:, : k + 1] += weights
        return given * scale, weights


def _refined(left: _Left, steps, angle: np.ndarray, delay: np.ndarray) -> Columns:
    """The best atoms around those found, on ever smaller steps of the grid."""
    rows = np.arange(len(angle))
    for step, near in steps:
        angles = near[angle]
        delays = (delay[:, None] + step * np.array([-1, 0, 1])).clip(0, left.last)
        correlation = left.fine(angles, delays)
        energy = correlation.real**2 + correlation.imag**2
        i, j = np.divmod(energy.reshape(len(rows), -1).argmax(1), 3)
        angle, delay = angles[rows, i], delays[rows, j]
    return angle, delay
