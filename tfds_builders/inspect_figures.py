"""Figures of a data set's CSI, as PNG: one by one, or all below each other."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib import image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfds_builders import statistics

WIDTH = 12.0
STYLE = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "grid.color": "#d9dde3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
# Of Okabe and Ito's palette, which every kind of colour vision tells apart; the line
# style says it again.
FIRST = {"color": "#0072b2", "linestyle": "-"}
SECOND = {"color": "#d55e00", "linestyle": "--"}
LEGEND = {"loc": "outside upper right", "ncols": 3}
LOWEST_DB = -40
COLUMNS = 4


@dataclass(frozen=True)
class Section:
    """One figure of the page.

    Attributes:
      title: heading.
      caption: what is drawn and how it is defined.
      alt: what is seen, for those who do not see it.
      height: inches, at a width of `WIDTH`.
      draw: draws into an empty figure.
    """

    title: str
    caption: str
    alt: str
    height: float
    draw: Callable[[Figure], None]


def render(height: float, draw: Callable[[Figure], None]) -> np.ndarray:
    """Pixels of a figure, uint8 `[rows, columns, 4]`, all of one width.

    Args:
      height: inches, at a width of `WIDTH`.
      draw: draws into an empty figure.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc is for other figures
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH, height), dpi=120, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        canvas.draw()
    return np.array(canvas.buffer_rgba())


def heading(text: str, size: int) -> np.ndarray:
    """Pixels of lines of text, as of `render`."""
    lines = text.count("\n") + 1
    return render(
        0.1 + lines * size / 45, lambda figure: figure.text(0.01, 0.1, text, size=size)
    )


def png(pixels: np.ndarray) -> bytes:
    """Pixels as a PNG."""
    buffer = io.BytesIO()
    image.imsave(buffer, pixels, format="png")
    return buffer.getvalue()


def draw_examples(
    figure, h: np.ndarray, titles: list[list[str]], delays: np.ndarray, unit: str
) -> None:
    """|h| in dB below the strongest entry of each example.

    Args:
      figure: to draw into.
      h: complex `[rows, columns, N_t, N_a]`.
      titles: of each panel.
      delays: `[N_a]` of the taps, evenly spaced.
      unit: of the delays.
    """
    *grid, num_beams, num_taps = h.shape
    axes = figure.subplots(*grid, sharex=True, sharey=True, squeeze=False)
    magnitude = np.abs(h) / np.abs(h).max(axis=(2, 3), keepdims=True)
    level = 20 * np.log10(np.maximum(magnitude, 10 ** (LOWEST_DB / 20)))
    half_tap = np.ptp(delays) / max(num_taps - 1, 1) / 2 or 0.5
    ends = (delays[0] - half_tap, delays[-1] + half_tap)
    for row, column in np.ndindex(*grid):
        axis = axes[row, column]
        axis.grid(False)
        axis.set_title(titles[row][column])
        shown = axis.imshow(
            level[row, column],
            cmap="cividis",
            vmin=LOWEST_DB,
            vmax=0,
            aspect="auto",
            origin="lower",
            extent=(*ends, -0.5, num_beams - 0.5),
        )
    for axis in axes[-1]:
        axis.set_xlabel(f"delay [{unit}]")
    for axis in axes[:, 0]:
        axis.set_ylabel("beam")
    figure.colorbar(shown, ax=axes, label="|h| [dB below peak]", pad=0.01, aspect=30)


def draw_profiles(
    figure,
    h: np.ndarray,
    reference: np.ndarray | None,
    delays: np.ndarray,
    unit: str,
) -> None:
    """Mean power-delay and angular profile, and the range of 90 % of the samples."""
    delay, angle = figure.subplots(1, 2)
    _draw_profile(delay, delays, statistics.delay_profile, h, reference)
    delay.set(xlabel=f"delay [{unit}]", ylabel="share of the energy per tap [dB]")
    _draw_profile(
        angle, np.arange(h.shape[1]), statistics.angular_profile, h, reference
    )
    angle.set(xlabel="beam", ylabel="share of the energy per beam [dB]")
    figure.legend(*delay.get_legend_handles_labels(), **LEGEND)


def _draw_profile(axis, x: np.ndarray, profile: Callable, h, reference) -> None:
    shares = profile(h)
    mean = shares.mean(axis=0)
    ends = np.percentile(shares, [5, 95], axis=0)
    color = FIRST["color"]
    label = "data set, 5 to 95 % of the samples"
    axis.fill_between(x, *_db(ends), color=color, alpha=0.15, linewidth=0, label=label)
    axis.plot(x, _db(mean), label="data set, mean", **FIRST)
    if reference is not None:
        mean_reference = profile(reference).mean(axis=0)
        axis.plot(x, _db(mean_reference), label="reference, mean", **SECOND)
    axis.set_xlim(x[0], x[-1])
    axis.set_ylim(max(_db(mean).min() - 10, -80), _db(ends[1]).max() + 3)


def _db(share: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(share, 1e-12))


def draw_cdfs(
    figure,
    values: dict[str, np.ndarray],
    others: dict[str, np.ndarray],
    labels: tuple[str, str],
    notes: dict[str, str],
) -> None:
    """Empirical distribution functions, a panel for each quantity.

    Args:
      figure: to draw into.
      values: quantity with unit -> float `[n]`; infinite ones lie beyond the edge.
      others: what to compare with, for some of the quantities.
      labels: what `values` and `others` are.
      notes: quantity -> text in its panel.
    """
    rows = -(-len(values) // COLUMNS)
    axes = figure.subplots(rows, min(COLUMNS, len(values)), sharey=True, squeeze=False)
    for axis in axes.flat[len(values) :]:
        axis.set_axis_off()
    for axis, (name, first) in zip(axes.flat, values.items(), strict=False):
        _draw_cdf(axis, first, labels[0], FIRST)
        if name in others:
            _draw_cdf(axis, others[name], labels[1], SECOND)
        axis.set(xlabel=name, ylim=(0, 1))
        axis.set_title(notes.get(name, ""))
    for axis in axes[:, 0]:
        axis.set_ylabel("share of samples below")
    if others:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), **LEGEND)


def _draw_cdf(axis, values: np.ndarray, label: str, style: dict) -> None:
    shares = np.arange(1, len(values) + 1) / len(values)
    axis.step(np.sort(values), shares, where="post", label=label, **style)


def draw_time(figure, correlation: np.ndarray, times_s: list[float] | None) -> None:
    """Correlation with the first snapshot against time.

    Args:
      figure: to draw into.
      correlation: `[n, T]`.
      times_s: `[T]` of the snapshots; None: unknown, the axis counts them.
    """
    axis = figure.subplots()
    x = np.arange(correlation.shape[1]) if times_s is None else 1e3 * np.array(times_s)
    ends = np.percentile(correlation, [5, 95], axis=0)
    label = "5 to 95 % of the samples"
    axis.fill_between(x, *ends, color=FIRST["color"], alpha=0.15, lw=0, label=label)
    axis.plot(x, correlation.mean(axis=0), marker="o", label="mean", **FIRST)
    axis.set(xlabel="snapshot" if times_s is None else "time [ms]", ylim=(0, 1.02))
    axis.set_ylabel("correlation with the first snapshot")
    figure.legend(*axis.get_legend_handles_labels(), **LEGEND)
