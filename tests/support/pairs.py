"""Pairs of sides trained apart, and the error of what they recover."""

from __future__ import annotations

import numpy as np

from zoo.training import pairing


def pair(run, first) -> pairing.Pair:
    return pairing.Pair(run.path, first=first.path)


def nmse_db(h_hat, h) -> float:
    """Mean over samples, in float64."""
    error, power = (
        np.sum(np.square(x, dtype=float), axis=(1, 2, 3)) for x in (h_hat - h, h)
    )
    return 10 * np.log10(np.mean(error / power))
