"""Bits of a Type II report, read by the clauses of TS 38.212 and 38.214."""

from __future__ import annotations

import itertools
import math


def log(count: int) -> int:
    """Bits of an index of so many."""
    return math.ceil(math.log2(count))


class Reader:
    """Takes the bits of a part as numbers, one after another."""

    def __init__(self, part: str):
        self._bits = iter(part)

    def __call__(self, size: int) -> int:
        return int("0" + "".join(itertools.islice(self._bits, size)), 2)

    def left(self) -> list[str]:
        return list(self._bits)


def take_beams(take: Reader, n1: int, n2: int, o2: int, num_beams: int) -> list:
    """Beams `(l, m)` of i1,1 and i1,2 (38.214, 5.2.2.2.3)."""
    q1, q2 = divmod(take(log(4 * o2)), o2)
    i12, s, beams = take(log(math.comb(n1 * n2, num_beams))), 0, []
    for i in range(num_beams):
        x = max(
            x for x in range(num_beams - 1 - i, n1 * n2 - i)
            if i12 - s >= math.comb(x, num_beams - i)
        )  # fmt: skip
        s += math.comb(x, num_beams - i)
        second, first = divmod(n1 * n2 - 1 - x, n1)
        beams.append((4 * first + q1, o2 * second + q2))
    return beams
