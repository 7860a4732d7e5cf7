"""The plot of rate curves: NMSE over bits, a panel for each data set."""

from __future__ import annotations

import itertools

from matplotlib.ticker import FixedLocator, NullLocator

from zoo.metrics import plots
from zoo.reporting.blocks import NMSE_UNIT
from zoo.reporting.rate_curves import CLASSIC, CODECS, LINE, NETWORK, Curve

TICKS = [2**i for i in range(3, 15)]
COLOURS = {
    CLASSIC: ("#1463b8", "#2f855a", "#b7791f", "#805ad5", "#0f766e"),
    NETWORK: ("#c53030", "#dd6b20", "#d53f8c", "#7d8896"),
}
MARKERS = {CLASSIC: "os^vD", NETWORK: "*XPd"}
WIDTH, HEIGHT = 3.9, 4.9  # of a panel, inches
LEAST_WIDTH = 6.4  # of a plot
LETTER, KEY = 0.085, 0.6  # of a legend: width of a letter, and of what is before a name


def save(panels: dict[str, list[Curve]], target) -> None:
    """Draw curves; those whose reports are never longer are dashed.

    Args:
        panels: curves by the title above them.
        target: see `zoo.metrics.plots.save`.
    """
    width = max(LEAST_WIDTH, WIDTH * len(panels) + 1)
    figure, axes = plots.plt.subplots(
        1, len(panels), figsize=(width, HEIGHT), sharex=True, sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    styles = _styles([curve for own in panels.values() for curve in own])
    for axis, (title, own) in zip(axes[0], panels.items(), strict=True):
        for curve in own:
            _draw(axis, curve, styles[curve.name])
        finish(axis, title, "CSI")
    axes[0, 0].set_ylabel(NMSE_UNIT)
    _limit(axes[0, 0], [curve for own in panels.values() for curve in own])
    handles = [plots.plt.Line2D([], [], **style) for style in styles.values()]
    longest = max(map(len, styles))
    columns = max(1, int(width / (KEY + LETTER * longest)))
    figure.legend(handles, styles, frameon=False, loc="outside lower center",
                  ncols=columns)  # fmt: skip
    plots.save(figure, target)


def _styles(all_curves: list[Curve]) -> dict[str, dict]:
    """Colour and marker of each name: codecs, networks, the line."""
    pens = {
        kind: itertools.cycle(zip(COLOURS[kind], MARKERS[kind], strict=False))
        for kind in COLOURS
    }
    styles: dict[str, dict] = {}
    for curve in sorted(all_curves, key=_place):
        if curve.kind == LINE:
            styles.setdefault(curve.name, {"color": "black", "linestyle": ":"})
        elif curve.name not in styles:
            colour, marker = next(pens[curve.kind])
            styles[curve.name] = {"color": colour, "marker": marker}
    return styles


def _place(curve: Curve) -> tuple:
    """Key that sorts codecs, each with its own colour everywhere, then the others."""
    names = list(CODECS.values())
    known = names.index(curve.name) if curve.name in names else len(names)
    return (CLASSIC, NETWORK, LINE).index(curve.kind), known


def _draw(axis, curve: Curve, style: dict) -> None:
    x, y = zip(*curve.points, strict=True)
    dashes = {"linestyle": "--", "fillstyle": "none"} if curve.fixed else {}
    axis.plot(x, y, linewidth=1.3, markersize=6, **{**style, **dashes})


def _limit(axis, all_curves: list[Curve]) -> None:
    """As wide and high as what was measured: lines go on beyond it."""
    points = [p for curve in all_curves if curve.kind != LINE for p in curve.points]
    bits, values = zip(*points, strict=True)
    axis.set_xlim(min(bits) / 1.15, max(bits) * 1.15)
    axis.set_ylim(min(values) - 2, max(0.0, max(values)) + 0.5)


def finish(axis, title: str, of: str) -> None:
    """Ticks at powers of two, and what the bits are `of`."""
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_locator(FixedLocator(TICKS))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_xlabel(f"feedback bits per {of}")
    axis.set_title(title, fontsize="medium")
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
