"""The plot of a comparison by cost: fronts, spreads, labels that do not overlap."""

from __future__ import annotations

import itertools
import math

from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from zoo.metrics import plots
from zoo.reporting import pareto
from zoo.reporting.pareto import Point
from zoo.reporting.tables import KLT, NMSE_UNIT

NEAR_DB = 0.5  # above the KLT line, still in the lower panel
WIDE_DB = 4.0  # range of values for which there are two
MARKER = 5  # half its size, pixels
COLOURS = {"front": "#1463b8", "other": "#7d8896", KLT: "#b3470b"}
HALO = [withStroke(linewidth=2.5, foreground="white")]


def save(own: list[Point], costs: list[float], label: str, target) -> None:
    """NMSE over a cost on a logarithmic axis, and the front.

    Where the values lie far apart, those above the only KLT point have a panel of
    their own.

    Args:
        own: points of one comparison.
        costs: of each, positive.
        label: of the axis.
        target: path or binary file for the PNG.
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
        len(parts), figsize=(6, 3.4 + len(parts)), sharex=True, squeeze=False,
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
        axis.plot([costs[i]] * 2, point.spread, color=colour, linewidth=3, alpha=0.4)
        style = {"color": colour, "markersize": 6, "zorder": 3 if i in best else 2}
        axis.plot(costs[i], point.nmse_db, "D" if point.name == KLT else "o", **style)


def _limits(axis, values: list[float]) -> None:
    """Above 0 dB, where sending nothing is better, there is only the edge."""
    shown = [v for v in values if v <= 0] or [-1.0]
    margin = max(0.1, 0.1 * (max(shown) - min(shown)))
    top = max(shown) + margin if len(shown) == len(values) else 1.5
    axis.set_ylim(min(shown) - margin, top)


def _label(axis, shown: list[tuple[Point, float]]) -> None:
    """Name the points; those beyond the upper edge at the edge."""
    (_, high), frame = axis.get_ylim(), axis.get_window_extent()
    places = []
    for point, cost in shown:
        beyond = f" ↑ {point.nmse_db:+.0f} dB" if point.nmse_db > high else ""
        places.append((point.name + beyond, (cost, min(point.nmse_db, high))))
    pixels = [axis.transData.transform(place) for _, place in places]
    taken = [Bbox.from_bounds(x - MARKER, y - MARKER, 2 * MARKER, 2 * MARKER)
             for x, y in pixels]  # fmt: skip
    for text, place in sorted(places, key=lambda item: item[1]):
        taken.append(_write(axis, text, place, taken, frame))


def _write(axis, text: str, place, taken: list, frame) -> Bbox:
    """Write beside a place where nothing is yet, as near as possible; its box."""
    label = None
    for radius, eighth in itertools.product((8, 16, 26, 38, 52), range(8)):
        angle = math.pi / 4 * eighth
        dx, dy = radius * math.cos(angle), 0.8 * radius * math.sin(angle)
        if label is not None:
            label.remove()
        label = axis.annotate(
            text, place, (dx, dy), textcoords="offset points", fontsize=8,
            ha="left" if dx > 1 else "right" if dx < -1 else "center", va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.4} if radius > 10 else None,
            path_effects=HALO, in_layout=False,
        )  # fmt: skip
        label.update_positions(axis.figure.canvas.get_renderer())
        box = Text.get_window_extent(label)  # without its line
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
        inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not any(box.overlaps(other) for other in taken):
            break
    return box
