"""What one sees on a figure, asked of its artists: nothing collides or is cut off."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from matplotlib.legend import Legend
from matplotlib.text import Annotation, Text

from zoo.metrics import plots


def kept(monkeypatch) -> Iterator[list]:
    """Figures that are saved from here on, still open; for a fixture."""
    figures, close = [], plots.plt.close
    monkeypatch.setattr(plots.plt, "close", figures.append)
    yield figures
    for figure in figures:
        close(figure)


def check(figure) -> None:
    """Texts stay in the picture and off each other, legends off the curves."""
    figure.canvas.draw()
    boxes = {text: Text.get_window_extent(text).padded(-1) for text in texts(figure)}
    for text, box in boxes.items():
        frame = figure.bbox.padded(1)
        inside = (box.min >= frame.min).all() and (box.max <= frame.max).all()
        assert inside, f"{text.get_text()!r} leaves the picture"
        if isinstance(text, Annotation):
            own = text.axes.bbox
            assert (box.min >= own.min).all() and (box.max <= own.max).all(), text
    for (a, one), (b, other) in itertools.combinations(boxes.items(), 2):
        message = f"{a.get_text()!r} and {b.get_text()!r} collide"
        assert not one.overlaps(other), message
    for legend in figure.findobj(Legend):
        box = legend.get_window_extent()
        for axis in figure.axes:
            assert not covered(axis, box), f"the legend covers a curve of {axis}"


def texts(figure) -> list[Text]:
    """Texts that are shown; ticks beyond an axis are not."""
    hidden = set()
    for axis in figure.axes:
        for one in (axis.xaxis, axis.yaxis):
            low, high = sorted(one.get_view_interval())
            for tick in [*one.get_major_ticks(), *one.get_minor_ticks()]:
                if not low <= tick.get_loc() <= high or not tick.label1.get_visible():
                    hidden |= {tick.label1}
                hidden |= {tick.label2}
    return [
        text
        for text in figure.findobj(Text)
        if text not in hidden and text.get_visible() and text.get_text().strip()
    ]


def covered(axis, box) -> bool:
    """Whether a box lies on a point of a curve, or on the line between two."""
    for line in axis.lines:
        points = line.get_transform().transform(np.asarray(line.get_xydata(), float))
        steps = np.linspace(0, 1, 200)[:, None]
        for a, b in itertools.pairwise(points):
            way = a + steps * (b - a)
            if ((way >= box.min) & (way <= box.max)).all(axis=1).any():
                return True
    return False
