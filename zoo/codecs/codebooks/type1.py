"""Type I single-panel codebook, mode 1, wideband: one index of whole precoders.

TS 38.214, 5.2.2.2.1, ranks 1 to 4 of 4 to 32 ports. The encoder (not standardised)
tries all of them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zoo.codecs.codebooks.fields import Reader, Report, written
from zoo.codecs.codebooks.panel import Panel, width

BATCH = 64  # channels at once
# Table 5.2.2.2.1-3 and -4: (k1 / O1, k2 / O2) of the second beam, by i1,3.
SQUARE = (0, 0), (1, 0), (0, 1), (1, 1)
WIDE = (0, 0), (1, 0), (0, 1), (2, 0)
LINE = (0, 0), (1, 0), (2, 0), (3, 0)
OTHERS = {
    (2, 1): ((1, 0),),
    (4, 1): ((1, 0), (2, 0), (3, 0)),
    (6, 1): ((1, 0), (2, 0), (3, 0), (4, 0)),
    (2, 2): ((1, 0), (0, 1), (1, 1)),
    (3, 2): ((1, 0), (0, 1), (1, 1), (2, 0)),
}
QUARTERS = np.exp(2j * np.pi * np.arange(4) / 4)  # phi, between polarisations
EIGHTHS = np.exp(2j * np.pi * np.arange(4) / 8)  # theta, between halves of the panel


class Pmi(NamedTuple):
    """Reported indices of n channels, int64 `[n]`; 0 where a rank has none."""

    i11: np.ndarray
    i12: np.ndarray
    i13: np.ndarray
    i2: np.ndarray


@dataclass(frozen=True)
class TypeI:
    """One configuration of the codebook.

    Attributes:
        panel: N1 and N2.
        num_subbands: that get the same precoder.
        rank: layers of a report, 1 to 4.

    Raises:
        ValueError: another rank.
    """

    panel: Panel
    num_subbands: int
    rank: int = 1

    def __post_init__(self):
        if not 1 <= self.rank <= 4:
            raise ValueError(f"rank={self.rank}: expected 1 to 4")

    @property
    def halved(self) -> bool:
        """Whether beams are of half the panel: ranks 3 and 4 of 16 ports or more."""
        return self.rank > 2 and self.panel.num_ports >= 16

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Values of i1,1, i1,2, i1,3 and i2."""
        o1, o2 = self.panel.oversampling
        first = self.panel.n1 * o1 // (2 if self.halved else 1)
        third = 4 if self.halved else len(self._second_beams)
        return first, self.panel.n2 * o2, third, 4 if self.rank == 1 else 2

    @property
    def _second_beams(self) -> tuple[tuple[int, int], ...]:
        n1, n2 = self.panel.n1, self.panel.n2
        if self.rank == 1:
            return ((0, 0),)
        if self.rank > 2:
            return OTHERS[n1, n2]
        if n2 == 1:
            return LINE if n1 > 2 else LINE[:2]
        return SQUARE if n1 == n2 else WIDE

    @functools.cached_property
    def precoders(self) -> np.ndarray:
        """All of them, complex128 `[i, P, rank]` of norm 1, i2 counting fastest."""
        indices = np.unravel_index(np.arange(math.prod(self.counts)), self.counts)
        columns = self._halved(*indices) if self.halved else self._whole(*indices)
        w = np.stack(columns[: self.rank], axis=-1)
        return w / np.linalg.norm(w, axis=(1, 2), keepdims=True)

    def _beams(self, first: np.ndarray, second: np.ndarray, n1: int) -> np.ndarray:
        """Beams `[i, n1 N2]` of the first n1 columns."""
        o1, o2 = self.panel.oversampling
        parts = [
            np.exp(2j * np.pi * m[:, None] * np.arange(n) / period)
            for m, n, period in (
                (first, n1, o1 * self.panel.n1),
                (second, self.panel.n2, o2 * self.panel.n2),
            )
        ]
        return np.einsum("ia,ib->iab", *parts).reshape(len(first), -1)

    def _whole(self, i11, i12, i13, i2) -> list[np.ndarray]:
        """Columns from two beams of the whole panel."""
        o1, o2 = self.panel.oversampling
        k1, k2 = np.array(self._second_beams)[i13].T
        v = self._beams(i11, i12, self.panel.n1)
        other = self._beams(i11 + o1 * k1, i12 + o2 * k2, self.panel.n1)
        phi = QUARTERS[i2][:, None]
        order = (v, other, v, other) if self.rank > 2 else (v, other)
        signs = {1: (1,), 2: (1, -1), 3: (1, 1, -1), 4: (1, 1, -1, -1)}[self.rank]
        return [
            np.concatenate([x, sign * phi * x], axis=1)
            for x, sign in zip(order, signs, strict=False)
        ]

    def _halved(self, i11, i12, i13, i2) -> list[np.ndarray]:
        """Columns from one beam of half the panel."""
        v = self._beams(2 * i11, i12, self.panel.n1 // 2)
        theta, phi = EIGHTHS[i13][:, None], QUARTERS[i2][:, None]
        return [
            np.concatenate(
                [v, half * theta * v, pol * phi * v, half * pol * phi * theta * v],
                axis=1,
            )
            for half, pol in ((1, 1), (-1, 1), (1, -1), (-1, -1))
        ]

    def encode(self, vectors: np.ndarray) -> Pmi:
        """Indices of the precoders most like eigenvectors complex `[n, N3, P, rank]`.

        Raises:
            ValueError: vectors of another shape, of zeros, or not finite.
        """
        vectors = self.panel.check(vectors, self.num_subbands, self.rank)
        vectors = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
        best = np.zeros(len(vectors), np.int64)
        for start in range(0, len(vectors), BATCH):
            part = vectors[start : start + BATCH]
            score = 0
            for layer in range(self.rank):
                along = self.precoders[..., layer].conj() @ np.swapaxes(
                    part[..., layer], -1, -2
                )
                score = score + np.sum(np.abs(along) ** 2, axis=-1)
            best[start : start + BATCH] = score.argmax(axis=-1)
        return Pmi(*np.unravel_index(best, self.counts))

    def decode(self, pmi: Pmi) -> np.ndarray:
        """Precoders complex128 `[n, N3, P, rank]` of Frobenius norm 1."""
        w = self.precoders[np.ravel_multi_index(tuple(pmi), self.counts)]
        return np.repeat(w[:, None], self.num_subbands, axis=1)

    def pack(self, pmi: Pmi) -> list[Report]:
        """Report of each of n channels, all in one part."""
        widths = [width(count) for count in self.counts]
        rows = np.stack(pmi, axis=1).tolist()
        return [Report("", written(zip(row, widths, strict=True))) for row in rows]

    def unpack(self, reports: list[Report]) -> Pmi:
        """Indices of reports.

        Raises:
            ValueError: a report that the configuration cannot have.
        """
        rows = []
        for _, bits in reports:
            reader = Reader(bits)
            rows.append([reader.below(count, width(count)) for count in self.counts])
            reader.end()
        return Pmi(*np.array(rows, np.int64).reshape(-1, 4).T)
