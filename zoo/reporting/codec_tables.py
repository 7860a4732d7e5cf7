"""Tables of the codecs: where they stop winning, and what the pursuit is made of."""

from __future__ import annotations

from zoo.reporting.blocks import Table
from zoo.reporting.cells import Cell, number

WIDTH = "ours, NMSE [dB] (bits sent)"
SYSTEMS = {
    "pursuit": "pursuit",
    "pursuit noise known": "noise known",
    "pursuit noise estimated": "noise estimated",
    "pursuit calibrated": "calibrated",
    "dft": "DFT taps",
    "klt_coded": "KLT",
    "klt_mixture": "16 KLTs",
    "crnet_indoor_16": "CRNet 1/16, indoor",
}
SAME = 1.1  # times the bits asked for


def robustness(content: dict) -> Table:
    """A row for each condition and rate: NMSE of every system, and the bits it sent."""
    found: dict[tuple, dict[str, dict]] = {}
    for row in content["rows"]:
        key = row["channels"], row["condition"], row["report_bits"]
        found.setdefault(key, {})[row["system"]] = row
    shown = [name for name in SYSTEMS if any(name in own for own in found.values())]
    columns = [f"channels; {WIDTH}", "condition", "bits", "least error"]
    cells = [
        [
            *map(number, key),
            _best(own, key[2]),
            *(_cell(own.get(name)) for name in shown),
        ]
        for key, own in sorted(found.items(), key=_order(content))
    ]
    return Table([*columns, *(SYSTEMS[name] for name in shown)], cells)


def _order(content: dict):
    """Key that keeps channels and conditions as they were measured, bits behind."""
    places: dict = {}
    for row in content["rows"]:
        places.setdefault(row["channels"], len(places))
        places.setdefault((row["channels"], row["condition"]), len(places))
    return lambda item: (places[item[0][0]], places[item[0][:2]], item[0][2])


def _best(own: dict[str, dict], bits: int) -> str:
    """Name of the system of the smallest error among those that send no more bits."""
    equal = [x for x in own if own[x]["feedback_bits"] <= SAME * bits]
    best = min(equal, key=lambda name: own[name]["nmse_db"], default=None)
    return SYSTEMS[best] if best else ""


def _cell(row: dict | None) -> str:
    if row is None:
        return ""
    bits, nmse_db = row["feedback_bits"], row["nmse_db"]
    text = f"{nmse_db:.1f} ({bits:.0f})"
    return Cell(text, value=nmse_db, **{"bits sent": bits})


def pursuit_ablation(content: dict) -> Table:
    """A row for each choice: NMSE and bits of every data set and rate."""
    rows = content["rows"]
    places = dict.fromkeys((r["dataset_config"], r["report_bits"]) for r in rows)
    found: dict[str, dict] = {}
    for row in rows:
        place = row["dataset_config"], row["report_bits"]
        found.setdefault(row["choice"], {})[place] = row
    names = [f"{config.removesuffix('_quick')}, {bits}" for config, bits in places]
    cells = [
        [choice, *(_cell(own.get(place)) for place in places), _milliseconds(own)]
        for choice, own in found.items()
    ]
    columns = [f"choice; {WIDTH}", *names, "search, ms an atom"]
    return Table(columns, cells)


def _milliseconds(own: dict) -> str:
    spent = [row["search_ms_per_atom"] for row in own.values()]
    return number(sum(spent) / len(spent))
