"""Uniform scalar quantisers whose levels are entropy-coded by context."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from serving.codec import prefix_coder
from serving.codec.prefix_coder import PrefixDecoder

ContextOf = Callable[[int, list[int]], int]
ROUND_UP = 0.4  # |x| / step is rounded up from there on: a zero costs fewer bits
PRIOR = 6  # made-up values in the middle of a level, for those that are rare


@dataclass(frozen=True)
class LevelTables:
    """What both ends know of the levels of a codec.

    Attributes:
        size: frequencies of |level|, `[contexts, sizes]`, see `prefix_coder`.
        centroids: value of a size in steps, float64 `[contexts, sizes]`.
        step: width of a level.
    """

    size: np.ndarray
    centroids: np.ndarray
    step: float

    def __post_init__(self):
        object.__setattr__(self, "size", prefix_coder.check_tables(self.size, "size"))
        if self.size.ndim != 2 or self.centroids.shape != self.size.shape:
            raise ValueError(
                f"centroids have shape {list(self.centroids.shape)}, sizes "
                f"{list(self.size.shape)}: damaged tables"
            )
        if not 0 < self.step < np.inf or not np.isfinite(self.centroids).all():
            raise ValueError(f"step={self.step} or centroids: damaged tables")

    def first(self, num: int) -> LevelTables:
        """The tables of the first contexts."""
        return LevelTables(self.size[:num], self.centroids[:num], self.step)

    @property
    def largest(self) -> int:
        """Largest size of a level."""
        return self.size.shape[1] - 1

    def values(self, levels: np.ndarray, contexts: np.ndarray) -> np.ndarray:
        """What levels stand for, float64."""
        return np.sign(levels) * self.centroids[contexts, np.abs(levels)] * self.step

    def lengths(self, levels: np.ndarray, contexts: np.ndarray) -> np.ndarray:
        """Ideal bits of each level."""
        share = self.size[contexts, np.abs(levels)] / prefix_coder.TOTAL
        return (levels != 0) - np.log2(share)

    @functools.cached_property
    def _models(self) -> list[prefix_coder.Model]:
        return [prefix_coder.Model(row) for row in self.size]

    def symbols(self, levels, contexts) -> Iterator[tuple[int, prefix_coder.Model]]:
        """Symbols of levels `[count]` with contexts, for `prefix_coder.encode`."""
        for level, context in zip(levels.tolist(), contexts.tolist(), strict=True):
            yield abs(level), self._models[context]
            if level:
                yield int(level < 0), prefix_coder.SIGN

    def decode(
        self, decoder: PrefixDecoder, count: int, context_of: ContextOf
    ) -> np.ndarray:
        """Levels that bytes determine; the others are 0.

        Args:
            decoder: of a report, or of its first bytes.
            count: levels of a report.
            context_of: context of level i, given those before it.

        Returns:
            int64 `[count]`.
        """
        levels: list[int] = []
        while len(levels) < count:
            size = decoder.next(self._models[context_of(len(levels), levels)])
            negative = decoder.next(prefix_coder.SIGN) if size else 0
            if size is None or negative is None:
                break
            levels.append(-size if negative else size)
        return np.array(levels + [0] * (count - len(levels)), np.int64)


def quantise(x: np.ndarray, step: float, largest: int = 2**31) -> np.ndarray:
    """Levels int64 of real values, zero wider than the others."""
    size = np.floor(np.abs(x) / step + ROUND_UP).clip(0, largest)
    return (np.sign(x) * size).astype(np.int64)


def fit(x: np.ndarray, levels: np.ndarray, contexts: np.ndarray, step, num_contexts):
    """Tables of the levels of real training values, all `[...]` of one shape.

    Returns:
        LevelTables.
    """
    size = np.abs(levels)
    largest = int(1.5 * size.max()) + 2
    counts, sums = np.zeros((2, num_contexts, largest + 1))
    np.add.at(counts, (contexts, size), 1)
    np.add.at(sums, (contexts, size), np.abs(x) / step)
    middle = np.arange(largest + 1) + 0.5 - ROUND_UP
    centroids = (sums + PRIOR * middle) / (counts + PRIOR)
    centroids[:, 0] = 0
    # What was not seen at a size was seen at others: an exponential tail of its own.
    mean = (counts @ np.arange(largest + 1) + 0.05) / (counts.sum(axis=1) + 1)
    decay = (mean / (1 + mean))[:, None] ** np.arange(largest + 1)
    tail = decay / decay.sum(axis=1, keepdims=True)
    table = prefix_coder.tables_of(counts + PRIOR * tail)
    return LevelTables(table, centroids, step)
