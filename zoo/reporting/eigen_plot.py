"""The plot of SGCS over feedback bits: a panel for each rank and layer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from zoo.metrics import plots
from zoo.reporting.eigen_curves import CLASSIC, CODEBOOK, NETWORK, Curve
from zoo.reporting.eigen_names import AT_MOST, Setting
from zoo.reporting.rate_plot import HEIGHT, KEY, LEAST_WIDTH, LETTER, WIDTH, finish

COLOURS = {
    CODEBOOK: ("#1a202c", "#718096", "#a0aec0"),
    CLASSIC: ("#1463b8", "#2f855a", "#b7791f", "#805ad5", "#0f766e"),
    NETWORK: ("#c53030", "#dd6b20", "#d53f8c", "#7d8896"),
}
MARKERS = {CODEBOOK: "osD", CLASSIC: "^v<>p", NETWORK: "*XPd"}
UNIT = "SGCS"


def save(panels: dict[Setting, list[Curve]], target) -> None:
    """Draw curves; codecs whose reports are never longer are dashed.

    Args:
        panels: curves of what is compared.
        target: see `zoo.metrics.plots.save`.
    """
    shown = [(own, layer) for own in panels for layer in range(own.rank)]
    width = max(LEAST_WIDTH, WIDTH * len(shown) + 1)
    figure, axes = plots.plt.subplots(
        1, len(shown), figsize=(width, HEIGHT), sharex=True, sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    styles = _styles([curve for own in panels.values() for curve in own])
    for axis, (setting, layer) in zip(axes[0], shown, strict=True):
        for curve in panels[setting]:
            _draw(axis, curve, layer, styles[curve.name])
        title = f"{setting.data}\nrank {setting.rank}, layer {layer + 1}"
        finish(axis, title, "report")
    axes[0, 0].set_ylabel(UNIT)
    handles = [plots.plt.Line2D([], [], **style) for style in styles.values()]
    columns = max(1, int(width / (KEY + LETTER * max(map(len, styles)))))
    figure.legend(handles, styles, frameon=False, loc="outside lower center",
                  ncols=columns)  # fmt: skip
    plots.save(figure, target)


def _styles(all_curves: list[Curve]) -> dict[str, dict]:
    """Colour and marker of each name; dashed where reports are never longer."""
    pens = {kind: _pens(COLOURS[kind], MARKERS[kind]) for kind in COLOURS}
    own: dict[str, dict] = {}
    styles: dict[str, dict] = {}
    for curve in all_curves:
        name = curve.name.removesuffix(AT_MOST)
        if name not in own:
            colour, marker = next(pens[curve.kind])
            own[name] = {"color": colour, "marker": marker}
        dashes = {"linestyle": "--", "fillstyle": "none"} if name != curve.name else {}
        styles[curve.name] = own[name] | dashes
    return styles


def _pens(colours: tuple[str, ...], markers: str) -> Iterator[tuple[str, str]]:
    """Colour and marker of one curve after the other, all pairs before any again."""
    for shift in itertools.cycle(range(len(markers))):
        yield from zip(colours, markers[shift:] + markers[:shift], strict=True)


def _draw(axis, curve: Curve, layer: int, style: dict) -> None:
    bits = [point.bits for point in curve.points]
    values = [point.sgcs[layer] for point in curve.points]
    axis.plot(bits, values, linewidth=1.3, markersize=6, **style)
    if any(point.seeds > 1 for point in curve.points):
        low, high = zip(*(point.spread[layer] for point in curve.points), strict=True)
        axis.fill_between(bits, low, high, color=style["color"], alpha=0.2)
        axis.vlines(bits, low, high, color=style["color"], linewidth=1.3)
