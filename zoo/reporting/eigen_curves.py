"""SGCS over bits, out of rows of eigenvectors: curves, and their values at payloads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from zoo import registry
from zoo.reporting.cells import variant
from zoo.reporting.rate_curves import CLASSIC, NETWORK, channels, data_set
from zoo.reporting.results_files import rows_of, sends_eigenvectors

CODEBOOK = "codebook"
BASE = "etype2"  # whose reports are the payloads
NAMES = {
    BASE: "eType II",
    "type2": "Type II",
    "type1": "Type I",
    "pursuit": "pursuit",
    "klt_coded": "KLT",
    "klt_mixture": "16 KLTs",
}
CODEBOOKS = tuple(NAMES)[:3]
AT_MOST = ", at most"  # ends the name of what never sends more bits than asked for
OF_PAIR = re.compile(r" (of pair|of file) \w+")
NEAR = 0.05  # share of the bits within which the end of a curve is at a payload
SAME = ("model", "model_args", "phase", "codeword_dim", "bits", "quantizer", "init",
        "loss", "epochs", "train_data", "collaboration")  # fmt: skip


class Setting(NamedTuple):
    """What is equal in a comparison.

    Attributes:
        data: channels.
        num_subbands: N3.
        rank: layers of a report.
        snr_db: of one receive antenna, for rates.
        num_users: served together by zero forcing.
    """

    data: str
    num_subbands: int
    rank: int
    snr_db: float
    num_users: int


class Point(NamedTuple):
    """One configuration, or the mean of its seeds.

    Attributes:
        bits: of a report in the mean, both parts.
        sgcs: of each layer.
        spread: smallest and largest SGCS of a seed, of each layer.
        zf_rate: of users served together, bit/s/Hz.
        seeds: how many.
    """

    bits: float
    sgcs: tuple[float, ...]
    spread: tuple[tuple[float, float], ...]
    zf_rate: float
    seeds: int

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
            return float(np.interp(place, x, y))

        layers = range(len(self.points[0].sgcs))
        sgcs = tuple(value([p.sgcs[i] for p in self.points]) for i in layers)
        spread = tuple(
            tuple(value([p.spread[i][end] for p in self.points]) for end in (0, 1))
            for i in layers
        )
        rate = value([p.zf_rate for p in self.points])
        return Point(bits, sgcs, spread, rate, min(p.seeds for p in self.points))


def is_eigen(content: dict) -> bool:
    """Whether all rows of a results file are of eigenvectors."""
    return "target" not in content and all(map(sends_eigenvectors, rows_of(content)))


def rows(contents: Iterable[dict]) -> list[dict]:
    """Rows of eigenvectors of some results files."""
    plain = (content for content in contents if "target" not in content)
    return [r for content in plain for r in rows_of(content) if sends_eigenvectors(r)]


def name_of(row: dict) -> str:
    """What a row's curve is called."""
    is_network = row["model"] in registry.MODELS
    name = variant(row) if is_network else NAMES.get(row["model"], row["model"])
    if row.get("collaboration"):
        sides = " to ".join(variant(row[side]) for side in ("encoder", "decoder"))
        name = f"{sides}, {row['collaboration'].replace('_', ' ')}"
    if row.get("phase"):
        name = f"{name}, {row['phase']} phase"
    source = "/".join(_train_data(row).partition(" ")[0].split("/")[:2])
    if source and channels(source) != channels(data_set(row)):
        name = f"{name}, of {channels(source)}"
    return name + AT_MOST * (row["model_args"].get("rate") == "fixed")


def _train_data(row: dict) -> str:
    """What a row's network saw, without the pair and the file that it is from."""
    return OF_PAIR.sub("", row.get("train_data") or "")


def _kind(row: dict) -> str:
    if row["model"] in CODEBOOKS:
        return CODEBOOK
    return NETWORK if row["model"] in registry.MODELS else CLASSIC


def curves(found: list[dict]) -> dict[Setting, list[Curve]]:
    """Curves of rows by what is equal; those without bits have none."""
    groups: dict[Setting, dict[tuple, dict[str, list[dict]]]] = {}
    for row in found:
        if row["feedback_bits"] is None:
            continue
        own = groups.setdefault(_setting(row), {})
        told = row | {"train_data": _train_data(row)}
        same = json.dumps([told.get(key) for key in SAME], sort_keys=True)
        points = own.setdefault((_kind(row), name_of(row)), {})
        points.setdefault(same, []).append(row)
    return {
        setting: [
            Curve(name, kind, sorted(map(_point, points.values())))
            for (kind, name), points in sorted(own.items(), key=_place)
        ]
        for setting, own in sorted(groups.items())
    }


def _setting(row: dict) -> Setting:
    keys = "num_subbands", "rank", "snr_db", "num_users"
    return Setting(channels(data_set(row)), *(row[key] for key in keys))


def _place(item) -> tuple:
    """Key that sorts codebooks, then codecs, then networks."""
    (kind, name), _ = item
    known = list(NAMES.values())
    first = name.partition(",")[0]
    place = known.index(first) if first in known else len(known)
    return (CODEBOOK, CLASSIC, NETWORK).index(kind), place, name


def _point(own: list[dict]) -> Point:
    layers = list(zip(*(row["sgcs_by_layer"] for row in own), strict=True))
    return Point(
        float(np.mean([row["feedback_bits"] for row in own])),
        tuple(float(np.mean(values)) for values in layers),
        tuple((min(values), max(values)) for values in layers),
        float(np.mean([row["zf_rate"] for row in own])),
        len({row["seed"] for row in own}),
    )


def payloads(found: list[dict], setting: Setting) -> dict[int, float]:
    """Bits of the enhanced Type II codebook by parameter combination."""
    return {
        row["model_args"]["param_combination"]: row["feedback_bits"]
        for row in sorted(found, key=lambda r: r["feedback_bits"] or 0)
        if row["model"] == BASE and _setting(row) == setting
    }
