"""Table of sides trained apart beside pairs trained jointly, means over seeds."""

from __future__ import annotations

import numpy as np

from zoo.reporting.blocks import NMSE_UNIT, Table
from zoo.reporting.cells import Cell, fixed, number, spread, whole

ORDERS = {"joint": "joint", "nw_first": "network first", "ue_first": "UE first"}
KINDS = {"nmse_db": (NMSE_UNIT, "dB"), "sgcs": ("SGCS", "SGCS")}
SIGN = {"nmse_db": 1, "sgcs": -1}  # of a difference that is worse
HEAD = ["training", "encoder", "decoder", "seeds", "feedback bits"]


def table(content: dict) -> Table:
    """Pairs by who was first; what they lose is against the pair that was first.

    Args:
        content: of `benchmarks.collaboration`.
    """
    found: dict[tuple, list[dict]] = {}
    for row in content["rows"]:
        key = row["order"], row["encoder"], row["decoder"]
        found.setdefault(key, []).append(row)
    kinds = [k for k in KINDS if all(r[k] is not None for r in content["rows"])]
    columns = list(HEAD)
    for kind in kinds:
        mean, lost = KINDS[kind]
        columns += [mean, f"{mean}, spread", f"{lost} lost against the first pair"]
    columns.append("equal indices")
    cells = []
    for (order, encoder, decoder), rows in found.items():
        line = [ORDERS[order], encoder, decoder, number(len(rows))]
        line.append(whole(float(np.mean([row["feedback_bits"] for row in rows]))))
        for kind in kinds:
            line += _measured(kind, rows)
        cells.append([*line, _share(rows)])
    return Table(columns, cells)


def _measured(kind: str, rows: list[dict]) -> list[str]:
    """Mean, spread, and the mean loss against the pair that was first."""
    values = [row[kind] for row in rows]
    lost = [SIGN[kind] * (row[kind] - row["first"][kind]) for row in rows]
    digits = 2 if kind == "nmse_db" else 4
    between = spread(values, digits) if len(set(values)) > 1 else ""
    return [
        fixed(float(np.mean(values)), digits), between,
        fixed(float(np.mean(lost)), digits, "+"),
    ]  # fmt: skip


def _share(rows: list[dict]) -> str:
    """Codeword entries that both encoders send alike; nothing where there is one."""
    shares = [r["index_agreement"] for r in rows if r["index_agreement"] is not None]
    if not shares:
        return ""
    mean = float(np.mean(shares))
    return Cell(f"{mean:.1%}", value=mean)
