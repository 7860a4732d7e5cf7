"""Transform codecs: linear coefficients, one step for all, coded in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from serving.codec import prefix_coder
from zoo.codecs import levels
from zoo.codecs.levels import LevelTables
from zoo.codecs.step_search import bisect
from zoo.codecs.transforms import Dft, Karhunen

TRIALS = 10  # bisections of the step


@dataclass(frozen=True)
class TransformCodec:
    """Encoder and decoder at one operating point.

    Attributes:
        transform: `Karhunen` or `Dft`.
        tables: of the levels.
        shape: (N_t, N_a).
        count: levels of a report.
    """

    transform: Karhunen | Dft
    tables: LevelTables
    shape: tuple[int, int]
    count: int

    def __post_init__(self):
        entries, contexts = self.transform.sizes, len(self.tables.size)
        most = 2 * entries[0]
        if not (isinstance(self.count, int) and 2 <= self.count <= most):
            raise ValueError(f"count={self.count}: expected 2 to {most} levels")
        if len(self.shape) != 2 or math.prod(self.shape) != entries[1]:
            raise ValueError(f"shape={self.shape}: expected {entries[1]} entries")
        if contexts < self.transform.num_contexts:
            raise ValueError(
                f"tables of {contexts} contexts, expected {self.transform.num_contexts}"
            )

    def levels(self, h: np.ndarray) -> np.ndarray:
        """Levels int64 `[n, count]` of CSI, complex `[n, N_t, N_a]`."""
        x = self.transform.coefficients(h)[:, : self.count]
        return levels.quantise(x, self.tables.step, self.tables.largest)

    def csi(self, found: np.ndarray) -> np.ndarray:
        """CSI complex128 `[n, N_t, N_a]` of levels `[n, count]`."""
        x = self.tables.values(found, self.transform.contexts(found))
        return self.transform.csi(x).reshape(-1, *self.shape)

    def lengths(self, found: np.ndarray) -> np.ndarray:
        """Ideal bits `[n]` of levels `[n, count]`."""
        return self.tables.lengths(found, self.transform.contexts(found)).sum(axis=1)

    def encode(self, h: np.ndarray, budget: int = 0) -> list[bytes]:
        """Report of each CSI `[n, N_t, N_a]`, cut to `budget` bits (0: not)."""
        found = self.levels(h)
        contexts = self.transform.contexts(found)
        reports = [
            prefix_coder.encode(self.tables.symbols(*report))
            for report in zip(found, contexts, strict=True)
        ]
        return [r[: budget // 8] if budget else r for r in reports]

    def decode(self, reports: Sequence[bytes]) -> np.ndarray:
        """CSI complex128 `[n, N_t, N_a]` of reports, or of their first bytes."""
        decoders = [prefix_coder.PrefixDecoder(report) for report in reports]
        return self.csi(np.stack([self.decode_levels(d) for d in decoders]))

    def decode_levels(self, decoder: prefix_coder.PrefixDecoder) -> np.ndarray:
        """Levels int64 `[count]` of a report."""
        return self.tables.decode(decoder, self.count, self.transform.context_of)


class Fitted(NamedTuple):
    """Tables of one step.

    Attributes:
        tables: LevelTables.
        count: levels of a report.
        mean_bits: ideal, of the training CSI.
    """

    tables: LevelTables
    count: int
    mean_bits: float


def fit(transform, h: np.ndarray, bits: float) -> TransformCodec:
    """Codec whose reports of training CSI have so many bits in the mean."""
    x = transform.coefficients(h)
    largest = np.abs(x).max()
    found = bisect(lambda step: fitted(transform, x, step), largest, bits, TRIALS)
    return made(transform, found, h.shape[1:])


def made(transform, found: Fitted, shape: tuple[int, int]) -> TransformCodec:
    """Codec of fitted tables: what reports do not use is left out."""
    used = transform.first(found.count // 2)
    tables = found.tables.first(used.num_contexts)
    return TransformCodec(used, tables, shape, found.count)


def fitted(transform, x: np.ndarray, step: float) -> Fitted:
    """Tables of training coefficients `[n, all]` at one step."""
    found = levels.quantise(x, step)
    used = np.flatnonzero((found != 0).mean(axis=0) > 1e-3)
    count = 2 * (int(used.max()) // 2 + 1) if len(used) else 2
    x, found = x[:, :count], found[:, :count]
    contexts = transform.contexts(found)
    tables = levels.fit(x, found, contexts, step, transform.num_contexts)
    bits = tables.lengths(found, contexts).sum(axis=1)
    return Fitted(tables, count, float(bits.mean()))
