"""The plot of a comparison by cost: fronts, spreads, labels that do not overlap."""

from __future__ import annotations

import math
from collections import Counter

from zoo.metrics import plot_axes, plots
from zoo.reporting import pareto
from zoo.reporting.pareto import Point
from zoo.reporting.tables import KLT, NMSE_UNIT

NEAR_DB = 0.5  # above the KLT line, still in the lower panel
WIDE_DB = 4.0  # range of values for which there are two
MIN_POINTS = 3  # of each of two panels
MOST_DB = 1.5  # what is worse stands there with its value
COLOURS = {"front": "#1463b8", "other": "#7d8896", KLT: "#b3470b"}
SERIES = ("#2f855a", "#805ad5", "#b7791f", "#d53f8c", "#0f766e")


def save(own: list[Point], costs: list[float], label: str, target, title="") -> None:
    """NMSE over a cost on a logarithmic axis, and the front.

    Where the values lie far apart, those above the only KLT point have a panel of
    their own. Several points of one name are a series of the legend.

    Args:
        own: points of one comparison.
        costs: of each, positive.
        label: of the axis.
        target: see `zoo.metrics.plots.save`.
        title: what is equal in the comparison.
    """
    line = sorted((c, p.nmse_db) for p, c in zip(own, costs, strict=True)
                  if p.name == KLT)  # fmt: skip
    parts = _parts([p.nmse_db for p in own], line)
    styles = _styles(own, costs)
    figure, axes = plots.plt.subplots(
        len(parts), figsize=(7, 3.9 + len(parts)), sharex=True, squeeze=False,
        layout="constrained", height_ratios=(1, 2)[-len(parts) :],
    )  # fmt: skip
    axes[0, 0].set_xlim(min(costs) / 1.6, max(costs) * 1.9)
    for axis, part in zip(axes[:, 0], parts, strict=True):
        axis.set_xscale("log")
        plot_axes.name_decades(axis)
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        _lines(axis, costs, [p.nmse_db for p in own], line)
        for i in part:
            _marker(axis, own[i], costs[i], styles[i])
        _limits(axis, [own[i].nmse_db for i in part])
    axes[-1, 0].set_xlabel(label)
    scales = " (broken axis, two scales)" if len(parts) > 1 else ""
    figure.supylabel(f"{NMSE_UNIT}{scales}", fontsize="medium")
    figure.suptitle(title, fontsize="medium")
    figure.legend(*_legend(styles), loc="outside lower center", ncols=3, frameon=False)
    figure.canvas.draw()
    for axis, part in zip(axes[:, 0], parts, strict=True):
        named = [i for i in part if styles[i][0] in COLOURS and styles[i][0] != KLT]
        _label(axis, [(own[i], costs[i]) for i in named], _places(own, costs, part))
    plots.save(figure, target)


def _parts(values: list[float], line: list[tuple]) -> list[list[int]]:
    """Points of the upper and the lower panel, or of the only one."""
    wide = len(line) == 1 and min(0, max(values)) - min(values) > WIDE_DB
    split = line[0][1] + NEAR_DB if wide else math.inf
    above = [i for i, value in enumerate(values) if value > split]
    below = [i for i in range(len(values)) if i not in above]
    both = min(len(above), len(below)) >= MIN_POINTS
    return [above, below] if both else [list(range(len(values)))]


def _styles(own: list[Point], costs) -> list[tuple[str, str]]:
    """Name in the legend and colour of each point."""
    best = pareto.front(costs, [p.nmse_db for p in own])
    often = [name for name, n in Counter(p.name for p in own).items() if n > 1]
    series = dict(zip((n for n in often if n != KLT), SERIES * 9, strict=False))
    kinds = ["front" if i in best else "other" for i in range(len(own))]
    return [
        (point.name, COLOURS[KLT]) if point.name == KLT
        else (point.name, series[point.name]) if point.name in series
        else (kind, COLOURS[kind])
        for point, kind in zip(own, kinds, strict=True)
    ]  # fmt: skip


def _legend(styles: list[tuple[str, str]]) -> tuple[list, list[str]]:
    """Handles and names: the front, the KLT, everything else, series."""
    found = {"front": COLOURS["front"], **dict(styles)}
    names = {"front": "front: nothing cheaper and better", "other": "not on the front"}
    handles = []
    for name, colour in found.items():
        style = {"color": colour, "marker": "D" if name == KLT else "o"}
        style |= {"linestyle": {"front": "-", KLT: "--"}.get(name, ""), "linewidth": 1}
        handles.append(plots.plt.Line2D([], [], **style))
    return handles, [names.get(name, name) for name in found]


def _lines(axis, costs, values, line) -> None:
    """The front as steps, and the KLT as a line: level, if it is one point."""
    best = pareto.front(costs, values)
    x = [costs[i] for i in best] + [max(costs) * 2]
    y = [values[i] for i in [*best, best[-1]]]
    style = {"color": COLOURS["front"], "linewidth": 1, "alpha": 0.6}
    axis.plot(x, y, drawstyle="steps-post", **style)
    style = {"color": COLOURS[KLT], "linewidth": 1, "linestyle": "--"}
    if len(line) == 1:
        axis.axhline(line[0][1], **style)
    elif line:
        axis.plot(*zip(*line, strict=True), **style)


def _marker(axis, point: Point, cost: float, style: tuple[str, str]) -> None:
    kind, colour = style
    marked = {"color": colour, "markersize": 6, "zorder": 2 if kind == "other" else 3}
    if point.nmse_db > MOST_DB:
        axis.plot(cost, MOST_DB, "^", **marked)
        return
    axis.plot([cost] * 2, point.spread, color=colour, linewidth=3, alpha=0.4)
    axis.plot(cost, point.nmse_db, "D" if point.name == KLT else "o", **marked)


def _limits(axis, values: list[float]) -> None:
    """Above 0 dB, where sending nothing is better, there is only the edge."""
    shown = [v for v in values if v <= 0] or [-1.0]
    top = MOST_DB if max(values) > 0 else max(shown)
    margin = max(0.1, 0.15 * (max(shown) - min(shown)), 0.08 * (top - min(shown)))
    axis.set_ylim(min(shown) - margin, top + margin)


def _places(own: list[Point], costs, part: list[int]) -> list[tuple]:
    return [(costs[i], min(own[i].nmse_db, MOST_DB)) for i in part]


def _label(axis, shown: list[tuple[Point, float]], points: list[tuple]) -> None:
    """Name some of the points, those beyond the edge with their value."""
    names = [
        f"{p.name} ↑ {p.nmse_db:+.0f} dB" if p.nmse_db > MOST_DB else p.name
        for p, _ in shown
    ]
    places = [(cost, min(p.nmse_db, MOST_DB)) for p, cost in shown]
    plot_axes.write_names(axis, names, places, points)
