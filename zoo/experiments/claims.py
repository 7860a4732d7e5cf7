"""What a paper claims of its tables and figures; `zoo.experiments.verdicts` judges."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Claim(NamedTuple):
    """A claim of a trend; smaller is better.

    Attributes:
        text: what is claimed.
        better: series, or a place that all series are compared at, or a level as a
            float in their unit.
        worse: another one.
        at: places, or series where places are compared, that it is made for; none: all.
        by: how much better at least, in their unit; -0.5: at most 0.5 worse.
        over: what is compared instead of the values at each place: a function of a
            series' values in the order of their places, as `setback`.
        minus: series that is taken off first: what is compared is the gain over it.
    """

    text: str
    better: object
    worse: object
    at: tuple = ()
    by: float = 0.0
    over: Callable[[Sequence[float]], float] | None = None
    minus: str = ""


def spread(values: Sequence[float]) -> float:
    """From the smallest to the largest value."""
    return max(values) - min(values)


def setback(values: Sequence[float]) -> float:
    """The largest rise from a value to a later one, 0 if there is none."""
    lowest = itertools.accumulate(values, min)
    return max(value - low for value, low in zip(values, lowest, strict=True))


def change(values: Sequence[float]) -> float:
    """From the first value to the last."""
    return values[-1] - values[0]


def beats(better: str, *others: str, at: tuple = ()) -> tuple[Claim, ...]:
    """Claims that a series is better than each of some others."""
    return tuple(Claim(f"{better} better than {x}", better, x, at) for x in others)


def chain(worse_to_better: tuple[str, ...]) -> tuple[Claim, ...]:
    """Claims that each series is better than the one before it."""
    pairs = itertools.pairwise(worse_to_better)
    return tuple(claim for worse, better in pairs for claim in beats(better, worse))
