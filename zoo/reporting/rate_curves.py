"""NMSE over bits, out of results: curves, and the best codec at a number of bits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

CODECS = {
    "pursuit": "pursuit",
    "dft": "DFT taps",
    "klt_coded": "KLT",
    "klt_mixture": "16 KLTs",
}
GAUSSIAN = "Gaussian line of one KLT"
CLASSIC, NETWORK, BOUND = "classic", "network", "bound"


class Curve(NamedTuple):
    """A line of a plot.

    Attributes:
        name: codec or network.
        kind: `CLASSIC`, `NETWORK` or `BOUND`.
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


def data_of(content: dict) -> str:
    """Data set that curves are of."""
    return content["rate_curves"]["dataset"]


def curves(content: dict) -> list[Curve]:
    """Curves of a results file: codecs, networks, the bound."""
    groups: dict[tuple, list[tuple]] = {}
    for row in content["rows"]:
        key = _name(row), NETWORK if row.get("run") else CLASSIC, row["rate"] == "fixed"
        groups.setdefault(key, []).append((row["feedback_bits"], row["nmse_db"]))
    found = [Curve(name, kind, sorted(x), fixed) for (name, kind, fixed), x
             in groups.items()]  # fmt: skip
    bound = [tuple(point) for point in content["gaussian_klt"]["points"]]
    return [*found, Curve(GAUSSIAN, BOUND, bound)]


def _name(row: dict) -> str:
    if not row.get("run"):
        name = CODECS.get(row["model"], row["model"])
        return f"{name}, fitted on {row['fitted_on']}" if row["fitted_on"] else name
    return f"{row['model']}, M = {row['codeword_dim']}, bits {row['quantised']}"


class Classic(NamedTuple):
    """The best codec without a network at a number of bits.

    Attributes:
        name: registry name of the codec.
        nmse_db: NMSE.
        exact: whether it was measured within a hundredth of these bits.
    """

    name: str
    nmse_db: float
    exact: bool


NEAR = 0.01  # share of the bits within which a point is at them


def best_classic(contents: Iterable[dict], data: str, bits: float) -> Classic | None:
    """The best measured codec of a data set at so many bits in the mean.

    Between two points the NMSE in dB is taken to be straight over the logarithm of the
    bits; beyond the ends nothing is known.

    Args:
        contents: of results files; those without rate curves do not matter.
        data: 'name/config'.
        bits: of a report.

    Returns:
        None where nothing is measured.
    """
    found = []
    for content in contents:
        if not is_rate(content) or data_of(content) != data:
            continue
        for name in {row["model"] for row in content["rows"] if _is_plain(row)}:
            own = [r for r in content["rows"] if r["model"] == name and _is_plain(r)]
            found += _at(name, own, bits)
    return min(found, key=lambda one: one.nmse_db, default=None)


def _is_plain(row: dict) -> bool:
    """Whether a row is of a codec at mean bits, fitted to the channels tested on."""
    return row["rate"] == "mean" and not row["fitted_on"]


def _at(name: str, rows: list[dict], bits: float) -> list[Classic]:
    points = sorted((row["feedback_bits"], row["nmse_db"]) for row in rows)
    x, y = np.log2([p[0] for p in points]), [p[1] for p in points]
    if not x[0] - NEAR <= math.log2(bits) <= x[-1] + NEAR:
        return []
    exact = np.abs(2 ** (x - math.log2(bits)) - 1).min() <= NEAR
    return [Classic(name, float(np.interp(math.log2(bits), x, y)), bool(exact))]
