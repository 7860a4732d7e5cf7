"""Orthogonal bases of atoms, the same at both ends from grid indices alone (NumPy)."""

from __future__ import annotations

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid

SMALLEST = 1e-6  # share of an atom outside those before it, where it adds nothing
BATCH = 128  # CSI: their bases take memory
ENTRIES = 1 << 22  # of the bases of a batch


class Basis:
    """Atoms of many CSI, each made orthogonal to those before it.

    Row k of `_mix` says which atoms orthonormal vector k is made of: inner products of
    atoms are products of those of their responses, so no vector of N_t N_a entries is
    ever orthogonalised.

    Args:
        grid: what the atoms are.
        num: n, number of CSI.
        most: atoms that will be appended at most.
    """

    def __init__(self, grid: AngleDelayGrid, num: int, most: int):
        self._grid, self._size = grid, 0
        self._left = np.zeros((num, most, grid.num_antennas), np.complex128)
        self._right = np.zeros((num, most, grid.num_delay), np.complex128)
        self._mix = np.zeros((num, most, most), np.complex128)

    def append(self, angle: np.ndarray, delay: np.ndarray) -> None:
        """Add one atom to each CSI, by grid indices `[n]`."""
        k = self._size
        left, right = self._grid.angles[angle], self._grid.delays[delay]
        inner = np.einsum("nkt,nt->nk", self._left[:, :k].conj(), left)
        inner *= np.einsum("nka,na->nk", self._right[:, :k].conj(), right)
        mix = self._mix[:, :k, :k]
        along = np.einsum("njl,nl->nj", mix.conj(), inner)
        outside = 1 - (along.real**2 + along.imag**2).sum(axis=1)
        scale = 1 / np.sqrt(np.maximum(outside, SMALLEST))
        self._mix[:, k, :k] = -np.einsum("nj,njl->nl", along, mix) * scale[:, None]
        self._mix[:, k, k] = scale
        self._left[:, k], self._right[:, k] = left, right
        self._size += 1

    def component(self, h: np.ndarray) -> np.ndarray:
        """Components `[n]` of CSI `[n, N_t, N_a]` along the newest vectors."""
        left, right = self._left[:, : self._size], self._right[:, : self._size]
        single = left.conj().astype(h.dtype) @ h
        inner = np.einsum("nka,nka->nk", single, right.conj())
        return (self._mix[:, self._size - 1, : self._size].conj() * inner).sum(axis=1)

    def newest(self, value: np.ndarray) -> np.ndarray:
        """CSI `[n, N_t, N_a]` of values `[n]` times the newest vectors."""
        return self._sum(value[:, None] * self._mix[:, self._size - 1, : self._size])

    def combine(self, values: np.ndarray) -> np.ndarray:
        """CSI `[n, N_t, N_a]` of values `[n, atoms]` along all vectors."""
        mix = self._mix[:, : self._size, : self._size]
        return self._sum(np.einsum("nk,nkl->nl", values, mix))

    def _sum(self, weights: np.ndarray) -> np.ndarray:
        left, right = self._left[:, : self._size], self._right[:, : self._size]
        return (left * weights[:, :, None]).transpose(0, 2, 1) @ right


def combine(grid: AngleDelayGrid, angle, delay, values: np.ndarray) -> np.ndarray:
    """CSI complex128 `[n, N_t, N_a]` of atoms by grid indices `[n, atoms]`.

    Args:
        grid: what the atoms are.
        angle: grid indices.
        delay: grid indices.
        values: components along the orthogonalised atoms, complex `[n, atoms]`.
    """
    size = min(BATCH, max(1, ENTRIES // max(values.shape[1], 1) ** 2))
    parts = [
        _combined(grid, angle[i : i + size], delay[i : i + size], values[i : i + size])
        for i in range(0, len(angle), size)
    ]
    shape = 0, grid.num_antennas, grid.num_delay
    return np.concatenate([np.zeros(shape, np.complex128), *parts])


def _combined(grid, angle, delay, values) -> np.ndarray:
    basis = Basis(grid, *values.shape)
    for k in range(values.shape[1]):
        basis.append(angle[:, k], delay[:, k])
    return basis.combine(values)
