"""Tables of what learning adds to the pursuit codec, means over seeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.reporting.blocks import Table
from zoo.reporting.cells import Cell, number

PLACE = ["channels; ours, NMSE [dB] (bits sent)", "bits", "seeds"]
SEARCHES = ("plain", "quick", "proposals")


def _places(content: dict) -> Iterator[tuple[list, list[dict]]]:
    """First cells of a data set and rate, and its rows of all seeds."""
    found: dict[tuple, list[dict]] = {}
    for row in content["rows"]:
        found.setdefault((row["dataset"], row["bits"]), []).append(row)
    for (dataset, bits), rows in sorted(found.items()):
        config = dataset.rpartition("/")[2].removesuffix("_quick")
        yield [config, number(bits), number(len(rows))], rows


def context(content: dict) -> Table:
    """Bits of the same atoms without and with a context, then errors at equal bits."""
    columns = ["atoms", "their bits", "with context", "saved, least and most"]
    columns += ["plain", "learned", "better by [dB]", "coding, ms", "with context, ms"]
    cells = []
    for place, rows in _places(content):
        same = [row["same_atoms"] for row in rows]
        saved = [1 - x["learned_bits"] / x["plain_bits"] for x in same]
        means = (_mean(same, x) for x in ("atoms", "plain_bits", "learned_bits"))
        gains = [row["plain"]["nmse_db"] - row["learned"]["nmse_db"] for row in rows]
        kinds = [[row[kind] for row in rows] for kind in ("plain", "learned")]
        cells.append(
            [*place, *map(number, means), _percent(saved), *map(_sent, kinds),
             _spread(gains), *(number(_mean(kind, "coding_ms")) for kind in kinds)]
        )  # fmt: skip
    return Table([*PLACE, *columns], cells)


def search(content: dict) -> Table:
    """Errors at equal mean bits, and what each search costs."""
    columns = [*SEARCHES, "proposals lose [dB]"]
    columns += [f"{name}, million MACs" for name in SEARCHES]
    columns += [f"{name}, CPU ms" for name in SEARCHES]
    cells = []
    for place, rows in _places(content):
        lost = [row["proposals"]["nmse_db"] - row["plain"]["nmse_db"] for row in rows]
        errors = [_sent([row[name] for row in rows]) for name in SEARCHES]
        macs, times = (
            [
                number(_mean([row[key] for row in rows], name) / unit)
                for name in SEARCHES
            ]
            for key, unit in (("macs", 1e6), ("cpu_ms", 1))
        )
        cells.append([*place, *errors, _spread(lost), *macs, *times])
    return Table([*PLACE, *columns], cells)


def residual(content: dict) -> Table:
    """Errors without and with the network behind the decoder."""
    cells = [
        [*place, *(number(_mean(rows, x)) for x in ("nmse_db", "with_network_db")),
         _spread([row["nmse_db"] - row["with_network_db"] for row in rows])]
        for place, rows in _places(content)
    ]  # fmt: skip
    columns = ["plain", "with network", "better by [dB], least and most"]
    return Table([PLACE[0].partition(" (")[0], *PLACE[1:], *columns], cells)


def _mean(rows: list[dict], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def _sent(rows: list[dict]) -> str:
    nmse_db, bits = _mean(rows, "nmse_db"), _mean(rows, "feedback_bits")
    text = f"{nmse_db:.2f} ({bits:.0f})"
    return Cell(text, value=nmse_db, **{"bits sent": bits})


def _spread(values: list[float]) -> str:
    mean, low, high = (
        round(x, 2) + 0.0 for x in (np.mean(values), min(values), max(values))
    )
    text = f"{mean:.2f} ({low:.2f} to {high:.2f})"
    return Cell(text.replace("-", "−"), value=float(np.mean(values)))


def _percent(values: list[float]) -> str:
    text = f"{np.mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"
    return Cell(text, value=float(np.mean(values)))
