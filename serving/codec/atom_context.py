"""Where the next atom of a report lies, given those before it (NumPy).

Paths come in clusters, and what two close paths leave behind lies beside them. So the
position of an atom has a mixture of distributions: those of its rank, and kernels
around each earlier atom, a table over the difference in angle times one over that in
delay. The weight of a kernel depends on the rank, on how much stronger that earlier
atom is than the last one, and on how many atoms lie near it.

Everything is whole numbers: tables of `prefix_coder.TOTAL` parts, and weights. Sums of
their products stay below 2^53, so that float64 holds them exactly in any order of the
additions: both ends have the same tables on every machine.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from serving.codec import prefix_coder
from serving.codec.prefix_coder import TOTAL

RANKS = (1, 2, 4, 8, 16, 32)  # first ranks of the groups behind the first
RATIOS = 12  # classes of half an octave: |earlier atom| over |last atom|
NEAR = 4  # classes of the number of atoms near an earlier one, the last open
LARGEST = 1 << 12  # weight
MOST_KERNELS = 64
LEAST_BITS = 10  # of an atom: with 9 a stream's last byte could hold another one
ANGLE_BITS = 1  # of an angle at least; the delay makes up for the rest
WEIGHT_BITS = 14  # of a weight once the angle is known


def group(rank: int) -> int:
    """Row of the weights of the atom of a rank from 0 on."""
    return int(np.searchsorted(RANKS, rank, side="right"))


@dataclass(frozen=True)
class AtomContext:
    """What both ends know of the places of atoms beside others, all integers.

    Attributes:
        angle: kernels over the difference modulo the angles, `[kernels, angles]`.
        delay: kernels over the difference + delays - 1, `[kernels, 2 delays - 1]`.
        weight: of a kernel, `[groups, kernels, RATIOS * NEAR]`, 0 to `LARGEST`.
        own: of the distributions of the rank alone, `[groups]`, 1 to `LARGEST`.
        reach: grid points per angle bin and tap: atoms within two bins and a tap of
            each other are near.
    """

    angle: np.ndarray
    delay: np.ndarray
    weight: np.ndarray
    own: np.ndarray
    reach: np.ndarray

    def __post_init__(self):
        for name in ("angle", "delay"):
            checked = prefix_coder.check_tables(getattr(self, name), f"{name} kernels")
            object.__setattr__(self, name, checked)
        kernels, groups = len(self.angle), len(RANKS) + 1
        expected = {
            "angle": (kernels, self.angle.shape[-1]),
            "delay": (kernels, self.delay.shape[-1]),
            "weight": (groups, kernels, RATIOS * NEAR),
            "own": (groups,),
            "reach": (),
        }
        for name, shape in expected.items():
            value = np.asarray(getattr(self, name))
            if value.shape != shape or value.dtype.kind not in "iu":
                raise ValueError(
                    f"{name} is {value.dtype} {list(value.shape)}, expected integers "
                    f"{list(shape)}: damaged tables"
                )
        low, high = self.weight.min(), max(self.weight.max(), self.own.max())
        least = min(self.own.min(), self.reach)
        if low < 0 or least < 1 or high > LARGEST or kernels > MOST_KERNELS:
            raise ValueError(
                f"{kernels} kernels, weights of {low} to {high}, expected "
                f"{MOST_KERNELS} at most, and 0 to {LARGEST}: damaged tables"
            )

    def check(self, angles: int, delays: int) -> None:
        """Refuse another grid.

        Raises:
            ValueError: kernels of another number of angles or delays.
        """
        found = self.angle.shape[1], self.delay.shape[1]
        if found != (angles, 2 * delays - 1):
            raise ValueError(
                f"kernels {list(found)}, expected {[angles, 2 * delays - 1]}: they "
                "belong to another codec"
            )

    @functools.cached_property
    def _kernels(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernels float64; those of the angle twice in a row, to cut out of."""
        return np.tile(self.angle, 2).astype(float), self.delay.astype(float)

    def angle_table(self, past: Past, own: np.ndarray) -> np.ndarray:
        """Table of the next angle of one report.

        Args:
            past: its atoms so far, at least one.
            own: table of the rank, int `[angles]`.
        """
        kernels, _ = self._kernels
        counts, size = np.zeros(len(own)), len(own)
        for weight, a in zip(past.weights()[0], past.angle[0].tolist(), strict=False):
            counts += weight @ kernels[:, size - a : 2 * size - a]
        counts = counts.astype(np.int64) + int(self.own[group(past.size)]) * own
        return _table(counts, TOTAL >> ANGLE_BITS)

    def delay_table(
        self, past: Past, own, angle: int, of_own: int, share: int, of_value: int
    ) -> np.ndarray:
        """Table of the next delay of one report, int64 `[delays]`.

        Args:
            past: its atoms so far, at least one.
            own: table of the rank, int `[delays]`.
            angle: of the next atom.
            of_own: share of that angle in the table of its rank.
            share: of that angle in its own table.
            of_value: whole bits that the value takes at least.
        """
        _, kernels = self._kernels
        counts, size = np.zeros(len(own)), len(own)
        weights, mine = self._given(past, angle, of_own)
        for weight, d in zip(weights, past.delay[0].tolist(), strict=False):
            counts += weight @ kernels[:, size - 1 - d : 2 * size - 1 - d]
        most = (TOTAL * TOTAL >> LEAST_BITS - of_value) // share
        return _table(counts.astype(np.int64) + mine * own.astype(np.int64), most)

    def _given(self, past: Past, angle: int, of_own: int):
        """Weights of kernels `[k, kernels]` and of the rank, once an angle is known."""
        across = (angle - past.angle[0, : past.size]) % self.angle.shape[1]
        weights = past.weights()[0].astype(np.int64) * self.angle.T[across]
        mine = int(self.own[group(past.size)]) * int(of_own)
        spare = max(int(weights.max()), mine).bit_length() - WEIGHT_BITS
        shift = max(spare, 0)
        return (weights >> shift).astype(float), max(mine >> shift, 1)

    def lengths(self, angle, delay, level, of_angle, of_delay) -> np.ndarray:
        """Ideal bits of positions, but for the first, float64 `[n, atoms]`.

        Args:
            angle: grid indices `[n, atoms]`.
            delay: likewise.
            level: classes of the sizes, likewise.
            of_angle: shares in the tables of the rank, likewise.
            of_delay: likewise.
        """
        turn, middle = self.angle.shape[1], self.delay.shape[1] // 2
        over_angle, over_delay = (np.ascontiguousarray(x.T) for x in self._kernels)
        bits = np.zeros(angle.shape)
        past = Past(self, *angle.shape)
        for k in range(1, angle.shape[1]):
            past.append(angle[:, k - 1], delay[:, k - 1], level[:, k - 1])
            weights, own = past.weights(), int(self.own[group(k)])
            across = (angle[:, k, None] - angle[:, :k]) % turn
            along = delay[:, k, None] - delay[:, :k] + middle
            near = weights * over_angle[across] * over_delay[along]
            joint = near.sum(axis=(1, 2)) + own * of_angle[:, k] * of_delay[
                :, k
            ].astype(float)
            total = (weights.sum(axis=(1, 2)) + own) * float(TOTAL) ** 2
            bits[:, k] = -np.log2(joint / total)
        return bits


