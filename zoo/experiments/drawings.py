"""How a reproduced figure is drawn: curves, points or pictures of |H|."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from zoo.experiments.target import Lab
from zoo.metrics import accuracy, plot_axes, plots

Cells = list[list[tuple[str, np.ndarray]]]
WIDE = 10  # from the smallest to the largest place: the axis is logarithmic


def curves(lab: Lab, result: dict, image: Path) -> None:
    """A curve per series; what stands at a text between numbers is left out.

    Args:
        lab: not used.
        result: see `zoo.reproduce.make`.
        image: file, whose ending is the format.
    """
    del lab
    entries = result["entries"]
    numbers = [e for e in entries if not isinstance(e["x"], str)]
    plots.save_curves({**result, "entries": numbers or entries}, image)


def points(lab: Lab, result: dict, image: Path) -> None:
    """A named point per series, x as a number; arguments as `curves`."""
    del lab
    entries = result["entries"]
    places = [(e["x"], e["ours"]) for e in entries]
    figure, axis = plots.plt.subplots(figsize=(7, 4.2), layout="constrained")
    for place in places:
        axis.plot(*place, "o")
    x = [place[0] for place in places]
    if min(x) > 0 and max(x) > WIDE * min(x):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.margins(0.12)
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_title(result["title"])
    axis.set_xlabel(result["x"])
    axis.set_ylabel(result["unit"])
    plot_axes.write_names(axis, [e["series"] for e in entries], places)
    plots.save(figure, image)


def pictures(cells: Cells, image: Path) -> None:
    """A grid of |H|, each with its own grey scale from 0 to its largest entry.

    Args:
        cells: rows of titles and zero-centred CSI `[N_t, N_a, 2]`.
        image: file, whose ending is the format.
    """
    shape = len(cells), max(map(len, cells))
    size = (2.2 * shape[1], 2.4 * shape[0])
    figure, axes = plots.plt.subplots(
        *shape, figsize=size, squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for row, places in zip(cells, axes, strict=True):
        for (title, h), axis in zip(row, places, strict=False):
            axis.imshow(np.abs(accuracy.to_complex(h)), cmap="gray", vmin=0)
            axis.set_title(title, fontsize="small")
    plots.save(figure, image)


OF_RESULT = (curves, points)  # these need no runs
