"""Functions of large arrays, a batch at a time."""

from __future__ import annotations

import numpy as np

BATCH = 500


def in_batches(function, *values: np.ndarray) -> np.ndarray:
    """Output of a function of arrays `[n, ...]`, for `BATCH` rows at a time."""
    starts = range(0, len(values[0]), BATCH)
    parts = [function(*(x[i : i + BATCH] for x in values)) for i in starts]
    return np.concatenate(parts)
