"""Tables of eigenvectors: SGCS at the payloads of eType II, who leads, rates."""

from __future__ import annotations

from itertools import combinations

from zoo.reporting.blocks import Table
from zoo.reporting.cells import Cell, fixed, number
from zoo.reporting.eigen_curves import Curve, Point, curves, payloads
from zoo.reporting.eigen_names import Setting, names
from zoo.reporting.rate_curves import channels, data_set

OVERVIEW = (
    "SGCS of each layer at the bits of the enhanced Type II codebook: those of its "
    "eight parameter combinations (pc) in the mean, both parts. Values of the others "
    "are those of their curves at these bits, with ~ straight over the logarithm of "
    "the bits between two measured ones; none where nothing is measured near. ± is "
    "half of what the seeds span. Who leads has the largest mean of the layers; behind "
    "it is by how much the next one is less. Codecs “at most” send no report that is "
    "longer, as networks of a fixed length; the others as many bits in the mean. "
    "Codebooks, whose longest reports are a few bits longer, are compared with both."
)
RATES = (
    "Whether the order by SGCS of the first layer is that by the rate of users served "
    "together by zero forcing, at the same bits, best first. Swapped: pairs of which "
    "the one with the higher SGCS has the lower rate."
)
LEADS = {"leads, bits in the mean": False, "leads, bits at most": True}


def overview(rows: list[dict], name: str = "") -> Table:
    """A row for each curve and rank: SGCS by layer at the payloads, and who leads.

    Args:
        rows: of eigenvectors.
        name: of the table's files.
    """
    found = curves(rows)
    known = {setting: payloads(rows, setting) for setting in found}
    shown = sorted({pc for own in known.values() for pc in own})
    several, lines = len({setting.data for setting in found}) > 1, []
    for setting, own in found.items():
        bits = [known[setting].get(pc) for pc in shown]
        if any(bits):
            head = [setting.data] * several + [number(setting.rank)]
            lines += [[name, *head, *cells] for name, cells in _lines(own, bits)]
    columns = ["ours, SGCS by layer", *["channels"] * several, "rank"]
    columns += [f"pc {pc}" for pc in shown]
    return Table(columns, lines, OVERVIEW, name)


def _lines(own: list[Curve], bits: list[float | None]) -> list[tuple[str, list[str]]]:
    """Name and a cell for each payload: bits, curves, who leads."""
    lines = [("bits of eType II", [fixed(b, 0) if b else "" for b in bits])]
    for curve in own:
        cells = [_cell(curve.at(b)) if b else "" for b in bits]
        lines += [(curve.name, cells)] if any(cells) else []
    for label, at_most in LEADS.items():
        cells = [_leader(own, b, at_most) if b else "" for b in bits]
        lines.append((label, cells))
    return lines


def _cell(point: Point | None) -> str:
    """SGCS of each layer, with half the span of several seeds."""
    if point is None:
        return ""
    parts = [
        f"{x:.3f}" + f" ±{(high - low) / 2:.3f}" * (point.seeds > 1)
        for x, (low, high) in zip(point.sgcs, point.spread, strict=True)
    ]
    layers = {f"layer {i}": x for i, x in enumerate(point.sgcs, 1)}
    return Cell(point.how + " / ".join(parts), value=point.mean, **layers)


def _leader(own: list[Curve], bits: float, at_most: bool) -> str:
    """The curve of the largest SGCS at so many bits; two that seeds cannot tell apart.

    Args:
        own: curves.
        bits: of a report.
        at_most: only what never sends more; else only what is not held to that.
            Codebooks are among both.
    """
    shown = [
        (curve.name, point)
        for curve in own
        if (point := curve.at(bits)) is not None
        and (curve.is_at_most if at_most else curve.is_mean)
    ]
    if len(shown) < 2:
        return ""
    (name, first), *others = sorted(shown, key=lambda x: -x[1].mean)
    rival, highest = max(others, key=lambda x: x[1].ends[1])
    if highest.ends[1] >= first.ends[0]:
        return f"{name} or {rival}: not decided"
    ahead = first.mean - others[0][1].mean
    return Cell(f"{name} +{ahead:.3f}", value=ahead, leader=name)


