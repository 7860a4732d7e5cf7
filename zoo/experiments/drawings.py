"""How a reproduced figure is drawn: curves, points or pictures of H."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import EngFormatter

from zoo.experiments import labels
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
    result = labels.on_one_axis(result)
    entries = result["entries"]
    numbers = [e for e in entries if not isinstance(e["x"], str)]
    plots.save_curves({**result, "entries": numbers or entries}, image)


def points(lab: Lab, result: dict, image: Path, printed=None) -> None:
    """A named point per series, x as a number.

    Args:
        lab: not used.
        result: see `zoo.reproduce.make`.
        image: file, whose ending is the format.
        printed: name to x and y of the paper's points, drawn hollow.
    """
    del lab
    entries, printed = result["entries"], printed or {}
    names = [*(e["series"] for e in entries), *printed]
    places = [*((e["x"], e["ours"]) for e in entries), *printed.values()]
    figure, axis = plots.plt.subplots(figsize=(7, 4.2), layout="constrained")
    for place in places[: len(entries)]:
        axis.plot(*place, "o")
    for place in printed.values():
        axis.plot(*place, "o", color="grey", fillstyle="none")
    x = [place[0] for place in places]
    axis.margins(0.15)
    if min(x) > 0 and max(x) > WIDE * min(x):
        axis.set_xscale("log")
        plot_axes.name_decades(axis)
    else:
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.set_title(labels.title_of(result))
    axis.set_xlabel(result["x"])
    axis.set_ylabel(result["unit"])
    plot_axes.write_names(axis, names, places)
    plots.save(figure, image)


def pictures(
    cells: Cells, image: Path, alone: bool = False, real: bool = False
) -> None:
    """A grid of |H| in dB, angle upwards and delay to the right.

    Args:
        cells: rows of titles and zero-centred CSI `[N_t, N_a, 2]`, the truth first.
        image: file, whose ending is the format.
        alone: each is below its own largest entry instead of the truth's.
        real: the real part on a linear scale instead.
    """
    show = plots.show_real if real else plots.show_magnitude
    shape = len(cells), max(map(len, cells))
    size = (2.2 * shape[1] + 1.4, 2.4 * shape[0] + 0.3)
    figure, axes = plots.plt.subplots(
        *shape, figsize=size, squeeze=False, layout="constrained",
        sharex=True, sharey=True,
    )  # fmt: skip
    for row, places in zip(cells, axes, strict=True):
        for axis in places[len(row) :]:
            axis.set_axis_off()
        for (title, h), axis in zip(row, places, strict=False):
            peak = np.abs(accuracy.to_complex(h if alone else row[0][1])).max()
            shown = show(axis, h, peak)
            axis.set_title(title, fontsize="small")
    scale = plots.REAL_SCALE if real else plots.SCALE
    if alone:
        scale = "|H| / largest |H| [dB]"
    plots.finish_magnitudes(figure, axes, shown, scale)
    plots.save(figure, image, scale)


def needs_no_runs(draw) -> bool:
    """Whether a drawing is made from a result alone."""
    return getattr(draw, "func", draw) in (curves, points)
