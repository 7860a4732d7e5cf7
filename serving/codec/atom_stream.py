"""Atoms of one report <-> coded bytes (no TensorFlow).

Per atom, in the order of their gain: grid index of the angle, of the delay, sizes of
the real and the imaginary level, and their signs. Indices have tables by rank, sizes by
the size before: |re| by that of the previous atom, |im| by that and by |re|. Atoms are
independent of what follows them, so a stream can be cut anywhere (`prefix_coder`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from serving.codec import prefix_coder

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
    """

    angle: np.ndarray
    delay: np.ndarray
    real: np.ndarray
    imag: np.ndarray
    step: np.ndarray
    centroids: np.ndarray

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

    @property
    def largest(self) -> int:
        """Largest size of a level."""
        return self.imag.shape[-1] - 1

    @property
    def classes(self) -> int:
        """Classes of sizes."""
        return self.imag.shape[1]

    def context(self, real: np.ndarray, imag: np.ndarray) -> np.ndarray:
        """Row of the tables behind an atom of these levels."""
        return np.minimum(size_class(real, imag), self.classes - 1)

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
        before[:, 1:] = self.context(real, imag)[:, :-1]
        size, other = np.abs(real), np.abs(imag)
        shares = [
            self.angle[ranks, angle],
            self.delay[ranks, delay],
            self.real[before, size],
            self.imag[before, self.context(size, 0), other],
        ]
        bits = sum(-np.log2(share / prefix_coder.TOTAL) for share in shares)
        return bits + (real != 0) + (imag != 0)

    @functools.cached_property
    def _models(self) -> dict[tuple, prefix_coder.Model]:
        return {}

    def _model(self, table: str, *row: int) -> prefix_coder.Model:
        key = (table, *row)
        if key not in self._models:
            self._models[key] = prefix_coder.model(getattr(self, table)[row])
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
        coded = prefix_coder.encode(self._symbols(report))
        return coded[: bits // 8] if bits else coded

    def _symbols(self, report) -> Iterator[tuple[int, prefix_coder.Model]]:
        before = self.classes
        for rank, (angle, delay, real, imag) in enumerate(report):
            yield angle, self._model("angle", group(rank))
            yield delay, self._model("delay", group(rank))
            size, other = abs(real), abs(imag)
            yield size, self._model("real", before)
            yield other, self._model("imag", before, int(self.context(size, 0)))
            if size:
                yield int(real < 0), prefix_coder.SIGN
            if other:
                yield int(imag < 0), prefix_coder.SIGN
            before = int(self.context(real, imag))

    def decode(self, payload: bytes, most: int) -> np.ndarray:
        """Atoms that the first bytes of a report determine.

        Args:
            payload: a report, or its first bytes.
            most: more atoms are not decoded.

        Returns:
            Angle, delay, real and imaginary level of each, int64 `[atoms, 4]`.
        """
        decoder, before, found = prefix_coder.PrefixDecoder(payload), self.classes, []
        while len(found) < most:
            atom = self._next(decoder, group(len(found)), before)
            if atom is None:
                break
            found.append(atom)
            before = int(self.context(*atom[2:]))
        return np.array(found, np.int64).reshape(-1, 4)

    def _next(self, decoder, ranks: int, before: int) -> tuple | None:
        next_of = decoder.next
        if (angle := next_of(self._model("angle", ranks))) is None:
            return None
        if (delay := next_of(self._model("delay", ranks))) is None:
            return None
        if (real := next_of(self._model("real", before))) is None:
            return None
        context = int(self.context(real, 0))
        if (imag := next_of(self._model("imag", before, context))) is None:
            return None
        signed = []
        for size in (real, imag):
            negative = next_of(prefix_coder.SIGN) if size else 0
            if negative is None:
                return None
            signed.append(-size if negative else size)
        return angle, delay, *signed
