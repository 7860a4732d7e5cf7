"""Batched fixed-point iterations that stop sample by sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CHECK_EVERY = 10  # iterations between looks at the change


@dataclass(frozen=True)
class Stop:
    """When an iteration ends.

    Attributes:
        tolerance: a sample is done when ||x_k - x_(k-1)|| <= tolerance ||x_(k-1)||;
            looked at every `CHECK_EVERY` iterations.
        max_iterations: a sample that still moves is left as it is then.

    Raises:
        ValueError: a value is out of range.
    """

    tolerance: float = 1e-4
    max_iterations: int = 1000

    def __post_init__(self):
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"--tolerance={self.tolerance}: expected 0 or more")
        if self.max_iterations < 1:
            raise ValueError(
                f"--max_iterations={self.max_iterations}: expected 1 or more"
            )


@dataclass(frozen=True)
class Estimate:
    """What an iteration found.

    Attributes:
        x: `[n, N]`.
        iterations: int `[n]`, of each sample; `max_iterations` if it still moved.
    """

    x: np.ndarray
    iterations: np.ndarray


def check_measurement(a: np.ndarray, y: np.ndarray) -> None:
    """Refuse measurements that do not fit the matrix.

    Args:
        a: `[M, N]`.
        y: `[n, M]`.

    Raises:
        ValueError: wrong shape, NaN or infinity.
    """
    if y.ndim != 2 or y.shape[1] != len(a):
        raise ValueError(
            f"measurements have shape {y.shape}, expected [n, {len(a)}] for a matrix "
            f"of shape {a.shape}"
        )
    if not np.isfinite(y).all():
        raise ValueError("NaN or infinity in the measurements: check the CSI")


def iterate(
    step: Callable[..., tuple[np.ndarray, ...]],
    state: tuple[np.ndarray, ...],
    stop: Stop,
) -> Estimate:
    """Repeat `state = step(*state)` until each sample stands still.

    A sample that is done leaves the batch, so its estimate does not depend on its
    neighbours and the others get faster.

    Args:
        step: one iteration over a batch of any size.
        state: arrays `[n, ...]`; the first one is the estimate `[n, N]`. What a sample
            needs and what stays constant (its measurement) is part of it.
        stop: when to end.
    """
    x = np.empty_like(state[0])
    iterations = np.empty(len(x), int)
    active = np.arange(len(x))
    for k in range(1, stop.max_iterations + 1):
        previous, state = state[0], step(*state)
        last = k == stop.max_iterations
        if k % CHECK_EVERY and not last:
            continue
        moved = np.linalg.norm(state[0] - previous, axis=1)
        size = np.linalg.norm(previous, axis=1)
        done = (moved <= stop.tolerance * size) | last
        if done.any():
            x[active[done]], iterations[active[done]] = state[0][done], k
            active, state = active[~done], tuple(part[~done] for part in state)
        if not len(active):
            break
    return Estimate(x, iterations)
