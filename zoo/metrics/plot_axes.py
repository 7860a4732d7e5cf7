"""Axes whose places are numbers, and names beside points that do not collide."""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

NUMBER = re.compile(r"(\d+/[1-9]\d*|(?:(?<![\w.])-)?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
FEW, MANY = 6, 100  # largest over smallest place: for ticks 1, 2, 5, and 1 alone
CLOSE = 1 / 15  # of an axis: ticks nearer to each other are left to Matplotlib
MARKER = 5  # half its size, points
RADII = (8, 16, 26, 38, 52, 70)  # of a name from its point, points
STEP = 4  # between points on a line, pixels
LEADER = 40  # points on one
HALO = [withStroke(linewidth=2.5, foreground="white")]


def numbers(places: list) -> list[float] | None:
    """Places as numbers; None where they are names.

    Of texts such as '1/16, 4 bit' and '1/16, 8 bit' it is the part that differs.
    """
    if not any(isinstance(place, str) for place in places):
        return [float(place) for place in places]
    parts = [NUMBER.split(str(place)) for place in places]
    if len(set(map(len, parts))) > 1:
        return None
    columns = enumerate(zip(*parts, strict=True))
    different = [i for i, column in columns if len(set(column)) > 1]
    if len(different) != 1 or not different[0] % 2:  # numbers are at odd places
        return None
    return [float(Fraction(part[different[0]])) for part in parts]


def set_places(axis, places: list) -> dict:
    """Make a plot's x axis; returns each place's number on it.

    Ratios are on a logarithmic axis, names in their order. Texts are their own ticks.
    """
    values = numbers(places)
    if values is None:
        values = [float(i) for i in range(len(places))]
    elif all(0 < value < 1 for value in values):
        axis.set_xscale("log", base=2)
        axis.minorticks_off()
    shown = np.sort(np.log2(values) if axis.get_xscale() == "log" else values)
    apart = len(shown) < 2 or np.diff(shown).min() > CLOSE * np.ptp(shown)
    if apart or any(isinstance(place, str) for place in places):
        axis.set_xticks(values, [str(place) for place in places])
    return dict(zip(places, values, strict=True))


def name_decades(axis) -> None:
    """Ticks of a logarithmic x axis as 200k or 1M, in between without names."""
    low, high = axis.get_xlim()
    steps = (1,) if high > MANY * low else (1, 2, 5)
    few = high < FEW * low
    axis.xaxis.set_major_locator(MaxNLocator(5) if few else LogLocator(subs=steps))
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.xaxis.set_minor_formatter(NullFormatter())


def write_names(axis, names: list[str], points: list[tuple], others=()) -> None:
    """Name points where nothing is yet: no other name, no point, hardly a line.

    Args:
        axis: with everything else drawn and its limits set.
        names: of each point.
        points: in the axis' coordinates.
        others: points without a name that names keep off, too.
    """
    figure = axis.figure
    figure.canvas.draw()
    figure.set_layout_engine("none")  # what has a place keeps it
    half = MARKER * figure.dpi / 72
    taken = [
        Bbox.from_extents(x - half, y - half, x + half, y + half)
        for x, y in axis.transData.transform(list(dict.fromkeys([*points, *others])))
    ]
    order = sorted(zip(names, points, strict=True), key=lambda x: x[1])
    first = _write_all(axis, order, taken)
    if not first[0]:
        return
    second = _write_all(axis, order[::-1], taken)
    for label in max(first, second, key=lambda found: found[0])[1]:
        label.remove()


def _write_all(axis, order: list[tuple], taken: list[Bbox]) -> tuple[int, list]:
    """Write names in an order; how many clashes there are, and the texts."""
    lines, leaders, boxes, labels, clashes = _on_lines(axis), [], [*taken], [], 0
    for name, point in order:
        bad, label, box, leader = _write(axis, name, point, boxes, lines, leaders)
        clashes += bad
        labels.append(label)
        boxes.append(box)
        leaders.append(leader)
    return clashes, labels


def _write(axis, name: str, point: tuple, taken: list[Bbox], lines, leaders):
    """Write at the nearest free place, or at the least bad one.

    Returns:
        Number of clashes, text, box and leader.
    """
    found = []
    here = axis.transData.transform(point)
    others = [box for box in taken if not box.contains(*here)]
    for i, where in enumerate(_around()):
        label = _label(axis, name, point, *where)
        box = Text.get_window_extent(label).padded(2)
        leader = _leader(here, box)
        clash = not _inside(box, axis.bbox), sum(map(box.overlaps, taken))
        crossed = sum(_count(leader, other) > 0 for other in others)
        crossed += sum(_count(own, box) > 0 or _near(own, leader) for own in leaders)
        found.append((*clash, crossed, _count(lines, box) + i / 4, i, label, box))
        if not any(clash) and not crossed and found[-1][3] == i / 4:
            break
    best = min(found)
    for *_, label, _box in found:
        if label is not best[-2]:
            label.remove()
    *clash, _, _, label, box = best
    return sum(clash), label, box, _leader(here, box)


def _leader(point: np.ndarray, box: Bbox) -> np.ndarray:
    """Points from a marker to the nearest point of a name `[n, 2]`, pixels."""
    return np.linspace(point, np.clip(point, box.min, box.max), LEADER)


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two leaders cross or touch."""
    apart = np.linalg.norm(one[:, None] - other[None], axis=-1)
    return bool(apart.min() < STEP)


def _around():
    """Radius and offset of the places around a point, the nearest first."""
    for radius, eighth in itertools.product(RADII, range(8)):
        angle = math.pi / 4 * eighth
        yield radius, radius * math.cos(angle), 0.8 * radius * math.sin(angle)


def _label(axis, name: str, point: tuple, radius: float, dx: float, dy: float):
    label = axis.annotate(
        name, point, (dx, dy), textcoords="offset points", fontsize=8,
        ha="left" if dx > 1 else "right" if dx < -1 else "center", va="center",
        arrowprops={"arrowstyle": "-", "linewidth": 0.4} if radius > 10 else None,
        path_effects=HALO, annotation_clip=False,
    )  # fmt: skip
    label.update_positions(axis.figure.canvas.get_renderer())
    return label


def _on_lines(axis) -> np.ndarray:
    """Points on the lines of an axis `[n, 2]`, pixels."""
    found = [np.empty((0, 2))]
    for line in axis.lines:
        corners = line.get_transform().transform_path(line.get_path()).vertices
        if line.get_drawstyle() == "steps-post":
            corners = np.repeat(corners, 2, axis=0)
            corners = np.stack([corners[1:, 0], corners[:-1, 1]], axis=1)
        for ends in itertools.pairwise(np.clip(corners, -1e4, 1e4)):
            steps = int(np.hypot(*np.subtract(*ends)) / STEP) + 2
            found.append(np.linspace(*ends, steps))
    return np.concatenate(found)


def _inside(box: Bbox, frame: Bbox) -> bool:
    return bool((box.min >= frame.min).all() and (box.max <= frame.max).all())


def _count(points: np.ndarray, box: Bbox) -> int:
    inside = (points >= box.min) & (points <= box.max)
    return int(inside.all(axis=1).sum())
