"""The quantiser's step at which a codec takes so many bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

FINEST = 2000  # levels of the largest values at most


class AtOneStep(Protocol):
    """What is fitted at one step.

    Attributes:
        mean_bits: ideal, of the training CSI.
    """

    mean_bits: float


Found = TypeVar("Found", bound=AtOneStep)


def bisect(
    fitted_at: Callable[[float], Found],
    largest: float,
    bits: float,
    trials: int,
    levels: float = FINEST,
) -> Found:
    """What `fitted_at` gives at the step that takes so many bits in the mean.

    Args:
        fitted_at: function of the step.
        largest: value that steps are measured by.
        bits: wanted.
        trials: bisections.
        levels: of the largest values at most.
    """
    low, high = math.log(largest / levels), math.log(largest)
    for _ in range(trials):
        middle = (low + high) / 2
        found = fitted_at(math.exp(middle))
        low, high = (middle, high) if found.mean_bits > bits else (low, middle)
    return found
