"""Subsets as one index, by the combinatorial number system of TS 38.214 (5.2.2.2.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def index_of(members: Sequence[int], of: int) -> int:
    """Index of a subset of 0 to `of` - 1, members rising: sum of C(of - 1 - m, left).

    `left` counts the members from this one on, so that the last subset has index 0.
    """
    count = len(members)
    return sum(math.comb(of - 1 - m, count - i) for i, m in enumerate(members))


def subset_of(index: int, count: int, of: int) -> list[int]:
    """The subset of `count` members with an index, rising.

    Raises:
        ValueError: no subset has it.
    """
    if not 0 <= index < math.comb(of, count):
        raise ValueError(
            f"index {index} of {count} out of {of}: expected 0 to "
            f"{math.comb(of, count) - 1}, the report is damaged"
        )
    members = []
    for left in range(count, 0, -1):
        x = left - 1
        while math.comb(x + 1, left) <= index:
            x += 1
        index -= math.comb(x, left)
        members.append(of - 1 - x)
    return members
