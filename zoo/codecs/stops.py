"""Where a pursuit report ends: a budget, an error, atoms not worth their bits."""

from __future__ import annotations

import numpy as np

from serving.codec.atom_stream import AtomTables
from zoo.codecs.search import Pursuit

WEIGHT = 1.6 * np.log(2) / 6  # times step^2: what a bit is worth

Ends = tuple[np.ndarray, np.ndarray]


def worth(
    tables: AtomTables, found: Pursuit, most=None, weight: float = WEIGHT
) -> Ends:
    """Atoms that are worth their bits.

    Args:
        tables: of the stream.
        found: of the search.
        most: atoms at most, `[n]`; None: all.
        weight: energy that a bit is worth, in squared steps.

    Returns:
        Number of atoms `[n]`, at least 1, and ideal bits of them `[n]`.
    """
    gain, bits = _gains(tables, found)
    lagrangian = np.cumsum(gain - weight * tables.step**2 * bits, axis=1)
    return _cut(lagrangian.argmax(axis=1) + 1, bits, most)


def within(tables: AtomTables, found: Pursuit, budget: float, most=None) -> Ends:
    """Atoms that a budget holds.

    Args:
        tables: of the stream.
        found: of the search.
        budget: bits of a report at most.
        most: atoms at most, `[n]`; None: all.

    Returns:
        As `worth`.
    """
    _, bits = _gains(tables, found)
    number = np.maximum((np.cumsum(bits, axis=1) <= budget).sum(axis=1), 1)
    return _cut(number, bits, most)


def reaching(
    tables: AtomTables, found: Pursuit, energy: np.ndarray, target_db: float, most=None
) -> Ends:
    """Atoms that bring the error of each CSI to a target; all where none does.

    Args:
        tables: of the stream.
        found: of the search.
        energy: squared norms of the CSI, `[n]`.
        target_db: error relative to them [dB].
        most: atoms at most, `[n]`; None: all.

    Returns:
        As `worth`.
    """
    gain, bits = _gains(tables, found)
    error = energy[:, None] - np.cumsum(gain, axis=1)
    enough = error <= 10 ** (target_db / 10) * energy[:, None]
    number = np.where(enough.any(axis=1), enough.argmax(axis=1) + 1, enough.shape[1])
    return _cut(number, bits, most)


def error(tables: AtomTables, found: Pursuit, number: np.ndarray) -> float:
    """What the first `number [n]` atoms leave of CSI, but for a constant."""
    gain, _ = _gains(tables, found)
    total = np.take_along_axis(np.cumsum(gain, axis=1), number[:, None] - 1, 1)
    return -float(total.sum())


def _gains(tables: AtomTables, found: Pursuit) -> tuple[np.ndarray, np.ndarray]:
    """Energy by which each atom lowers the error, and its ideal bits."""
    levels = tables.quantise(found.value)
    error = found.value - tables.values(*levels)
    gain = np.abs(found.value) ** 2 - np.abs(error) ** 2
    return gain, tables.lengths(found.angle, found.delay, *levels)


def _cut(number: np.ndarray, bits: np.ndarray, most) -> Ends:
    number = number if most is None else np.minimum(number, most)
    total = np.take_along_axis(np.cumsum(bits, axis=1), number[:, None] - 1, 1)
    return number, total[:, 0]
