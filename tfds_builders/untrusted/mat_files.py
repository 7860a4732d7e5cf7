"""MATLAB v5 and v7 files: what they announce is looked at before SciPy reads it.

A variable of v7 is compressed, and a cell or structure within it may announce any
number of fields, for which SciPy makes room at once. v7.3 files are HDF5.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import scipy.io

from tfds_builders.untrusted import sizes

HEADER = 128
COMPRESSED, MATRIX = 15, 14  # types of an element
CELL, STRUCT, OBJECT = CELLS = (1, 2, 3)  # classes of arrays of arrays
DEEPEST = 20
FIRST = 256  # bytes of an element that are looked at
CHUNK = 1 << 16


def load(path: Path, names: list[str] | None = None) -> dict[str, np.ndarray]:
    """Read variables.

    Args:
        path: MATLAB v5 or v7 file.
        names: of the variables; None: all.

    Raises:
        ValueError: another version, or it announces more than a file may hold.
        Exception: SciPy's, of damaged files.
    """
    check(path)
    return scipy.io.loadmat(path, squeeze_me=False, variable_names=names)


def check(path: Path) -> None:
    """Refuse a file whose variables announce more than they hold, or too much.

    Raises:
        ValueError: it does; or another version, or damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEADER)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if 0 in head[:4] or order is None or head[125 if order == "<" else 124] != 1:
            raise ValueError(f"{path}: expected MATLAB v5, v7 or v7.3")
        _Checker(path, size, order).variables(file)


class _Plain:
    """Bytes of an element as they are."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        content = self._file.read(min(size, self._left))
        self._left -= len(content)
        return content


class _Inflated:
    """Bytes of a compressed element, unfolded piece by piece."""

    def __init__(self, source: _Plain):
        self._source, self._inflate, self._ready = source, zlib.decompressobj(), b""

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        while len(self._ready) < size and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._source.read(CHUNK)
            if not packed:
                break
            self._ready += self._inflate.decompress(packed, CHUNK)
        content, self._ready = self._ready[:size], self._ready[size:]
        return content


class _Checker:
    """Walks through the elements of a file and adds up what they unfold to."""

    def __init__(self, path: Path, size: int, order: str):
        self._path, self._size, self._total = path, size, 0
        self._word = np.dtype(f"{order}u4")

    def variables(self, file: BinaryIO) -> None:
        """Look at all variables."""
        while head := file.read(8):
            kind, size = self._words(head, 2)
            end = file.tell() + size
            if end > self._size:
                raise self._wrong("cut short within a variable")
            content = _Plain(file, size)
            if kind == COMPRESSED:
                content = _Inflated(content)
                kind, size = self._words(content.read(8), 2)
            if kind == MATRIX and size:
                self._matrix(content, size, 1)
                if content.read(1):
                    raise self._wrong("a variable is longer than it says")
            file.seek(end)

    def _matrix(self, content, size: int, depth: int) -> None:
        """Look at an array: flags, dimensions, name, then what is in it."""
        if depth > DEEPEST:
            raise self._wrong(f"arrays within arrays, {depth} deep")
        used, parts = 0, []
        while used < size:
            taken, data = self._element(content, depth)
            used += taken
            if len(parts) < 6:
                parts.append((taken, data))
        if used != size or len(parts) < 3 or not parts[0][1]:
            raise self._wrong(f"an array of {size:,} bytes that takes {used:,}")
        kind = self._words(parts[0][1], 1)[0] & 0xFF
        if kind in CELLS:
            dimensions = parts[1][1]
            cells = math.prod(self._words(dimensions, len(dimensions) // 4))
            cells *= self._fields(parts[2 + (kind == OBJECT) :]) if kind != CELL else 1
            if 8 * cells > size:  # each has a tag of its own
                raise self._wrong(f"{cells:,} fields in {size:,} bytes")

    def _fields(self, parts: list) -> int:
        """Number of names of a structure: their length, then all of them."""
        if len(parts) < 3 or len(parts[1][1]) < 4:
            raise self._wrong("a structure without names")
        return parts[2][0] // max(1, self._words(parts[1][1], 1)[0])

    def _element(self, content, depth: int) -> tuple[int, bytes]:
        """Bytes that the next element takes, and the first ones of its data."""
        head = content.read(8)
        kind, size = self._words(head, 2)
        if kind >> 16:  # small: type and size in one word, the data in the other
            return 8, head[4 : 4 + min(4, kind >> 16)]
        self._total += size
        sizes.check(self._path, self._size, self._total)
        if kind == MATRIX:
            if size:
                self._matrix(content, size, depth + 1)
            return 8 + size, b""
        padded = size + -size % 8
        data = content.read(min(padded, FIRST))
        left = padded - len(data)
        while left:
            piece = content.read(min(left, CHUNK))
            if not piece:
                raise self._wrong("cut short within an element")
            left -= len(piece)
        return 8 + padded, data[:size]

    def _words(self, content: bytes, count: int) -> list[int]:
        if len(content) < 4 * count:
            raise self._wrong("cut short within an element")
        return np.frombuffer(content, self._word, count).tolist()

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"{self._path}: {what}: damaged, or no MATLAB v5 or v7 file")
