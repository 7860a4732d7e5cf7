"""Integers of known distributions <-> the fewest bytes, any prefix of which decodes.

A stream is a binary fraction. Its first m bytes leave an interval of fractions, and
what all of that interval decode to is *determined*: a receiver takes these symbols and
no others, so that a stream can be cut anywhere, and needs neither a count nor an end
symbol.

Streams are those of the range coder of the library `constriction` (R. Bamler,
"Understanding Entropy Coding With Asymmetric Numeral Systems", arXiv:2201.01741; words
of 32 bits, shares of 24), which the tests compare with. It has no package for Linux on
arm64, which UEs run, and saves no time where each symbol has a table of its own.

Tables are integers that sum to `TOTAL`, and all arithmetic is that of integers: both
ends have the same intervals on every machine.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

TOTAL = 1 << 20
WORD = 32  # bits by which the interval grows when it is small; it has at most two words
SHARE = 24  # bits of a share of the interval


def check_tables(tables: np.ndarray, name: str = "tables") -> np.ndarray:
    """Validate frequencies.

    Args:
        tables: integers `[..., symbols]`, every row sums to `TOTAL`.
        name: what a message calls them.

    Returns:
        The tables, int32.

    Raises:
        ValueError: other numbers, a symbol without share, or another sum.
    """
    tables = np.asarray(tables)
    if tables.ndim < 1 or tables.dtype.kind not in "iu" or tables.shape[-1] < 2:
        raise ValueError(
            f"{name} are {tables.dtype} {list(tables.shape)}, expected integers "
            "[..., 2 or more symbols]"
        )
    sums = tables.sum(axis=-1, dtype=np.int64)
    if tables.min() < 1 or (sums != TOTAL).any():
        raise ValueError(
            f"{name} have a smallest share of {tables.min()} and sums from "
            f"{sums.min()} to {sums.max()}, expected 1 or more and {TOTAL}"
        )
    return tables.astype(np.int32)


def tables_of(counts: np.ndarray) -> np.ndarray:
    """Tables int32 `[..., symbols]` close to counts >= 0 of the same shape.

    Every symbol gets a share, so that what was never seen can still be sent.
    """
    counts = np.asarray(counts, np.float64)
    symbols = counts.shape[-1]
    total = np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
    tables = 1 + np.floor(counts / total * (TOTAL - symbols)).astype(np.int64)
    rest = TOTAL - tables.sum(axis=-1)
    most = tables.argmax(axis=-1)[..., None]
    largest = np.take_along_axis(tables, most, -1) + rest[..., None]
    np.put_along_axis(tables, most, largest, -1)
    return tables.astype(np.int32)


class Model:
    """A distribution as the coder takes it, of one row of tables."""

    def __init__(self, table: np.ndarray):
        symbols = np.arange(len(table) + 1)
        ends = np.concatenate([[0], np.cumsum(table, dtype=np.int64)])
        spare = (1 << SHARE) - len(table)  # each symbol has one part beforehand
        self.ends = (ends * spare // TOTAL + symbols).tolist()


SIGN = Model(np.full(2, TOTAL // 2))


def encode(symbols: Iterable[tuple[int, Model]]) -> bytes:
    """The shortest bytes that determine symbols, each with its model."""
    low, width, size = 0, (1 << 2 * WORD) - 1, 2 * WORD
    for symbol, model in symbols:
        part = width >> SHARE
        start, end = model.ends[symbol : symbol + 2]
        low, width = low + part * start, part * (end - start)
        if width >> WORD == 0:
            low, width, size = low << WORD, width << WORD, size + WORD
    count, unit = 0, 1 << size
    while (first := -(-low // unit)) * unit + unit > low + width:
        count, unit = count + 1, unit >> 8
    return first.to_bytes(count, "big")


class PrefixDecoder:
    """Symbols that the first bytes of a stream determine.

    Args:
        payload: the bytes, of any length, also damaged ones.
    """

    def __init__(self, payload: bytes):
        self._payload, self._read = bytes(payload), 0
        self._width = (1 << 2 * WORD) - 1
        self._points = [0, 0]  # both above the start of the interval
        for _ in range(2):
            self._take_word()

    def _take_word(self) -> None:
        """Four more bytes of the lowest and of the highest fraction."""
        end = self._read + WORD // 8
        word = self._payload[self._read : end]
        tails = (word.ljust(WORD // 8, filled) for filled in (b"\0", b"\xff"))
        self._points = [
            point << WORD | int.from_bytes(tail, "big")
            for point, tail in zip(self._points, tails, strict=True)
        ]
        self._read = end

    def next(self, model: Model) -> int | None:
        """The next symbol; None where the bytes do not determine it."""
        part = self._width >> SHARE
        lowest, highest = (point // part for point in self._points)
        symbol = bisect_right(model.ends, lowest) - 1
        if not symbol < len(model.ends) - 1 or highest >= model.ends[symbol + 1]:
            return None  # perhaps in the gap that rounding leaves at the top
        start, end = model.ends[symbol : symbol + 2]
        self._points = [point - part * start for point in self._points]
        self._width = part * (end - start)
        if self._width >> WORD == 0:
            self._width <<= WORD
            self._take_word()
        return symbol
