"""Plots of a comparison: NMSE over what it costs, a line per network and payload."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from zoo.metrics import plot_axes, plots
from zoo.reporting.blocks import NMSE_UNIT
from zoo.reporting.comparison_table import title_of

COSTS = {  # name of the file, key of the summary, label
    "bits": ("feedback_bits", "feedback bits per CSI"),
    "macs": ("ue_macs", "UE MACs per CSI"),
    "bytes": ("ue_bytes_fp32", "bytes of the encoder, fp32"),
}
MOST_DB = 1.0  # what is worse than sending nothing stands there with its value
MARKERS = "osDv^P*X<>"
COLOURS = plots.plt.get_cmap("tab10").colors
CLASSIC = {"color": "black", "linestyle": "--"}


def lines_of(content: dict, key: str) -> dict[str, list[tuple]]:
    """Points of each line of a plot, the cheapest first.

    Args:
        content: of comparison.json.
        key: of the cost.

    Returns:
        Name to (cost, mean NMSE, smallest, largest); classic methods are last.
    """
    several = len({line["bits"] for line in content["summary"]} - {0}) > 1
    classic = {row["network"] for row in content["baselines"]}
    found: dict[str, list[tuple]] = {}
    for line in sorted(content["summary"], key=lambda x: x["network"] in classic):
        if line["nmse_db"] is None or line.get(key) is None:
            continue
        own = line["network"] not in classic and (several or line["bits"] == 0)
        bits = f", {line['bits']} bit" if line["bits"] else ", float"
        name = title_of(line) + bits * own
        point = line[key], line["nmse_db"], *line["nmse_db_min_max"]
        found.setdefault(name, []).append(point)
    return {name: sorted(points) for name, points in found.items()}


def save(content: dict, cost: str, target) -> None:
    """NMSE over a cost on a logarithmic axis; bars are the spread over seeds.

    Args:
        content: of comparison.json.
        cost: name in `COSTS`.
        target: see `zoo.metrics.plots.save`.
    """
    key, label = COSTS[cost]
    lines = lines_of(content, key)
    figure, axis = plots.plt.subplots(figsize=(6.4, 4.6), layout="constrained")
    axis.set_xscale("log")
    styles = _styles(content, lines)
    for (name, points), style in zip(lines.items(), styles, strict=True):
        _line(axis, name, points, style)
    _limits(axis, [point[1] for points in lines.values() for point in points])
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    plot_axes.name_decades(axis)
    axis.set_xlabel(label)
    axis.set_ylabel(NMSE_UNIT)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    plots.save(figure, target)


def _styles(content: dict, lines: dict) -> Iterator[dict]:
    """Marker, colour and dashes of each line."""
    classic = {title_of(row) for row in content["baselines"]}
    networks = itertools.cycle(zip(MARKERS, COLOURS, strict=True))
    methods = itertools.cycle(MARKERS[2:])
    for name in lines:
        if name in classic:
            yield {"marker": next(methods), "fillstyle": "none", **CLASSIC}
        else:
            marker, colour = next(networks)
            yield {"marker": marker, "color": colour}


def _line(axis, name: str, points: list[tuple], style: dict) -> None:
    """A line with the spread of each point; what is too high stands at the edge."""
    x, means, lowest, highest = map(list, zip(*points, strict=True))
    y = [min(value, MOST_DB) for value in means]
    (drawn,) = axis.plot(x, y, label=name, linewidth=1.2, markersize=6, **style)
    below = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
    wide = {"color": drawn.get_color(), "linewidth": 3, "alpha": 0.4}
    for place, mean, low, high in zip(x, means, lowest, highest, strict=True):
        if mean > MOST_DB:
            axis.annotate(f"{mean:+.0f} dB", (place, MOST_DB), (0, -12), **below)
        elif low < high:
            axis.plot([place] * 2, [low, min(high, MOST_DB)], **wide)


def _limits(axis, values: list[float]) -> None:
    """Above 0 dB, where sending nothing is better, there is only the edge."""
    shown = [value for value in values if value <= MOST_DB] or [MOST_DB - 1]
    top = MOST_DB if max(values) > MOST_DB else max(shown)
    margin = 0.08 * max(1.0, top - min(shown))
    axis.set_ylim(min(shown) - margin, top + margin)