class Past:
    """Atoms of some reports so far.

    Args:
        context: what their neighbours are.
        num: n, reports.
        most: atoms of each at most.
    """

    def __init__(self, context: AtomContext, num: int, most: int):
        self._context, self.size = context, 0
        self.angle, self.delay, self._level, self._near = np.zeros(
            (4, num, most), np.int64
        )

    def append(self, angle: np.ndarray, delay: np.ndarray, level: np.ndarray) -> None:
        """Add an atom to each report: grid indices and class of its size, `[n]`."""
        k, reach = self.size, int(self._context.reach)
        turn = self._context.angle.shape[1]
        across = np.abs(self.angle[:, :k] - angle[:, None])
        across = np.minimum(across, turn - across)
        along = np.abs(self.delay[:, :k] - delay[:, None])
        near = (across < 2 * reach) & (along < reach)
        self._near[:, :k] += near
        self._near[:, k] = near.sum(axis=1)
        self.angle[:, k], self.delay[:, k], self._level[:, k] = angle, delay, level
        self.size += 1

    def classes(self) -> np.ndarray:
        """Class of each earlier atom in the weights, `[n, k]`."""
        level = self._level[:, : self.size]
        ratio = (level - level[:, -1:]).clip(0, RATIOS - 1)
        return ratio * NEAR + self._near[:, : self.size].clip(0, NEAR - 1)

    def weights(self) -> np.ndarray:
        """Of each kernel around each earlier atom, int `[n, k, kernels]`."""
        return self._context.weight[group(self.size)].T[self.classes()]


def _table(counts: np.ndarray, most: int) -> np.ndarray:
    """Table int64 of whole counts, of which hardly one has more than `most`."""
    counts = counts >> max(int(counts.sum()).bit_length() - 42, 0)
    most = max(most, 2 * TOTAL // len(counts))
    for _ in range(8):  # what is cut off goes to the others
        counts = np.minimum(counts, int(counts.sum()) * most // TOTAL)
    total = int(counts.sum())
    table = 1 + counts * (TOTAL - len(counts)) // total
    table[table.argmax()] += TOTAL - table.sum()
    return table
