"""Plots of CSI, errors and training, as PNG, PDF or SVG.

A legend stands beside its axes, never over a curve; an axis of numbers is one.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, PngImagePlugin

from zoo.metrics import accuracy, plot_axes

matplotlib.use("Agg")
matplotlib.rcdefaults()  # a matplotlibrc is for other figures
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

DPI = 150
FLOOR_DB = -40  # of a picture of |H|
SCALE = "|H| / largest true |H| [dB]"
REAL_SCALE = "Re H / largest true |H|"
COLOURS = 256  # of a PNG: those of a plot and of their edges
ABOUT = "Description"  # keyword of PNG
KLT = "linear KLT"
DASHED = {"color": "black", "linestyle": "--", "linewidth": 1.2}
MARKED = 50  # epochs up to which each has a marker


def save_examples(h: np.ndarray, h_hat: np.ndarray, target) -> None:
    """True over recovered |H| in dB below the truth's peak, one column per example.

    Args:
        h: zero-centred truth `[n, N_t, N_a, 2]`.
        h_hat: recovered, same shape.
        target: see `save`.
    """
    figure, axes = plt.subplots(
        2, len(h), figsize=(2 * len(h) + 1.6, 4.8), squeeze=False,
        layout="constrained", sharex=True, sharey=True,
    )  # fmt: skip
    errors = accuracy.to_db(accuracy.nmse(h, h_hat))
    for column, truth, other, error in zip(axes.T, h, h_hat, errors, strict=True):
        peak = np.abs(accuracy.to_complex(truth)).max()
        for axis, x in zip(column, (truth, other), strict=True):
            image = show_magnitude(axis, x, peak)
        column[0].set_title("true", fontsize="medium")
        column[1].set_title(f"NMSE {error:.1f} dB", fontsize="medium")
    finish_magnitudes(figure, axes, image, SCALE)
    save(figure, target)


def show_magnitude(axis, h: np.ndarray, peak: float):
    """|H| of a zero-centred CSI `[N_t, N_a, 2]` in dB below a peak; the image."""
    level = np.abs(accuracy.to_complex(h)) / peak
    shown = 20 * np.log10(np.maximum(level, 10 ** (FLOOR_DB / 20)))
    return axis.imshow(shown, vmin=FLOOR_DB, vmax=0, origin="lower")


def show_real(axis, h: np.ndarray, peak: float):
    """Real part of a zero-centred CSI `[N_t, N_a, 2]` in shares of a peak."""
    style = {"vmin": -1, "vmax": 1, "origin": "lower", "cmap": "RdBu_r"}
    return axis.imshow(accuracy.to_complex(h).real / peak, **style)


def finish_magnitudes(figure, axes: np.ndarray, image, scale: str) -> None:
    """Name the outer axes of a grid of |H| and the scale of its colours."""
    for axis in axes[-1]:
        axis.set_xlabel("delay [bin]" if axis.axison else "")
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axis in axes[:, 0]:
        axis.set_ylabel("angle [bin]")
    figure.colorbar(image, ax=axes, label=scale)


def save_nmse_histogram(ratios: np.ndarray, target) -> None:
    """Histogram of per-sample NMSE in dB with the global value as a line."""
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    bins = int(np.clip(2 * len(ratios) ** 0.5, 10, 80))
    axis.hist(accuracy.to_db(ratios), bins=bins, edgecolor="white", linewidth=0.4)
    average = accuracy.to_db(ratios.mean())
    axis.axvline(average, color="black", label=f"global NMSE {average:.2f} dB")
    axis.set_xlabel("NMSE of a sample [dB]")
    axis.set_ylabel("samples")
    legend_above(axis)
    save(figure, target)


def save_training_curve(
    records: list[dict], target, reference_db=None, by_sgcs: bool = False
) -> None:
    """Loss of training and validation, and validation NMSE, against epochs.

    Args:
        records: lines of metrics.jsonl.
        target: see `save`.
        reference_db: NMSE of the KLT line, drawn dashed.
        by_sgcs: whether the loss is 1 - SGCS, which is drawn in the place of NMSE.
    """
    epochs = [r["epoch"] for r in records]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    style = {"marker": "o" if len(epochs) <= MARKED else "", "markersize": 4}
    for key, label in (("loss", "training"), ("val_loss", "validation")):
        loss = np.array([r.get(key) for r in records], float)  # None: NaN
        if np.isfinite(loss).any():
            left.semilogy(epochs, loss, label=label, **style)
    left.set_ylabel("loss (1 - SGCS)" if by_sgcs else "loss (MSE)")
    legend_above(left)
    values = [r["val_sgcs" if by_sgcs else "val_nmse_db"] for r in records]
    right.plot(epochs, values, label="validation", **style)
    if reference_db is not None and not by_sgcs:
        right.axhline(reference_db, label=KLT, **DASHED)
    right.set_ylabel("SGCS" if by_sgcs else "NMSE [dB]")
    legend_above(right)
    for axis in (left, right):
        axis.set_xlabel("epoch")
        axis.set_xlim(min(epochs, default=0) - 0.5, max(epochs, default=0) + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    save(figure, target)


def save_curves(result: dict, target) -> None:
    """Curves of a reproduced figure, one per series, with the spread over seeds.

    The linear KLT is dashed. What has values at one place only is drawn as a ranking.

    Args:
        result: see `zoo.reproduce.make`.
        target: see `save`.
    """
    entries = result["entries"]
    places = list(dict.fromkeys(e["x"] for e in entries))
    if len(places) < 2:
        rows = [(_name(e["series"]), e["ours"], e["ours_by_seed"]) for e in entries]
        title = ", ".join([result["title"], *map(str, places)])
        save_ranking(rows, result["unit"], target, title)
        return
    figure, axis = plt.subplots(figsize=(8, 4.2), layout="constrained")
    at = plot_axes.set_places(axis, places)
    for series in dict.fromkeys(e["series"] for e in entries):
        own = [e for e in entries if e["series"] == series]
        x, ours = [at[e["x"]] for e in own], [e["ours"] for e in own]
        style = {"marker": "o", "label": _name(series)}
        style |= DASHED if series == "klt" else {}
        (line,) = axis.plot(x, ours, **style)
        for place, e in zip(x, own, strict=True):
            seeds = e["ours_by_seed"]
            axis.plot([place] * len(seeds), seeds, "_", color=line.get_color())
    axis.set_title(result["title"])
    axis.set_xlabel(result["x"])
    axis.set_ylabel(result["unit"])
    figure.legend(loc="outside right upper")
    save(figure, target)


def save_ranking(rows: list[tuple], unit: str, target, title="", most=None) -> None:
    """A point per name, smallest value on top, with the spread over seeds.

    Where the linear KLT is among them, its value is a dashed line.

    Args:
        rows: name, value and values by seed.
        unit: of the values.
        target: see `save`.
        title: above the plot.
        most: larger values stand as text at the edge.
    """
    rows = sorted(rows, key=lambda row: -row[1])
    size = (7, 1.5 + 0.27 * len(rows))
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    axis.set_ylim(-0.7, len(rows) - 0.3)
    for y, (name, value, seeds) in enumerate(rows):
        if most is not None and value > most:
            edge = {"transform": axis.get_yaxis_transform(), "ha": "right"}
            digits = 0 if abs(value) >= 1 else 2
            axis.text(0.99, y, f"{value:+.{digits}f} →", va="center", **edge)
            continue
        colour, marker = ("black", "D") if name == KLT else ("tab:blue", "o")
        ends = [min(seeds), max(seeds)]
        axis.plot(ends, [y, y], color=colour, linewidth=3, alpha=0.4)
        axis.plot(value, y, marker, color=colour)
        if name == KLT:
            axis.axvline(value, zorder=0, **DASHED)
    axis.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.set_xlabel(unit)
    axis.set_title(title, fontsize="medium")
    save(figure, target)


def _name(series: str) -> str:
    return KLT if series == "klt" else series


def legend_above(axis, **style) -> None:
    """A legend between axes and title; `style` as Matplotlib's."""
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "frameon": False}
    axis.legend(**{**place, "ncols": 2, **style})


def save(figure, target, about: str = "") -> None:
    """Write a figure and forget it.

    Args:
        figure: of Matplotlib.
        target: path, whose ending is the format, or a binary file for a PNG.
        about: what a PNG says of itself, see `description`.
    """
    kind = Path(target).suffix[1:] if isinstance(target, str | Path) else "png"
    if kind == "png":
        _save_png(figure, target, about)
    else:
        figure.savefig(target, format=kind)
    plt.close(figure)


def _save_png(figure, target, about: str) -> None:
    """A PNG, that of lines and points with a palette: a third of the size."""
    buffer, text = io.BytesIO(), PngImagePlugin.PngInfo()
    figure.savefig(buffer, format="png", dpi=DPI)
    image = Image.open(buffer).convert("RGB")
    if not any(axis.images for axis in figure.axes):
        image = image.quantize(COLOURS, dither=Image.Dither.NONE)
    if about:
        text.add_text(ABOUT, about)
    image.save(target, "png", optimize=True, dpi=(DPI, DPI), pnginfo=text)


def description(path: Path) -> str:
    """What a PNG says of itself; nothing for most."""
    with Image.open(path) as image:
        return image.info.get(ABOUT, "")
