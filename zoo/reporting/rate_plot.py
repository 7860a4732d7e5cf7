"""The plot of rate curves: NMSE over bits, a panel for each data set."""

from __future__ import annotations

import itertools

from matplotlib.ticker import FixedLocator, NullLocator

from zoo.metrics import plots
from zoo.reporting.blocks import NMSE_UNIT
from zoo.reporting.rate_curves import BOUND, CLASSIC, Curve, curves, data_of

TICKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
COLOURS = {CLASSIC: ("#1463b8", "#2f855a", "#b7791f", "#805ad5", "#0f766e"),
           "network": ("#c53030", "#dd6b20", "#d53f8c", "#7d8896")}  # fmt: skip
MARKERS = {CLASSIC: "os^vD", "network": "*XPd"}
WIDTH, HEIGHT = 4.6, 4.6  # of a panel, inches


def save(contents: list[dict], target, more: dict[str, list[Curve]] | None = None):
    """Draw curves.

    Args:
        contents: of results files with rate curves, a panel each.
        target: see `zoo.metrics.plots.save`.
        more: curves of other results by data set.
    """
    panels = [(data_of(c), curves(c) + (more or {}).get(data_of(c), []))
              for c in contents]  # fmt: skip
    figure, axes = plots.plt.subplots(
        1, len(panels), figsize=(WIDTH * len(panels) + 1.4, HEIGHT + 0.9),
        sharey=True, squeeze=False, layout="constrained",
    )  # fmt: skip
    styles = _styles([curve for _, own in panels for curve in own])
    for axis, (data, own) in zip(axes[0], panels, strict=True):
        for curve in own:
            _draw(axis, curve, styles[curve.name])
        _finish(axis, data, own)
    axes[0, 0].set_ylabel(NMSE_UNIT)
    handles = {}
    for axis in axes[0]:
        handles |= dict(zip(*axis.get_legend_handles_labels()[::-1], strict=True))
    ordered = [name for name in styles if name in handles]
    figure.legend([handles[name] for name in ordered], ordered, frameon=False,
                  loc="outside lower center", ncols=min(4, 2 * len(panels)))  # fmt: skip
    plots.save(figure, target)


def _styles(all_curves: list[Curve]) -> dict[str, dict]:
    """Colour and marker of each name, codecs first."""
    pens = {
        kind: itertools.cycle(zip(COLOURS[kind], MARKERS[kind], strict=False))
        for kind in COLOURS
    }
    styles = {}
    for curve in sorted(all_curves, key=lambda c: (c.kind != CLASSIC, c.kind == BOUND)):
        if curve.kind == BOUND:
            styles.setdefault(curve.name, {"color": "black", "linestyle": ":"})
        elif curve.name not in styles:
            colour, marker = next(pens[curve.kind])
            styles[curve.name] = {"color": colour, "marker": marker}
    return styles


def _draw(axis, curve: Curve, style: dict) -> None:
    x, y = zip(*curve.points, strict=True)
    dashes = {"linestyle": "--", "fillstyle": "none"} if curve.fixed else {}
    label = "" if curve.fixed else curve.name
    wide = 1.0 if curve.kind == BOUND else 1.4
    axis.plot(x, y, label=label, linewidth=wide, markersize=6, **{**style, **dashes})


def _finish(axis, data: str, own: list[Curve]) -> None:
    """Ticks at powers of two, limits of what was measured."""
    measured = [point for curve in own if curve.kind != BOUND for point in curve.points]
    bits, values = zip(*measured, strict=True)
    axis.set_xscale("log", base=2)
    axis.set_xlim(min(bits) / 1.15, max(bits) * 1.15)
    axis.set_ylim(min(values) - 2, max(0.0, max(values)) + 0.5)
    axis.xaxis.set_major_locator(FixedLocator(TICKS))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:.0f}")
    axis.set_xlabel("feedback bits per CSI")
    axis.set_title(data, fontsize="medium")
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
