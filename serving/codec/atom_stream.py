"""Atoms of one report <-> coded bytes (no TensorFlow).

Per atom, in the order of their gain: grid index of the angle, of the delay, sizes of
the real and the imaginary level, and their signs. Indices have tables by rank, sizes by
the size before: |re| by that of the previous atom, |im| by that and by |re|. With a
context (`atom_context`) indices also have tables by the atoms before. Atoms are
independent of what follows them, so a stream can be cut anywhere (`prefix_coder`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from serving.codec import prefix_coder
from serving.codec.atom_context import AtomContext, Past

RANKS = (1, 4, 12, 32)  # first ranks of the groups behind the first
# Classes of squared sizes, two an octave: |v| + 1 from 2^(c/2) on.
_BOUNDS = np.ceil((2 ** (np.arange(1, 64) / 2) - 1) ** 2 - 1e-9).astype(np.int64)
LEAST_BITS = 10  # of a position: with fewer a stream's last byte could hold an atom


def group(rank: int) -> int:
    """Group of tables of the atom of a rank from 0 on."""
    return int(np.searchsorted(RANKS, rank, side="right"))


def size_class(real: np.ndarray, imag: np.ndarray | int = 0) -> np.ndarray:
    """Class of levels by their size, int `[...]`."""
    squared = np.asarray(real, np.int64) ** 2 + np.asarray(imag, np.int64) ** 2
    return np.searchsorted(_BOUNDS, squared, side="right")


@dataclass(frozen=True)
class AtomTables:
    """What both ends know of the atoms: frequencies as integers, and their values.

    Attributes:
        angle: `[groups, angles]`, see `prefix_coder.check_tables`.
        delay: `[groups, delays]`.
        real: of |re|, `[classes + 1, sizes]`; the last row is that of the first atom.
        imag: of |im|, `[classes + 1, classes, sizes]`.
        step: width of a level.
        centroids: value of a size in steps, float64 `[sizes]`.
        context: of positions; None: they have the tables of their rank.
    """

    angle: np.ndarray
    delay: np.ndarray
    real: np.ndarray
    imag: np.ndarray
    step: np.ndarray
    centroids: np.ndarray
    context: AtomContext | None = None

    def __post_init__(self):
        for name in ("angle", "delay", "real", "imag"):
            checked = prefix_coder.check_tables(getattr(self, name), name)
            object.__setattr__(self, name, checked)
        classes, sizes = self.imag.shape[1:]
        expected = {"real": (classes + 1, sizes), "centroids": (sizes,), "step": ()}
        for name, shape in expected.items():
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(
                    f"{name} has shape {list(np.shape(getattr(self, name)))}, expected "
                    f"{list(shape)}: damaged tables"
                )
        if not 0 < float(self.step) < np.inf or not np.isfinite(self.centroids).all():
            raise ValueError(f"step={self.step} or centroids: damaged tables")
        if self.context:
            self.context.check(self.angle.shape[1], self.delay.shape[1])

    @property
    def largest(self) -> int:
        """Largest size of a level."""
        return self.imag.shape[-1] - 1

    @property
    def classes(self) -> int:
        """Classes of sizes."""
        return self.imag.shape[1]

    def row(self, real: np.ndarray, imag: np.ndarray) -> np.ndarray:
        """Row of the tables behind an atom of these levels."""
        return np.minimum(size_class(real, imag), self.classes - 1)

    @functools.cached_property
    def least_of_value(self) -> np.ndarray:
        """Whole bits that a value takes at least, by the row of its tables."""
        unsigned = np.arange(self.largest + 1) == 0
        real = self.real.astype(np.int64) << unsigned
        imag = (self.imag.astype(np.int64) << unsigned).max(axis=2)
        share = (real * imag[:, self.row(np.arange(self.largest + 1), 0)]).max(axis=1)
        twice = 2 * prefix_coder.TOTAL  # halves are the signs
        bits = [(twice**2 // int(x)).bit_length() - 1 for x in share]
        return np.minimum(bits, LEAST_BITS)

    def quantise(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Levels (real, imaginary) int `[...]` of complex values."""
        parts = (values.real, values.imag)
        levels = [
            np.rint(x / self.step).clip(-self.largest, self.largest) for x in parts
        ]
        return tuple(level.astype(np.int64) for level in levels)

    def values(self, real: np.ndarray, imag: np.ndarray) -> np.ndarray:
        """Complex values that levels stand for."""
        parts = [np.sign(x) * self.centroids[np.abs(x)] for x in (real, imag)]
        return (parts[0] + 1j * parts[1]) * self.step

    def lengths(self, angle, delay, real, imag) -> np.ndarray:
        """Ideal bits of every atom, float64 `[n, atoms]`; arguments `[n, atoms]`."""
        ranks = [group(rank) for rank in range(angle.shape[1])]
        before = np.full(angle.shape, self.classes)
        before[:, 1:] = self.row(real, imag)[:, :-1]
        size, other = np.abs(real), np.abs(imag)
        places = [self.angle[ranks, angle], self.delay[ranks, delay]]
        values = [
            self.real[before, size],
            self.imag[before, self.row(size, 0), other],
        ]
        bits = _bits(values) + (real != 0) + (imag != 0)
        if not self.context:
            return bits + _bits(places)
        bits[:, 0] += _bits(places)[:, 0]
        return bits + self.context.lengths(angle, delay, self.row(real, imag), *places)

    @functools.cached_property
    def _models(self) -> dict[tuple, prefix_coder.Model]:
        return {}

    def model(self, table: str, *row: int) -> prefix_coder.Model:
        """Model of a row of `angle`, `delay`, `real` or `imag`."""
        key = (table, *row)
        if key not in self._models:
            self._models[key] = prefix_coder.Model(getattr(self, table)[row])
        return self._models[key]

    def encode(self, angle, delay, real, imag, bits: int = 0) -> bytes:
        """The shortest bytes of one report's atoms, int `[atoms]` each.

        Args:
            angle: grid indices.
            delay: grid indices.
            real: levels.
            imag: levels.
            bits: that the report must not exceed, or it is cut; 0: no limit.
        """
        atoms = angle, delay, real, imag
        if bits:  # the bytes behind them would be cut off anyway
            lengths = self.lengths(*[x[None] for x in atoms])[0]
            begun = int(np.searchsorted(np.cumsum(lengths), bits)) + 1
            atoms = [x[:begun] for x in atoms]
        report = zip(*(x.tolist() for x in atoms), strict=True)
        coded = prefix_coder.encode(self._symbols(list(report)))
        return coded[: bits // 8] if bits else coded

    def _symbols(self, report) -> Iterator[tuple[int, prefix_coder.Model]]:
        before, places = self.classes, _Places(self, len(report))
        for angle, delay, real, imag in report:
            yield angle, places.angle()
            yield delay, places.delay(angle, before)
            size, other = abs(real), abs(imag)
            yield size, self.model("real", before)
            yield other, self.model("imag", before, int(self.row(size, 0)))
            if size:
                yield int(real < 0), prefix_coder.SIGN
            if other:
                yield int(imag < 0), prefix_coder.SIGN
            before = int(self.row(real, imag))
            places.append(angle, delay, before)

    def decode(self, payload: bytes, most: int) -> np.ndarray:
        """Atoms that the first bytes of a report determine.

        Args:
            payload: a report, or its first bytes.
            most: more atoms are not decoded.

        Returns:
            Angle, delay, real and imaginary level of each, int64 `[atoms, 4]`.
        """
        decoder, before, found = prefix_coder.PrefixDecoder(payload), self.classes, []
        places = _Places(self, most)
        while len(found) < most:
            atom = self._next(decoder, places, before)
            if atom is None:
                break
            found.append(atom)
            before = int(self.row(*atom[2:]))
            places.append(*atom[:2], before)
        return np.array(found, np.int64).reshape(-1, 4)

    def _next(self, decoder, places: _Places, before: int) -> tuple | None:
        next_of = decoder.next
        if (angle := next_of(places.angle())) is None:
            return None
        if (delay := next_of(places.delay(angle, before))) is None:
            return None
        if (real := next_of(self.model("real", before))) is None:
            return None
        context = int(self.row(real, 0))
        if (imag := next_of(self.model("imag", before, context))) is None:
            return None
        signed = []
        for size in (real, imag):
            negative = next_of(prefix_coder.SIGN) if size else 0
            if negative is None:
                return None
            signed.append(-size if negative else size)
        return angle, delay, *signed


class _Places:
    """Models of the positions of one report's atoms, one after the other."""

    def __init__(self, tables: AtomTables, most: int):
        self._tables, self._context, self._rank = tables, tables.context, 0
        self._past = self._context and Past(self._context, 1, most)

    def angle(self) -> prefix_coder.Model:
        if not self._past or not self._rank:
            return self._tables.model("angle", group(self._rank))
        own = self._tables.angle[group(self._rank)]
        self._angles = self._context.angle_table(self._past, own)
        return prefix_coder.Model(self._angles)

    def delay(self, angle: int, before: int) -> prefix_coder.Model:
        if not self._past or not self._rank:
            return self._tables.model("delay", group(self._rank))
        rows = self._tables.angle, self._tables.delay
        of_angle, own = (rows[group(self._rank)] for rows in rows)
        shares = int(of_angle[angle]), int(self._angles[angle])
        least = int(self._tables.least_of_value[before])
        return prefix_coder.Model(
            self._context.delay_table(self._past, own, angle, *shares, least)
        )

    def append(self, angle: int, delay: int, level: int) -> None:
        self._rank += 1
        if self._past:
            self._past.append(*np.array([[angle], [delay], [level]]))


def _bits(shares: list[np.ndarray]) -> np.ndarray:
    """Ideal bits of shares in tables, summed."""
    return sum(-np.log2(share / prefix_coder.TOTAL) for share in shares)
