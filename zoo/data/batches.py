"""Batches: how many there are, and functions of large arrays a batch at a time."""

from __future__ import annotations

import numpy as np

BATCH = 500


def in_batches(function, *values: np.ndarray) -> np.ndarray:
    """Output of a function of arrays `[n, ...]`, for `BATCH` rows at a time."""
    starts = range(0, len(values[0]), BATCH)
    parts = [function(*(x[i : i + BATCH] for x in values)) for i in starts]
    return np.concatenate(parts)


def steps_per_epoch(num_train: int, batch_size: int) -> int:
    """Whole batches in an epoch.

    Raises:
        ValueError: fewer examples than one batch.
    """
    if num_train < batch_size:
        raise ValueError(
            f"{num_train} training examples are less than --batch_size={batch_size}"
        )
    return num_train // batch_size
