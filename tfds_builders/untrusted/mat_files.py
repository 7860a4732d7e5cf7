"""Arrays of MATLAB v5 and v7 files, read with NumPy alone.

SciPy's reader makes room for whatever a file announces and crashes on types that do not
exist, so that it is not for files of others. Here numbers are read, as many as are
there, and what is in a structure of one element; texts, cells, objects and sparse
matrices are passed over. v7.3 files are HDF5.

A variable is an element of type matrix, in v7 compressed with zlib. An element is its
type, its size and its data, padded to 8 bytes; a matrix has elements of its own: flags,
dimensions and name, then the numbers.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from tfds_builders.untrusted import sizes

HEADER = 128
COMPRESSED, MATRIX = 15, 14  # types of an element
NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
    13: "u8",
}  # fmt: skip
STRUCT, NUMERIC = 2, range(6, 16)  # classes of a matrix
COMPLEX = 0x800  # a flag of it
CHUNK = 1 << 20
MOST_AXES = 32


class Variable(NamedTuple):
    """A variable, or a field of one as NAME/FIELD.

    Attributes:
        name: of it.
        shape: of it.
        array: its numbers; None where they are none, or were not asked for.
    """

    name: str
    shape: tuple[int, ...]
    array: np.ndarray | None


def read(path: Path) -> dict[str, np.ndarray]:
    """Arrays of numbers by name.

    Raises:
        ValueError: another version, damaged, or more than a file may unfold to.
    """
    found = _variables(path, lambda name: True)
    return {item.name: item.array for item in found if item.array is not None}


def read_one(path: Path, name: str) -> np.ndarray:
    """One array of numbers; arguments and errors as `read`, and where there is none."""
    for item in _variables(path, lambda other: other == name):
        if item.name == name and item.array is not None:
            return item.array
    raise ValueError(f"{path}: no numbers of the name {name}")


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of all variables by name; arguments and errors as `read`."""
    return {item.name: item.shape for item in _variables(path, lambda name: False)}


def _variables(path: Path, wanted: Callable[[str], bool]) -> Iterator[Variable]:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEADER)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None or head[125 if order == "<" else 124] != 1:
            raise ValueError(f"{path}: expected MATLAB v5, v7 or v7.3")
        yield from _Reader(path, size, order, wanted).variables(file)


class _Part:
    """Bytes of an element, up to its end.

    Args:
        source: what it is within.
        size: of it, as it is announced.
    """

    def __init__(self, source, size: int):
        self._source, self.left = source, size

    def read(self, size: int) -> bytes:
        """So many bytes, piece by piece; fewer where there are no more."""
        pieces, size = [], min(size, self.left)
        while size and (piece := self._source.read(min(size, CHUNK))):
            pieces.append(piece)
            size -= len(piece)
            self.left -= len(piece)
        return b"".join(pieces)


class _Inflated:
    """What a compressed element unfolds to."""

    def __init__(self, source: _Part):
        self._source, self._inflate = source, zlib.decompressobj()

    def read(self, size: int) -> bytes:
        """At most so many bytes, at least one unless there are no more."""
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._source.read(CHUNK >> 4)
            piece = self._inflate.decompress(packed, size)
            if piece or not packed:
                return piece
        return b""


class _Reader:
    """Reads the elements of a file and adds up what they unfold to."""

    def __init__(self, path: Path, size: int, order: str, wanted):
        self._path, self._size, self._total = path, size, 0
        self._order, self._wanted = order, wanted

    def variables(self, file: BinaryIO) -> Iterator[Variable]:
        """All variables, in the order of the file."""
        while head := file.read(8):
            kind, size = self._words(head)
            end = file.tell() + size
            if end > self._size:
                raise self._wrong("cut short within a variable")
            part = _Part(file, size)
            if kind == COMPRESSED:
                inflated = _Inflated(part)
                try:
                    kind, size = self._words(_Part(inflated, 8).read(8))
                    yield from self._matrix(kind, _Part(inflated, size))
                except zlib.error as error:
                    raise self._wrong(str(error)) from error
            else:
                yield from self._matrix(kind, part)
            file.seek(end)

    def _matrix(self, kind: int, part: _Part, above: str = "") -> Iterator[Variable]:
        if kind != MATRIX or not part.left:
            return
        flags, _ = self._words(self._data(part)[1])
        _, dimensions = self._data(part)
        if len(dimensions) % 4 or len(dimensions) > 4 * MOST_AXES:
            raise self._wrong(f"an array of {len(dimensions) / 4:,g} axes")
        shape = tuple(np.frombuffer(dimensions, f"{self._order}u4").tolist())
        name = above or self._data(part)[1].decode("latin-1")
        if above:
            self._data(part)  # an element of a structure has no name of its own
        if flags & 0xFF == STRUCT and math.prod(shape) == 1 and not above:
            yield from self._fields(name, part)
        array = None
        if flags & 0xFF in NUMERIC and self._wanted(name):
            array = self._numbers(part, shape)
            if flags & COMPLEX:
                array = array + 1j * self._numbers(part, shape)
        yield Variable(name, shape, array)

    def _fields(self, name: str, part: _Part) -> Iterator[Variable]:
        """Fields of a structure of one element: the length of a name, all, values."""
        length = int.from_bytes(self._data(part)[1], _ORDERS[self._order])
        _, names = self._data(part)
        for start in range(0, len(names), max(1, length)):
            field = names[start : start + length].partition(b"\0")[0].decode("latin-1")
            kind, size = self._words(part.read(8))
            inner = _Part(part, min(size, part.left))
            yield from self._matrix(kind, inner, f"{name}/{field}")
            while inner.read(CHUNK):  # what was passed over
                pass

    def _numbers(self, part: _Part, shape: tuple[int, ...]) -> np.ndarray:
        kind, content = self._data(part)
        if kind not in NUMBERS:
            raise self._wrong(f"numbers of type {kind}")
        dtype = np.dtype(f"{self._order}{NUMBERS[kind]}")
        if len(content) != math.prod(shape) * dtype.itemsize:
            raise self._wrong(f"{len(content):,} bytes of an array {shape} of {dtype}")
        return np.frombuffer(content, dtype).reshape(shape, order="F")

    def _data(self, part: _Part) -> tuple[int, bytes]:
        """Type and data of the next element."""
        head = part.read(8)
        kind, size = self._words(head)
        if kind >> 16:  # small: type and size in one word, the data in the other
            return kind & 0xFFFF, head[4 : 4 + min(4, kind >> 16)]
        self._total += size
        sizes.check(self._path, self._size, self._total)
        content = part.read(size)
        part.read(-size % 8)
        if len(content) < size:
            raise self._wrong("cut short within an element")
        return kind, content

    def _words(self, content: bytes) -> list[int]:
        if len(content) != 8:
            raise self._wrong("cut short within an element")
        return np.frombuffer(content, f"{self._order}u4").tolist()

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"{self._path}: {what}: damaged, or no MATLAB v5 or v7 file")


_ORDERS = {"<": "little", ">": "big"}