def rates(rows: list[dict], name: str = "") -> Table:
    """A row for each payload: orders by SGCS and by rate; arguments as `overview`."""
    found, lines = curves(rows), []
    several = len({setting.data for setting in found}) > 1
    for setting, own in found.items():
        for pc, bits in sorted(payloads(rows, setting).items()):
            near = [(c.name, p) for c in own if (p := c.at(bits)) is not None]
            head = [setting.data] * several + [number(setting.rank)]
            lines.append([*head, number(pc), fixed(bits, 0), *_orders(near)])
    columns = ["channels"] * several + ["rank", "pc", "bits"]
    columns += ["ours, by SGCS of layer 1", "ours, by MU-ZF rate [bit/s/Hz]"]
    return Table([*columns, "pairs", "swapped"], lines, RATES, name)


def _orders(found: list[tuple[str, Point]]) -> list[str]:
    by_sgcs = sorted(found, key=lambda x: -x[1].sgcs[0])
    by_rate = sorted(found, key=lambda x: -x[1].zf_rate)
    pairs = list(combinations(by_sgcs, 2))
    swapped = sum(above[1].zf_rate < below[1].zf_rate for above, below in pairs)
    return [
        "; ".join(f"{name} {point.sgcs[0]:.3f}" for name, point in by_sgcs),
        "; ".join(f"{name} {point.zf_rate:.2f}" for name, point in by_rate),
        number(len(pairs)),
        number(swapped),
    ]


COLUMNS = (
    "codebook, codec or network", "rank", "bits asked for", "feedback bits",
    "shortest to longest report", "ours, SGCS by layer", "ours, SGCS weighted",
    "ours, GCS by layer", "ours, NMSE [dB]", "ours, beamforming loss [dB]",
    "ours, rate", "ours, MU-ZF rate", "ours, MU-ZF rate, 5 %", "training channels",
    "seed", "data set",
)  # fmt: skip


def everything(rows: list[dict], title: str = "") -> Table:
    """A row for each results row; columns without a cell are left out.

    Args:
        rows: of eigenvectors.
        title: of the table's files.
    """
    named = zip(names(rows), rows, strict=True)
    order = sorted(
        named, key=lambda x: (x[1]["rank"], x[0], x[1]["feedback_bits"] or 0)
    )
    lines = [[name, *_cells(row)] for name, row in order]
    filled = [i for i in range(len(COLUMNS)) if any(line[i] for line in lines)]
    cells = [[line[i] for i in filled] for line in lines]
    return Table([COLUMNS[i] for i in filled], cells, "Every row.", title)


def _cells(row: dict) -> list[str]:
    return [
        number(row["rank"]),
        number(row["model_args"].get("report_bits")),
        number(row["feedback_bits"]),
        _ends(row.get("feedback_bits_min_max")),
        _layers(row["sgcs_by_layer"]),
        fixed(row["sgcs_weighted"], 4),
        _layers(row["gcs_by_layer"]),
        "" if row.get("nmse_db") is None else fixed(row["nmse_db"]),
        fixed(row["beamforming_loss_db"], 3),
        fixed(row["rate"], 3),
        fixed(row["zf_rate"], 3),
        fixed(row["zf_rate_5_percent"], 3),
        number(row.get("num_train")),
        number(row["seed"]),
        channels(data_set(row)),
    ]


def _ends(ends: list[float] | None) -> str:
    """Bits of the shortest and the longest report."""
    if not ends:
        return ""
    low, high = ends
    return Cell(f"{low:,.0f} to {high:,.0f}", **{"from": low, "to": high})


def _layers(values: list[float]) -> Cell:
    own = {f"layer {i}": x for i, x in enumerate(values, 1)}
    return Cell(" / ".join(f"{x:.4f}" for x in values), **own)


def tables(rows: list[dict], name: str = "") -> list[Table]:
    """What a page shows of rows: by payload, or every row where there are none."""
    settings: list[Setting] = list(curves(rows))
    if not any(payloads(rows, setting) for setting in settings):
        return [everything(rows, name)]
    return [overview(rows, name), rates(rows, f"{name}_rates" if name else "")]
