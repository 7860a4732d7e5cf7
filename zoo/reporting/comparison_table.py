"""The leaderboard of a comparison: every network, length and payload, one row each."""

from __future__ import annotations

import pandas as pd

from zoo.baselines.catalogue import CODED
from zoo.reporting.blocks import KLT, NMSE_UNIT, Table
from zoo.reporting.cells import UNPRINTED, Cell, fixed, millions, number, spread
from zoo.reporting.rate_columns import CODEC, bits_cell
from zoo.reporting.rate_curves import FEWER

NOTE = "note"  # the last column
LOG = ", see "  # begins where more is to be read
IN_TERMINAL = (
    "network", "M", "feedback bits", NMSE_UNIT, "spread", "rho", "UE MACs",
    "encoder [kB]", "minutes", "seeds",
)  # fmt: skip


def leaderboard(content: dict) -> Table:
    """Leaderboard of a comparison, the longest codewords and the best NMSE first.

    Columns without any cell are left out.
    """
    codecs = [
        line
        for line in content["summary"]
        if line["network"] in CODED and line["nmse_db"] is not None
    ]
    rows = [_cells(line, codecs) for line in content["summary"]]
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    cells = [[row[name] for name in names] for row in rows]
    return Table(names, cells, caption(content), "leaderboard")


def caption(content: dict) -> str:
    """What is equal in a comparison."""
    about = content["comparison"]
    minutes, epochs = about["minutes"], about["epochs"]
    length = f"{minutes:g} minutes" if minutes else f"{epochs} epochs"
    sizes = {row["num_train"] for row in content["rows"]}
    examples = f" on {max(sizes):,} training CSI" if sizes else ""
    seeds = about["seeds"]
    notes = "".join(f"; {note}" for note in content.get("notes", ()))
    return (
        f"{about['dataset']}: {length} each{examples}, "
        f"{seeds} seed{'s' * (seeds != 1)}; fp32 encoders{notes}"
    )


def title_of(line: dict) -> str:
    """Name of a line's network or method."""
    return KLT if line["network"] == "klt" else line["network"]


def text(content: dict) -> str:
    """The main columns of the leaderboard for a terminal, and what failed below it."""
    table = leaderboard(content)
    shown = [i for i, name in enumerate(table.columns) if name in IN_TERMINAL]
    cells = [[str(row[i]) for i in shown] for row in table.rows]
    frame = pd.DataFrame(cells, columns=[table.columns[i] for i in shown])
    width = frame["network"].str.len().max()
    left = {"network": f"{{:<{width}}}".format}
    failed = [
        f"{line['network']}, M = {line['codeword_dim']}: {line['error']}"
        for line in content["summary"]
        if line["error"]
    ]
    found = frame.to_string(index=False, formatters=left)
    return "\n".join([table.caption, "", found, *failed])


def _codec(line: dict, codecs: list[dict]) -> str:
    """NMSE of the best codec at the bits of a line that is none itself, or at fewer."""
    if line["network"] in CODED or not codecs:
        return ""
    known = [x for x in codecs if x["feedback_bits"] <= line["feedback_bits"]]
    if not known:
        return UNPRINTED
    best = min(known, key=lambda x: x["nmse_db"])
    payload = [(x["codeword_dim"], x["bits"]) for x in (best, line)]
    mark = f"{FEWER} " if payload[0] != payload[1] else ""
    value = best["nmse_db"]
    return Cell(f"{mark}{value:.2f}", value=value, codec=best["network"])


def _cells(line: dict, codecs: list[dict]) -> dict[str, str]:
    """Cells of a row by the name of their column."""
    ends = line["nmse_db_min_max"]
    size, coded = line["ue_bytes_fp32"], line["network"] in CODED
    is_float = not (coded or line["bits"])
    return {
        "network": title_of(line),
        "M": number(None if coded else line["codeword_dim"]),
        "bits per entry": number(None if coded else line["bits"] or None),
        "feedback bits": bits_cell(round(line["feedback_bits"]), is_float),
        NMSE_UNIT: _fixed(line["nmse_db"]),
        CODEC: _codec(line, codecs),
        "spread": spread(ends) if line["seeds"] > 1 else "",
        "rho": _fixed(line["rho"], 4),
        "SGCS": _fixed(line["sgcs"], 4),
        "UE MACs": _millions(line["ue_macs"]),
        "UE parameters": number(line["ue_params"]),
        "BS MACs": _millions(line["bs_macs"]),
        "encoder [kB]": "" if size is None else Cell(f"{size / 1e3:,.0f}",
                                                    value=size / 1e3),
        "minutes": _fixed(line["minutes"], 1),
        "epochs": number(line["epochs"]),
        "start": number(line["init"]),
        "seeds": number(line["seeds"]),
        NOTE: _note(line),
    }  # fmt: skip


def _note(line: dict) -> str:
    if not line["failed"]:
        return ""
    return f"{line['failed']} failed: {line['error'].partition(LOG)[0]}"


def _fixed(value: float | None, digits: int = 2) -> str:
    return "" if value is None else fixed(value, digits)


def _millions(value: int | None) -> str:
    return "" if value is None else millions(value)
