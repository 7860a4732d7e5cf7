"""Reports as strings of bits, as TS 38.212 (6.3.2.1.2) has them: part 1 and part 2."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Report(NamedTuple):
    """Bits of a report of a PMI, without rank and channel quality.

    Attributes:
        part1: what the length of part 2 follows from, of '0' and '1'.
        part2: the other fields.
    """

    part1: str
    part2: str

    @property
    def num_bits(self) -> int:
        """Of both parts."""
        return len(self.part1) + len(self.part2)


def written(fields: Iterable[tuple[int, int]]) -> str:
    """Bits of (value, width) in turn, the most significant first; width 0: none."""
    return "".join(f"{value:0{width}b}" for value, width in fields if width)


class Reader:
    """Reads fields of one part in turn.

    Args:
        bits: of '0' and '1'.
    """

    def __init__(self, bits: str):
        self._bits, self._at = bits, 0

    def take(self, width: int) -> int:
        """Value of the next field.

        Raises:
            ValueError: too few bits, or others than 0 and 1.
        """
        found = self._bits[self._at : self._at + width]
        if len(found) < width or set(found) - {"0", "1"}:
            raise ValueError(
                f"report of {len(self._bits)} bits, expected {width} of 0 and 1 from "
                f"bit {self._at} on: it is damaged or of another configuration"
            )
        self._at += width
        return int(found or "0", 2)

    def below(self, count: int, width: int) -> int:
        """Value of the next field, which must be less than `count`.

        Raises:
            ValueError: it is not, or as `take`.
        """
        value = self.take(width)
        if value >= count:
            raise ValueError(
                f"field before bit {self._at} is {value}, expected 0 to {count - 1}: "
                "the report is damaged or of another configuration"
            )
        return value

    def end(self) -> None:
        """All bits must have been taken.

        Raises:
            ValueError: some are left.
        """
        if self._at != len(self._bits):
            raise ValueError(
                f"report of {len(self._bits)} bits, expected {self._at}: it is damaged "
                "or of another configuration"
            )
