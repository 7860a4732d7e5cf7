"""SGCS over bits, out of rows of eigenvectors: curves, and their values at payloads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from zoo import registry
from zoo.reporting.eigen_names import (
    AT_MOST,
    BASE,
    CODEBOOKS,
    NAMES,
    Setting,
    names,
    setting_of,
)
from zoo.reporting.rate_curves import (
    BETWEEN,
    CLASSIC,
    EQUAL,
    EXACT,
    NETWORK,
)
from zoo.reporting.results_files import rows_of, sends_eigenvectors

CODEBOOK = "codebook"
NEAR = 0.05  # share of the bits within which the end of a curve is at a payload
CHOSEN = ("oversampling", "gains")  # in model_args, by the codec itself


class Point(NamedTuple):
    """One configuration, or the mean of its seeds.

    Attributes:
        bits: of a report in the mean, both parts; of the longest of a codec “at most”.
        sgcs: of each layer.
        spread: smallest and largest SGCS of a seed, of each layer.
        ends: the same of its mean over the layers.
        zf_rate: of users served together, bit/s/Hz.
        seeds: how many.
        longest: bits of the longest report.
        how: `EXACT` where it was measured, or `BETWEEN` two points.
    """

    bits: float
    sgcs: tuple[float, ...]
    spread: tuple[tuple[float, float], ...]
    ends: tuple[float, float]
    zf_rate: float
    seeds: int
    longest: float
    how: str = EXACT

    @property
    def mean(self) -> float:
        """SGCS, the mean of the layers."""
        return sum(self.sgcs) / len(self.sgcs)


class Curve(NamedTuple):
    """What sends eigenvectors in one way, at some numbers of bits.

    Attributes:
        name: codebook, codec or network.
        kind: `CODEBOOK`, `CLASSIC` or `NETWORK`.
        points: the fewest bits first.
    """

    name: str
    kind: str
    points: list[Point]

    @property
    def is_at_most(self) -> bool:
        """Whether no report is longer than its place; codebooks stand at their mean."""
        if self.kind == NETWORK:
            return all(point.longest <= point.bits for point in self.points)
        return self.kind == CODEBOOK or self.name.endswith(AT_MOST)

    @property
    def is_mean(self) -> bool:
        """Whether it is not held to its bits in every report."""
        return not self.name.endswith(AT_MOST)

    def at(self, bits: float) -> Point | None:
        """Value at so many bits, straight over their logarithm between two points.

        Returns:
            None where nothing is measured near: an end of the curve may be `NEAR` away.
        """
        x = np.log2([point.bits for point in self.points])
        place, near = math.log2(bits), math.log2(1 + NEAR)
        if not x[0] - near <= place <= x[-1] + near:
            return None

        def value(y):
            """Of numbers of each point, or of arrays of them."""
            flat = np.reshape(y, (len(x), -1))
            found = [float(np.interp(place, x, column)) for column in flat.T]
            return np.reshape(found, np.shape(y)[1:]).tolist()

        sgcs, spread, ends, rate, longest = (
            value([getattr(point, key) for point in self.points])
            for key in ("sgcs", "spread", "ends", "zf_rate", "longest")
        )
        exact = np.abs(x - place).min() <= math.log2(1 + EQUAL)
        return Point(
            bits, tuple(sgcs), tuple(map(tuple, spread)), tuple(ends), rate,
            min(p.seeds for p in self.points), longest, EXACT if exact else BETWEEN,
        )  # fmt: skip


def is_eigen(content: dict) -> bool:
    """Whether all rows of a results file are of eigenvectors."""
    return "target" not in content and all(map(sends_eigenvectors, rows_of(content)))


def rows(contents: Iterable[dict]) -> list[dict]:
    """Rows of eigenvectors of some results files."""
    plain = (content for content in contents if "target" not in content)
    return [r for content in plain for r in rows_of(content) if sends_eigenvectors(r)]


def _kind(row: dict) -> str:
    if row["model"] in CODEBOOKS:
        return CODEBOOK
    return NETWORK if row["model"] in registry.MODELS else CLASSIC


def curves(found: list[dict]) -> dict[Setting, list[Curve]]:
    """Curves of rows by what is equal; those without bits have none."""
    groups: dict[Setting, dict[tuple, dict[str, list[dict]]]] = {}
    for row, name in zip(found, names(found), strict=True):
        if row["feedback_bits"] is None:
            continue
        own = groups.setdefault(setting_of(row), {})
        asked = {k: v for k, v in row["model_args"].items() if k not in CHOSEN}
        same = json.dumps([row["codeword_dim"], asked], sort_keys=True)
        points = own.setdefault((_kind(row), name), {})
        points.setdefault(same, []).append(row)
    return {
        setting: [
            Curve(name, kind, sorted(map(_point, points.values())))
            for (kind, name), points in sorted(own.items(), key=_place)
        ]
        for setting, own in sorted(groups.items())
    }


def _place(item) -> tuple:
    """Key that sorts codebooks, then codecs, then networks."""
    (kind, name), _ = item
    known = list(NAMES.values())
    first = name.partition(",")[0]
    place = known.index(first) if first in known else len(known)
    return (CODEBOOK, CLASSIC, NETWORK).index(kind), place, name


def _point(own: list[dict]) -> Point:
    layers = list(zip(*(row["sgcs_by_layer"] for row in own), strict=True))
    means = [float(np.mean(row["sgcs_by_layer"])) for row in own]
    ends = [row.get("feedback_bits_min_max") or [row["feedback_bits"]] for row in own]
    longest = max(end[-1] for end in ends)
    is_fixed = own[0]["model_args"].get("rate") == "fixed"
    mean = float(np.mean([row["feedback_bits"] for row in own]))
    return Point(
        longest if is_fixed else mean,
        tuple(float(np.mean(values)) for values in layers),
        tuple((min(values), max(values)) for values in layers),
        (min(means), max(means)),
        float(np.mean([row["zf_rate"] for row in own])),
        len({row["seed"] for row in own}),
        longest,
    )


def payloads(found: list[dict], setting: Setting) -> dict[int, float]:
    """Bits of the enhanced Type II codebook by parameter combination."""
    return {
        row["model_args"]["param_combination"]: row["feedback_bits"]
        for row in sorted(found, key=lambda r: r["feedback_bits"] or 0)
        if row["model"] == BASE and setting_of(row) == setting
    }
