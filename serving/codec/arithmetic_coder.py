"""Integers of known distributions <-> the fewest bytes (no TensorFlow).

The integer arithmetic coder of Witten, Neal and Cleary, "Arithmetic Coding for Data
Compression", Communications of the ACM 30(6), 1987: an interval of 32-bit integers
shrinks by each symbol's share; leading bits on which both ends agree are sent.
"""

from __future__ import annotations

import numpy as np

BITS = 32
FULL = (1 << BITS) - 1
HALF, QUARTER = 1 << (BITS - 1), 1 << (BITS - 2)
LARGEST_TOTAL = 1 << 24  # keeps every symbol's part of the interval above zero


def check_tables(tables: np.ndarray) -> np.ndarray:
    """Validate cumulative frequencies.

    Args:
        tables: integers `[channels, symbols + 1]`: symbol s of channel c has the share
            from `tables[c, s]` to `tables[c, s + 1]` of `tables[c, -1]`.

    Returns:
        The tables, int64.

    Raises:
        ValueError: not from 0 upwards, a symbol without share, or too large a total.
    """
    tables = np.asarray(tables)
    if tables.ndim != 2 or tables.shape[1] < 2 or tables.dtype.kind not in "iu":
        raise ValueError(
            f"tables are {tables.dtype} {tables.shape}, expected integers [channels, "
            "symbols + 1]"
        )
    rising = (np.diff(tables.astype(np.int64), axis=1) > 0).all()
    if not rising or (tables[:, 0] != 0).any() or tables.max() > LARGEST_TOTAL:
        raise ValueError(
            "tables must start at 0, rise with every symbol and end at no more than "
            f"{LARGEST_TOTAL}"
        )
    return tables.astype(np.int64)


def encode(symbols: np.ndarray, tables: np.ndarray) -> bytes:
    """Code one codeword.

    Args:
        symbols: integers `[M]` from 0 on; entry m has the table m mod channels.
        tables: see `check_tables`.

    Returns:
        Bytes, the last one filled up with zeros.

    Raises:
        ValueError: bad tables, or a symbol that they do not have.
    """
    tables = check_tables(tables)
    symbols = np.asarray(symbols)
    if symbols.min(initial=0) < 0 or symbols.max(initial=0) > tables.shape[1] - 2:
        raise ValueError(
            f"symbols from {symbols.min()} to {symbols.max()}, expected 0 to "
            f"{tables.shape[1] - 2}"
        )
    rows, bits = tables.tolist(), []
    low, high, waiting = 0, FULL, 0
    for position, symbol in enumerate(symbols.tolist()):
        row = rows[position % len(rows)]
        low, high = _narrow(low, high, row[symbol], row[symbol + 1], row[-1])
        while (offset := _half(low, high)) is not None:
            if offset == QUARTER:
                waiting += 1
            else:
                bit = int(offset == HALF)
                bits += [bit] + [1 - bit] * waiting
                waiting = 0
            low, high = 2 * (low - offset), 2 * (high - offset) + 1
    last = int(low >= QUARTER)
    bits += [last] + [1 - last] * (waiting + 1)
    return np.packbits(np.array(bits, np.uint8)).tobytes()


def decode(payload: bytes, tables: np.ndarray, count: int) -> np.ndarray:
    """Recover a codeword; bytes that are not from `encode` give some symbols.

    Args:
        payload: bytes from `encode`.
        tables: as for `encode`.
        count: M.

    Returns:
        int64 `[M]`.

    Raises:
        ValueError: bad tables.
    """
    tables = check_tables(tables)
    rows = tables.tolist()
    stream = iter(np.unpackbits(np.frombuffer(payload, np.uint8)).tolist())
    low, high, value = 0, FULL, 0
    for _ in range(BITS):
        value = 2 * value + next(stream, 0)
    symbols = np.empty(count, np.int64)
    for position in range(count):
        row, table = rows[position % len(rows)], tables[position % len(rows)]
        share = ((value - low + 1) * row[-1] - 1) // (high - low + 1)
        symbol = int(np.searchsorted(table, share, side="right")) - 1
        symbols[position] = symbol
        low, high = _narrow(low, high, row[symbol], row[symbol + 1], row[-1])
        while (offset := _half(low, high)) is not None:
            low, high = 2 * (low - offset), 2 * (high - offset) + 1
            value = 2 * (value - offset) + next(stream, 0)
    return symbols


def _narrow(low: int, high: int, start: int, stop: int, total: int):
    """Part of the interval that belongs to a symbol."""
    width = high - low + 1
    return low + width * start // total, low + width * stop // total - 1


def _half(low: int, high: int) -> int | None:
    """Start of the half that holds the interval: lower, upper, middle, or none."""
    if high < HALF:
        return 0
    if low >= HALF:
        return HALF
    return QUARTER if low >= QUARTER and high < HALF + QUARTER else None
