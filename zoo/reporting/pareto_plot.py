"""The plot of a comparison by cost: fronts, spreads, labels that do not overlap."""

from __future__ import annotations

import math

from zoo.metrics import plot_axes, plots
from zoo.reporting import pareto
from zoo.reporting.pareto import Point
from zoo.reporting.tables import KLT, NMSE_UNIT

NEAR_DB = 0.5  # above the KLT line, still in the lower panel
WIDE_DB = 4.0  # range of values for which there are two
MOST_DB = 1.5  # what is worse stands there with its value
COLOURS = {"front": "#1463b8", "other": "#7d8896", KLT: "#b3470b"}


def save(own: list[Point], costs: list[float], label: str, target) -> None:
    """NMSE over a cost on a logarithmic axis, and the front.

    Where the values lie far apart, those above the only KLT point have a panel of
    their own.

    Args:
        own: points of one comparison.
        costs: of each, positive.
        label: of the axis.
        target: see `zoo.metrics.plots.save`.
    """
    values = [p.nmse_db for p in own]
    line = sorted((c, p.nmse_db) for p, c in zip(own, costs, strict=True)
                  if p.name == KLT)  # fmt: skip
    wide = len(line) == 1 and min(0, max(values)) - min(values) > WIDE_DB
    split = line[0][1] + NEAR_DB if wide else math.inf
    parts = [[i for i, v in enumerate(values) if v > split]]
    parts.append([i for i in range(len(own)) if i not in parts[0]])
    parts = [part for part in parts if part]
    figure, axes = plots.plt.subplots(
        len(parts), figsize=(7, 3.4 + len(parts)), sharex=True, squeeze=False,
        layout="constrained", height_ratios=(1, 2)[-len(parts) :],
    )  # fmt: skip
    axes[0, 0].set_xlim(min(costs) / 1.6, max(costs) * 1.9)
    for axis, part in zip(axes[:, 0], parts, strict=True):
        axis.set_xscale("log")
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        _lines(axis, costs, values, line)
        _markers(axis, own, costs, part)
        _limits(axis, [values[i] for i in part])
    axes[-1, 0].set_xlabel(label)
    figure.supylabel(NMSE_UNIT, fontsize="medium")
    figure.canvas.draw()
    for axis, part in zip(axes[:, 0], parts, strict=True):
        _label(axis, [(own[i], costs[i]) for i in part])
    plots.save(figure, target)


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


def _markers(axis, own: list[Point], costs, part: list[int]) -> None:
    best = pareto.front(costs, [p.nmse_db for p in own])
    for i in part:
        point, kind = own[i], "front" if i in best else "other"
        colour = COLOURS.get(point.name, COLOURS[kind])
        style = {"color": colour, "markersize": 6, "zorder": 3 if i in best else 2}
        if point.nmse_db > MOST_DB:
            axis.plot(costs[i], MOST_DB, "^", **style)
            continue
        axis.plot([costs[i]] * 2, point.spread, color=colour, linewidth=3, alpha=0.4)
        axis.plot(costs[i], point.nmse_db, "D" if point.name == KLT else "o", **style)


def _limits(axis, values: list[float]) -> None:
    """Above 0 dB, where sending nothing is better, there is only the edge."""
    shown = [v for v in values if v <= 0] or [-1.0]
    margin = max(0.1, 0.15 * (max(shown) - min(shown)))
    top = MOST_DB if max(values) > 0 else max(shown)
    axis.set_ylim(min(shown) - margin, top + margin)


def _label(axis, shown: list[tuple[Point, float]]) -> None:
    """Name the points, those beyond the edge with their value."""
    names = [
        f"{p.name} ↑ {p.nmse_db:+.0f} dB" if p.nmse_db > MOST_DB else p.name
        for p, _ in shown
    ]
    places = [(cost, min(p.nmse_db, MOST_DB)) for p, cost in shown]
    plot_axes.write_names(axis, names, places)
