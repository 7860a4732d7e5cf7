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
    leaders = [leader(text) for text in boxes if has_leader(text)]
    for (a, one), (b, other) in itertools.combinations(leaders, 2):
        assert not cross(one, other), f"the lines to {a!r} and {b!r} cross"
    for legend in figure.findobj(Legend):
        box = legend.get_window_extent()
        for axis in figure.axes:
            assert not covered(axis, box), f"the legend covers a curve of {axis}"


def has_leader(text: Text) -> bool:
    return isinstance(text, Annotation) and text.arrow_patch is not None


def leader(text: Annotation) -> tuple[str, np.ndarray]:
    """Name and ends of the line from a point to its name, pixels `[2, 2]`."""
    point = text.axes.transData.transform(text.xy)
    box = Text.get_window_extent(text)
    return text.get_text(), np.stack([point, np.clip(point, box.min, box.max)])


def cross(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two lines, each given by its ends, cross."""

    def side(a, b, c) -> float:
        return np.sign(np.linalg.det(np.stack([b - a, c - a])))

    apart = [
        side(*a, b[0]) * side(*a, b[1]) < 0 for a, b in ((one, other), (other, one))
    ]
    return all(apart)


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
