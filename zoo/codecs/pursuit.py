"""The pursuit codec: CSI as a few atoms of an oversampled angle-delay grid.

Fitted in seconds to a thousand channels, it needs no network. The trade between bits
and error is that of a Lagrangian: an atom is sent where its gain is worth its bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_decoder import AtomDecoder
from serving.codec.atom_stream import AtomTables
from zoo.codecs import atom_tables
from zoo.codecs.search import Pursuit, search
from zoo.codecs.step_search import bisect

WEIGHT = 1.6 * np.log(2) / 6  # times step^2: what a bit is worth
ROUNDS = 3  # of tables and stops, each fitted to the other
TRIALS = 11  # bisections of the step


class PursuitCodec(AtomDecoder):
    """Encoder and decoder at one operating point."""

    def encode(self, h: np.ndarray, budget: int = 0) -> list[bytes]:
        """Report of each CSI.

        Args:
            h: zero-centred CSI, complex `[n, N_t, N_a]`.
            budget: bits that no report exceeds, 8 or more; 0: each ends where more
                atoms are not worth their bits.

        Raises:
            ValueError: CSI of another shape, NaN, infinity, or a budget below a byte.
        """
        if budget and budget < 8:
            raise ValueError(f"budget={budget}: expected 8 bits or more, or 0")
        found = search(self.grid, h, self.most)
        levels = self.tables.quantise(found.value)
        number = np.full(len(h), self.most) if budget else stops(self.tables, found)[0]
        reports = []
        for i, k in enumerate(number):
            report = [x[i, :k] for x in (found.angle, found.delay, *levels)]
            reports.append(self.tables.encode(*report, bits=budget))
        return reports


def stops(tables: AtomTables, found: Pursuit) -> tuple[np.ndarray, np.ndarray]:
    """Atoms that are worth their bits.

    Returns:
        Number of atoms `[n]`, at least 1, and ideal bits of them `[n]`.
    """
    levels = tables.quantise(found.value)
    bits = tables.lengths(found.angle, found.delay, *levels)
    gain = _gain(tables, found.value, levels)
    worth = np.cumsum(gain - WEIGHT * tables.step**2 * bits, axis=1)
    number = worth.argmax(axis=1) + 1
    total = np.take_along_axis(np.cumsum(bits, axis=1), number[:, None] - 1, 1)
    return number, total[:, 0]


def _gain(tables: AtomTables, value: np.ndarray, levels) -> np.ndarray:
    """Energy by which each atom lowers the error."""
    error = value - tables.values(*levels)
    return np.abs(value) ** 2 - np.abs(error) ** 2


def fit(
    grid: AngleDelayGrid, h: np.ndarray, bits: float, most: int, found=None
) -> PursuitCodec:
    """Codec whose reports of training CSI have so many bits in the mean.

    Channels that a few atoms describe take fewer.

    Args:
        grid: what the atoms are.
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        bits: mean bits of a report.
        most: atoms of a report at most.
        found: what `search` found for these, where it is known.

    Raises:
        ValueError: bad CSI.
    """
    found = found or search(grid, h, most)
    level = float(np.sqrt(np.mean(np.abs(found.value[:, 0]) ** 2)))
    if not level > 0:
        raise ValueError("training CSI are all zero")
    best = bisect(lambda step: _fitted(grid, found, step), level, bits, TRIALS)
    return PursuitCodec(grid, best.tables, most)


class _Fitted(NamedTuple):
    tables: AtomTables
    mean_bits: float


def _fitted(grid, found, step: float) -> _Fitted:
    kept = np.full(len(found.value), found.value.shape[1])
    for _ in range(ROUNDS):
        tables = atom_tables.fit(grid, found, kept, step)
        kept, bits = stops(tables, found)
    return _Fitted(tables, float(bits.mean()))
