"""Tables of a report as CSV, with full numbers, and as LaTeX, as the report shows them.

In a CSV the numbers of a spread, and whether one is on a front, have columns of their
own, named `COLUMN, from` and so on. LaTeX needs the package booktabs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from zoo import files
from zoo.reporting.blocks import Details, Section, Table
from zoo.reporting.cells import Cell

UNNAMED = "name"  # what a column without a name is called
LATEX = str.maketrans({
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "–": "--",
    "●": r"$\bullet$", "×": r"$\times$", "→": r"$\rightarrow$", "ρ": r"$\rho$",
    "µ": r"$\mu$", "−": "$-$", "↑": r"$\uparrow$", "≤": r"$\leq$", "\n": " ",
    "±": r"$\pm$", "“": "``", "”": "''",
})  # fmt: skip


def named(blocks: Iterable) -> Iterator[Table]:
    """Tables that have a name, in blocks and in what is folded into them."""
    for block in blocks:
        if isinstance(block, Table) and block.name:
            yield block
        elif isinstance(block, Section | Details):
            yield from named(block.blocks)


def write(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Write FOLDER/NAME.csv and FOLDER/NAME.tex of each table.

    Returns:
        What was written.
    """
    written = []
    for table in tables:
        for ending, text in ((".csv", csv(table)), (".tex", latex(table))):
            written.append(folder / f"{table.name}{ending}")
            files.write_text(written[-1], text)
    return written


def frame(table: Table) -> pd.DataFrame:
    """The numbers behind a table; a column of numbers has a numeric type."""
    return pd.DataFrame(_columns(table)).convert_dtypes()


def _columns(table: Table) -> dict[str, list]:
    """Values by column of a file."""
    columns: dict[str, list] = {}
    for i, name in enumerate(table.columns):
        cells = [row[i] for row in table.rows]
        ends = dict.fromkeys(e for c in cells if isinstance(c, Cell) for e in c.values)
        for end in ends or {"": None}:
            unique = _unique(", ".join(filter(None, (name or UNNAMED, end))), columns)
            columns[unique] = [_value(cell, end) for cell in cells]
    return columns


def _unique(name: str, taken: dict) -> str:
    unique, count = name, 1
    while unique in taken:
        unique, count = f"{name} ({count + 1})", count + 1
    return unique


def _value(cell: str, end: str):
    """Number of a cell; None where there is none."""
    if isinstance(cell, Cell):
        return cell.values.get(end)
    return None if end else cell or None


def csv(table: Table) -> str:
    """A table as comma-separated values with a head; whole numbers are whole."""
    values = pd.DataFrame(_columns(table), dtype=object)
    return values.to_csv(index=False, lineterminator="\n")


def latex(table: Table) -> str:
    """A table as LaTeX, numbers to the right."""
    shown = pd.DataFrame([[cell.translate(LATEX) for cell in r] for r in table.rows])
    shown.columns = [(name or UNNAMED).translate(LATEX) for name in table.columns]
    cells = zip(*table.rows, strict=True)
    kinds = "".join("lr"[any(isinstance(c, Cell) for c in own)] for own in cells)
    return shown.to_latex(
        index=False, escape=False, column_format=kinds, label=f"tab:{table.name}",
        caption=table.caption.translate(LATEX) or None,
    )  # fmt: skip
