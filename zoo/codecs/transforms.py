"""Linear transforms of CSI, their coefficients in a fixed order with contexts."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from zoo.metrics import klt_line

NEAR = {(0, 1): 2, (1, 0): 2, (1, 1): 1, (0, 2): 1, (2, 0): 1}  # weights of neighbours
CLASSES = 12  # of power of a tap, and of what its neighbours show
CLASS_OCTAVES = 1.5  # of power that a class spans
_SEEN = np.arange(4096)
_HALF_OCTAVES = np.floor(2 * np.log2(np.maximum(_SEEN, 1)))
OCTAVES = np.where(_SEEN < 4, _SEEN, _HALF_OCTAVES).astype(int)


@dataclass(frozen=True)
class Karhunen:
    """Complex KLT of CSI, every coefficient a context of its own.

    Attributes:
        basis: orthonormal rows complex64 `[components, N_t N_a]`, largest variance
            first.
    """

    basis: np.ndarray

    def __post_init__(self):
        basis = np.asarray(self.basis)
        if basis.ndim != 2 or not len(basis) or not np.isfinite(basis).all():
            raise ValueError(f"basis of shape {list(basis.shape)}: damaged tables")

    @classmethod
    def fit(cls, h: np.ndarray) -> Karhunen:
        """Basis of training CSI, complex `[n, N_t, N_a]`."""
        flat = h.reshape(len(h), -1)
        return cls(klt_line.eigenvectors(flat).T.astype(np.complex64))

    def first(self, num: int) -> Karhunen:
        """The KLT of the first coefficients only."""
        return Karhunen(self.basis[:num])

    @property
    def sizes(self) -> tuple[int, int]:
        """Coefficients, and entries of a CSI."""
        return self.basis.shape

    @property
    def num_contexts(self) -> int:
        """A context of every component's parts."""
        return len(self.basis)

    def coefficients(self, h: np.ndarray) -> np.ndarray:
        """Real and imaginary parts in turns, float `[n, 2 components]`."""
        z = h.reshape(len(h), -1) @ self.basis.conj().T
        return np.stack([z.real, z.imag], axis=-1).reshape(len(h), -1)

    def csi(self, x: np.ndarray) -> np.ndarray:
        """CSI, flat, complex `[n, N_t N_a]` of `coefficients`."""
        z = x.reshape(len(x), -1, 2)
        return (z[..., 0] + 1j * z[..., 1]) @ self.basis[: z.shape[1]]

    def contexts(self, all_levels: np.ndarray) -> np.ndarray:
        """Context of each level, int `[n, 2 components]`."""
        index = np.arange(all_levels.shape[1]) // 2
        return np.broadcast_to(index, all_levels.shape)

    def context_of(self, index: int, before: list[int]) -> int:
        """Context of a level, given those before it."""
        return index // 2


