"""Tables of rate curves: one to read, and one with all that was measured."""

from __future__ import annotations

from zoo.reporting.blocks import NMSE_UNIT, Table
from zoo.reporting.cells import Cell, fixed, number
from zoo.reporting.rate_curves import CODECS, channels, name_of

REPORTS = {"mean": "mean", "fixed": "at most", None: "always"}


def overview(content: dict) -> Table:
    """A row for each curve: NMSE, and behind it the bits that were sent in the mean."""
    rows = sorted(content["rows"], key=_order)
    places = sorted({_place(row) for row in rows})
    curves: dict[tuple, dict] = {}
    for row in rows:
        key = name_of(row), REPORTS[row["rate"]]
        curves.setdefault(key, {})[_place(row)] = _cell(row)
    columns = ["ours, NMSE [dB] (bits sent)", "bits", *(f"{x:,}" for x in places)]
    cells = [[*key, *(own.get(x, "") for x in places)] for key, own in curves.items()]
    return Table(columns, cells, f"NMSE over bits, {content['rate_curves']['dataset']}")


def _order(row: dict) -> tuple:
    names = list(CODECS)
    place = names.index(row["model"]) if row["model"] in names else len(names)
    return bool(row["fitted_on"]), row["rate"] == "fixed", place, name_of(row)


def _place(row: dict) -> int:
    """Column of a row: the bits asked for, or those that are always sent."""
    return row["report_bits"] or round(row["feedback_bits"])


def _cell(row: dict) -> Cell:
    bits = row["feedback_bits"]
    shown = f"{row['nmse_db']:.2f} ({bits:.0f})"
    return Cell(shown, value=row["nmse_db"], **{"bits sent": bits})


COLUMNS = (
    "codec or network", "bits asked for", "bits are", "feedback bits",
    "shortest to longest report", f"ours, {NMSE_UNIT}", "ours, worst CSI [dB]",
    "ours, rho", "ours, SGCS", "ours, beamforming loss [dB]", "fitted on",
    "training CSI",
)  # fmt: skip


def everything(content: dict, name: str) -> Table:
    """A row for each point; columns without any cell are left out.

    Args:
        content: of a results file with rate curves.
        name: of the table's files.
    """
    rows = [_cells(row) for row in sorted(content["rows"], key=_order)]
    filled = [i for i in range(len(COLUMNS)) if any(row[i] for row in rows)]
    cells = [[row[i] for i in filled] for row in rows]
    return Table([COLUMNS[i] for i in filled], cells, "Every point.", name)


def _cells(row: dict) -> list[str]:
    low, high = row["feedback_bits_min_max"]
    lengths = Cell(f"{low:,.0f} to {high:,.0f}", **{"from": low, "to": high})
    errors = ("rho", 4), ("sgcs", 4), ("beamforming_loss_db", 3)
    return [
        name_of(row),
        number(row["report_bits"]),
        REPORTS[row["rate"]],
        number(row["feedback_bits"]),
        lengths,
        fixed(row["nmse_db"]),
        fixed(row["nmse_worst_db"], 1),
        *(fixed(row[key], digits) if key in row else "" for key, digits in errors),
        channels(row["fitted_on"] or ""),
        number(row.get("num_train")),
    ]
