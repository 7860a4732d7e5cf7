"""Cells of tables: numbers as people read them, which keep their values for files."""

from __future__ import annotations

import math
import re

USUAL_SHAPE = (32, 32, 2)  # of rows that do not say
RATIO = re.compile(r"1/[1-9]\d*")
AS_NUMBER = "as number"  # ends the name of a ratio's second column in a file


class Cell(str):
    """Text of a table's cell with the numbers that it shows.

    Attributes:
        values: number, None, bool or a ratio's text by the end of the column's name in
            a file: '' for that of the table's column, 'from' and 'to' for a spread.
    """

    values: dict[str, float | bool | str | None]

    def __new__(cls, text: str, **values):
        """`value`: that of the column itself."""
        cell = super().__new__(cls, text)
        cell.values = {"" if k == "value" else k: v for k, v in values.items()}
        return cell


UNPRINTED = Cell("–", value=None)  # the paper has no number there


def number(value) -> str:
    """A value as people read it, a number as `Cell`; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    form = ","
    if isinstance(value, float):
        small = 0 < abs(value) < 0.01
        form = ",.0f" if abs(value) >= 999.995 else ".2g" if small else ".2f"
        value = value or 0.0  # no minus before a zero
    return Cell(f"{value:{form}}", value=value)


def as_written(value) -> str:
    """A value with all its digits, a number as `Cell`."""
    if isinstance(value, int | float):
        return Cell(str(value), value=value)
    return str(value)


def whole(value) -> str:
    """A value as `number`, a whole one without decimals."""
    is_whole = isinstance(value, float) and value.is_integer()
    return number(int(value) if is_whole else value)


def fixed(value: float, digits: int = 2, sign: str = "") -> Cell:
    """A number with so many decimals; with `sign='+'` also a plus."""
    return Cell(f"{value:{sign}.{digits}f}", value=value)


def millions(count: int) -> Cell:
    """A count of operations as '0.42M'."""
    return Cell(f"{count / 1e6:.2f}M", value=count)


def words(key: str) -> str:
    """A key of JSON as words; a name such as encoder_dynamic.tflite as it is."""
    return key.replace("_", " ") if key.isidentifier() else key


def device(name: str) -> str:
    """A device as rows name it; older ones have '1 cores'."""
    return re.sub(r"\b1 cores\b", "1 core", name)


def spread(values: list[float], digits: int | None = None) -> Cell:
    """Smallest and largest of some values, as `number` or with so many decimals."""
    ends = {"from": min(values), "to": max(values)}
    shown = (number(x) if digits is None else fixed(x, digits) for x in ends.values())
    return Cell(" to ".join(shown), **ends)


def place(x) -> str:
    """A place on an axis; a ratio such as '1/16' is a number, too, for files."""
    if isinstance(x, str) and RATIO.fullmatch(x):
        return Cell(x, value=x, **{AS_NUMBER: 1 / int(x[2:])})
    return number(x)


def ratio(row: dict) -> Cell:
    """Compression ratio of a results row, as '1/16'; – of what sends no codeword."""
    if row["ratio"] is None:
        return UNPRINTED
    return place(f"1/{round(1 / row['ratio'])}")


def csi_values(row: dict) -> int:
    """Real values of one CSI matrix of a results row."""
    return math.prod((row.get("csi_shape") or USUAL_SHAPE)[-3:])


def variant(row: dict) -> str:
    """Network of a row with what its variant changes: 'clnet (variant=se)'."""
    options = ", ".join(f"{k}={v}" for k, v in sorted(row["model_args"].items()))
    return f"{row['model']} ({options})" if options else row["model"]