class Dft:
    """Taps of the angular-delay CSI, the strongest in the mean first.

    The context of a tap is its mean power and what its neighbours that were sent
    before it show; the imaginary part also sees the real one.

    Args:
        order: flat taps, the first that is sent first, int `[N_t N_a]`.
        classes: class of the mean power of each tap in that order, int `[N_t N_a]`.
        shape: (N_t, N_a).

    Raises:
        ValueError: not an order of all taps, or classes that do not exist.
    """

    def __init__(self, order: np.ndarray, classes: np.ndarray, shape: tuple[int, int]):
        self.order, self.classes = (np.asarray(x, np.int64) for x in (order, classes))
        taps = np.arange(shape[0] * shape[1])
        if not np.array_equal(np.sort(self.order), taps):
            raise ValueError(f"order is not one of {len(taps)} taps: damaged tables")
        if self.classes.shape != taps.shape or not (
            0 <= self.classes.min() <= self.classes.max() < CLASSES
        ):
            raise ValueError(f"classes: expected 0 to {CLASSES - 1}: damaged tables")
        self._neighbours, self._weights = _before(self.order, shape)

    @classmethod
    def fit(cls, h: np.ndarray) -> Dft:
        """Order of training CSI, complex `[n, N_t, N_a]`."""
        power = np.mean(np.abs(h) ** 2, axis=0)
        order = np.argsort(-power, axis=None, kind="stable")
        ratio = power.ravel()[order] / power.max()
        rank = np.floor(-np.log2(np.maximum(ratio, 1e-12)) / CLASS_OCTAVES)
        return cls(order, np.minimum(rank, CLASSES - 1), power.shape)

    def first(self, num: int) -> Dft:
        """Itself: any first taps can be had."""
        return self

    @property
    def sizes(self) -> tuple[int, int]:
        """Coefficients, and entries of a CSI."""
        return len(self.order), len(self.order)

    @property
    def num_contexts(self) -> int:
        """Power of the tap x neighbours x (real, three sizes of the real part)."""
        return CLASSES * CLASSES * 4

    def coefficients(self, h: np.ndarray) -> np.ndarray:
        """Real and imaginary parts in turns, float `[n, 2 taps]`."""
        z = h.reshape(len(h), -1)[:, self.order]
        return np.stack([z.real, z.imag], axis=-1).reshape(len(h), -1)

    def csi(self, x: np.ndarray) -> np.ndarray:
        """CSI, flat, complex `[n, N_t N_a]` of `coefficients`."""
        z = x.reshape(len(x), -1, 2)
        flat = np.zeros((len(x), len(self.order)), np.complex128)
        flat[:, self.order[: z.shape[1]]] = z[..., 0] + 1j * z[..., 1]
        return flat

    def contexts(self, all_levels: np.ndarray) -> np.ndarray:
        """Context of each level, int `[n, 2 taps]`."""
        size = np.abs(all_levels).reshape(len(all_levels), -1, 2)
        taps = size.shape[1]
        tap = np.zeros((len(size), len(self.order) + 1), np.int64)
        tap[:, :taps] = size.sum(axis=-1)
        near, weight = self._neighbours[:taps], self._weights[:taps]
        seen = (tap[:, near] * weight).sum(axis=-1)
        shown = np.minimum(_octave(seen), CLASSES - 1)
        real = 4 * (CLASSES * self.classes[:taps] + shown)
        imag = real + 1 + np.minimum(size[..., 0], 2)
        return np.stack([real, imag], axis=-1).reshape(all_levels.shape)

    def context_of(self, index: int, before: list[int]) -> int:
        """Context of a level, given those before it."""
        tap, part = divmod(index, 2)
        seen = 0
        for near, weight in self._lists[tap]:
            seen += weight * (abs(before[2 * near]) + abs(before[2 * near + 1]))
        shown = min(OCTAVES[min(seen, len(OCTAVES) - 1)], CLASSES - 1)
        context = 4 * (CLASSES * int(self.classes[tap]) + shown)
        return context + 1 + min(abs(before[-1]), 2) if part else context

    @functools.cached_property
    def _lists(self) -> list[list[tuple[int, int]]]:
        pairs = zip(self._neighbours.tolist(), self._weights.tolist(), strict=True)
        return [
            [(i, w) for i, w in zip(near, weight, strict=True) if w]
            for near, weight in pairs
        ]


def _octave(seen: np.ndarray) -> np.ndarray:
    """Class of a weighted sum of sizes, two an octave from 4 on."""
    return OCTAVES[np.minimum(seen, len(OCTAVES) - 1)]


def _before(order: np.ndarray, shape) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of each tap that come before it: places in the order, weights.

    Returns:
        int `[taps, neighbours]` each; where there is none, place `taps` and weight 0.
    """
    place = np.empty(order.size, int)
    place[order] = np.arange(order.size)
    row, column = np.divmod(order, shape[1])
    places, weights = [], []
    for (dr, dc), weight in NEAR.items():
        for r, c in {(dr, dc), (-dr, dc), (dr, -dc), (-dr, -dc)}:
            near_row, near_column = (row + r) % shape[0], column + c  # angles wrap
            inside = (near_column >= 0) & (near_column < shape[1])
            index = near_row * shape[1] + near_column.clip(0, shape[1] - 1)
            earlier = inside & (place[index] < np.arange(order.size))
            places.append(np.where(earlier, place[index], order.size))
            weights.append(np.where(earlier, weight, 0))
    return np.stack(places, axis=1), np.stack(weights, axis=1)
