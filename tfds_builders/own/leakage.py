"""Are test samples copies of training samples?

Neighbouring positions of a track have nearly the same channel. Where one is for
training and the next for testing, a network that has learnt its training samples by
heart looks good. Measured here: how near the nearest training sample of a test sample
is, compared with that of a training sample (another one). Distance is the NMSE that the
neighbour makes as an estimate, up to a complex factor: 1 - |<a, b>|^2 / (|a|^2 |b|^2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

QUERIES = 256
NEAR_DB = -10.0  # nearer, the neighbour itself is an estimate worth the name
APART_DB = 3.0
_FLOOR = 1e-7  # single precision cannot tell smaller distances from none


class Leakage(NamedTuple):
    """Median distances to the nearest training sample in dB.

    Attributes:
      test_db: of test samples.
      train_db: of training samples, to another one.
    """

    test_db: float
    train_db: float

    @property
    def suspicious(self) -> bool:
        """Test samples are near, and no further than training samples are."""
        return self.test_db < NEAR_DB and self.test_db < self.train_db + APART_DB

    def __str__(self) -> str:
        return (
            f"nearest training sample at {self.test_db:.1f} dB from a test sample, "
            f"{self.train_db:.1f} dB from a training sample (median NMSE)"
        )


def measure(
    train: Iterator[np.ndarray], test: np.ndarray, own: np.ndarray, places: np.ndarray
) -> Leakage:
    """Nearest training samples of test and training samples.

    Args:
      train: all training samples in order, blocks `[n, ...]` complex.
      test: some test samples `[q, ...]`.
      own: some training samples `[p, ...]`.
      places: `[p]` their numbers among the training samples.
    """
    queries = np.concatenate([_unit(test), _unit(own)]).conj().T
    nearest, start = np.zeros(queries.shape[1]), 0
    columns = len(test) + np.arange(len(own))
    for block in train:
        likeness = np.abs(_unit(block) @ queries)
        inside = (places >= start) & (places < start + len(block))
        likeness[places[inside] - start, columns[inside]] = 0
        np.maximum(nearest, likeness.max(axis=0), out=nearest)
        start += len(block)
    distance = 10 * np.log10(np.maximum(1 - nearest**2, _FLOOR))
    return Leakage(
        float(np.median(distance[: len(test)])),
        float(np.median(distance[len(test) :])),
    )


def some(count: int, seed: int) -> np.ndarray:
    """Numbers of at most `QUERIES` of so many samples, in order."""
    chosen = np.random.default_rng(seed).permutation(count)[:QUERIES]
    return np.sort(chosen)


def _unit(h: np.ndarray) -> np.ndarray:
    h = h.reshape(len(h), -1)
    return h / np.linalg.norm(h, axis=1, keepdims=True)
