"""How a reproduced figure is drawn: curves, points or pictures of |H|."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.experiments.target import Lab
from zoo.metrics import accuracy, plots

Cells = list[list[tuple[str, np.ndarray]]]


def curves(lab: Lab, result: dict, image: Path) -> None:
    """A curve per series; what stands at a text between numbers is left out.

    Args:
        lab: not used.
        result: see `zoo.reproduce.make`.
        image: the PNG.
    """
    del lab
    entries = result["entries"]
    numbers = [e for e in entries if not isinstance(e["x"], str)]
    plots.save_curves({**result, "entries": numbers or entries}, image)


def points(lab: Lab, result: dict, image: Path) -> None:
    """A named point per series, x as a number; arguments as `curves`."""
    del lab
    figure, axis = plots.plt.subplots(figsize=(6, 4), layout="constrained")
    for e in result["entries"]:
        axis.plot(e["x"], e["ours"], "o")
        axis.annotate(
            e["series"], (e["x"], e["ours"]), (4, 4), textcoords="offset points"
        )
    axis.set_title(result["title"])
    axis.set_xlabel(result["x"])
    axis.set_ylabel(result["unit"])
    plots.save(figure, image)


def pictures(cells: Cells, image: Path) -> None:
    """A grid of |H|, each with its own grey scale from 0 to its largest entry.

    Args:
        cells: rows of titles and zero-centred CSI `[N_t, N_a, 2]`.
        image: the PNG.
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
