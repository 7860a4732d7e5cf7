"""Integers of known distributions <-> the fewest bytes, any prefix of which decodes.

The range coder is that of the library `constriction` (R. Bamler, "Understanding Entropy
Coding With Asymmetric Numeral Systems", arXiv:2201.01741). A stream is a binary
fraction. Its first m bytes leave an interval of fractions, and what all of that
interval decode to is *determined*: a receiver takes these symbols and no others, so
that a stream can be cut anywhere, and needs neither a count nor an end symbol.

Tables are integers that sum to `TOTAL`, a power of two: as probabilities they are exact
in double precision, so that both ends have the same intervals on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable

import constriction
import numpy as np

TOTAL = 1 << 20
WORD = 32  # bits of a word of the range coder, whose state has two
Model = constriction.stream.model.Categorical


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


def model(table: np.ndarray) -> Model:
    """Model of one row of tables."""
    return Model(np.asarray(table, np.float64) / TOTAL, perfect=False)


SIGN = model(np.full(2, TOTAL // 2))


def encode(symbols: Iterable[tuple[int, Model]]) -> bytes:
    """The shortest bytes that determine symbols, each with its model."""
    coder = constriction.stream.queue.RangeEncoder()
    for symbol, its_model in symbols:
        coder.encode(symbol, its_model)
    words, (low, width) = coder.pos()
    size = WORD * (words + 2)
    sealed = coder.get_compressed().astype(">u4").tobytes()
    point = int.from_bytes(sealed.ljust(size // 8, b"\0"), "big")
    low = point - (point - low) % (1 << 2 * WORD)  # the state lacks the words before
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
        tails = (b"\0", b"\xff")
        size = -(-len(payload) // 4) * 4 + 4
        ends = [bytes(payload).ljust(size, tail) for tail in tails]
        self._ends = [
            _decoder(end, tail) for end, tail in zip(ends, tails, strict=True)
        ]

    def next(self, its_model: Model) -> int | None:
        """The next symbol; None where the bytes do not determine it."""
        try:
            low, high = (end.decode(its_model) for end in self._ends)
        except AssertionError:  # of constriction: rounding leaves a gap at the top
            return None
        return int(low) if low == high else None


FILL = 64  # words: more than the interval of one symbol can take


def _decoder(payload: bytes, tail: bytes):
    size = (len(payload) // 4 + FILL) * 4
    words = np.frombuffer(bytes(payload).ljust(size, tail), ">u4").astype(np.uint32)
    return constriction.stream.queue.RangeDecoder(words)
