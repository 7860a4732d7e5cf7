"""NMSE over bits, out of results: curves, and the best codec at a number of bits."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from zoo import files

CODECS = {
    "pursuit": "pursuit",
    "dft": "DFT taps",
    "klt_coded": "KLT",
    "klt_mixture": "16 KLTs",
}
GAUSSIAN = "Gaussian line of one KLT"
CLASSIC, NETWORK, LINE = "classic", "network", "line"
SIZES = re.compile(r"(_quick|_tiny)?(:stream)?$")  # of the same channels
EQUAL = 0.01  # share of the bits within which a point is at them
EXACT, BETWEEN, FEWER = "", "~", "≤"


class Curve(NamedTuple):
    """A line of a plot.

    Attributes:
        name: codec or network.
        kind: `CLASSIC`, `NETWORK` or `LINE`.
        points: (bits, NMSE in dB), the fewest bits first.
        fixed: whether no report is longer.
    """

    name: str
    kind: str
    points: list[tuple[float, float]]
    fixed: bool = False


def is_rate(content: dict) -> bool:
    """Whether a results file has rate curves."""
    return "rate_curves" in content


def data_set(row: dict) -> str:
    """Data set and configuration of a results row, as far as it names them."""
    parts = (row.get("dataset"), row.get("dataset_config"))
    return "/".join(filter(None, parts))


def trained_on(row: dict) -> str:
    """Data set that a results row was trained on, or all that were mixed for it."""
    mixed = (row.get("train_data") or "").partition(";")[0].split(" + ")
    if len(mixed) == 1:
        return data_set(row)
    return ", ".join(part.partition(" ")[0].rpartition("/")[0] for part in mixed)


def channels(data: str) -> str:
    """A data set's name without what says how many of its channels there are."""
    return SIZES.sub("", data)


def channels_of(content: dict) -> str:
    """Channels that curves are of."""
    return channels(content["rate_curves"]["dataset"])


def curves(content: dict) -> list[Curve]:
    """Curves of a results file: codecs, networks, the Gaussian line."""
    groups: dict[tuple, list[tuple]] = {}
    for row in content["rows"]:
        kind = NETWORK if row.get("run") else CLASSIC
        key = name_of(row), kind, row["rate"] == "fixed"
        groups.setdefault(key, []).append((row["feedback_bits"], row["nmse_db"]))
    found = [
        Curve(name, kind, sorted(points), fixed)
        for (name, kind, fixed), points in groups.items()
    ]
    line = [tuple(point) for point in content["gaussian_klt"]["points"]]
    return [*found, Curve(GAUSSIAN, LINE, line)]


def name_of(row: dict) -> str:
    """What a row's curve is called."""
    if row.get("run"):
        return f"{row['model']}, M = {row['codeword_dim']}, bits {row['quantised']}"
    name = CODECS.get(row["model"], row["model"])
    other = row["fitted_on"]
    return f"{name}, fitted on {channels(other)}" if other else name


class Classic(NamedTuple):
    """The best codec without a network at a number of bits.

    Attributes:
        name: registry name of the codec.
        nmse_db: NMSE.
        how: `EXACT` where it was measured with this budget, `BETWEEN` two budgets, or
            with `FEWER` bits, the largest budget: then it is at most that.
    """

    name: str
    nmse_db: float
    how: str


@functools.cache
def committed() -> tuple[dict, ...]:
    """The rate curves that come with the zoo."""
    return tuple(map(files.read_json, sorted(files.RESULTS.glob("rate_*.json"))))


def best_classic(
    data: str, bits: float, contents: Iterable[dict] | None = None
) -> Classic | None:
    """The best measured codec of some channels when no report exceeds so many bits.

    That is what a network of fixed length is held to. Between two budgets the NMSE in
    dB is taken to be straight over the logarithm of the bits.

    Args:
        data: 'name/config' of the channels.
        bits: of a report.
        contents: of results files with rate curves; None: those of the zoo.

    Returns:
        None where nothing is measured with as small a budget.
    """
    found = []
    for content in committed() if contents is None else contents:
        if channels_of(content) != channels(data):
            continue
        by_name: dict[str, list[dict]] = {}
        for row in content["rows"]:
            if row["rate"] == "fixed" and not row["fitted_on"]:
                by_name.setdefault(row["model"], []).append(row)
        found += [_at(name, rows, bits) for name, rows in by_name.items()]
    known = [one for one in found if one is not None]
    return min(known, key=lambda one: one.nmse_db, default=None)


def _at(name: str, rows: list[dict], bits: float) -> Classic | None:
    points = sorted((row["report_bits"], row["nmse_db"]) for row in rows)
    x, y = np.log2([p[0] for p in points]), [p[1] for p in points]
    place, near = math.log2(bits), math.log2(1 + EQUAL)
    if place < x[0] - near:
        return None
    if place > x[-1] + near:
        return Classic(name, y[-1], FEWER)
    exact = np.abs(x - place).min() <= near
    value = float(np.interp(place, x, y))
    return Classic(name, value, EXACT if exact else BETWEEN)
