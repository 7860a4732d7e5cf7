"""Accuracy against what it costs: networks of one comparison, the KLT among them."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from zoo import registry
from zoo.metrics import complexity
from zoo.reporting import rate_columns
from zoo.reporting.blocks import Table
from zoo.reporting.cells import UNPRINTED, Cell, csi_values, fixed, number
from zoo.reporting.published_weights import is_published
from zoo.reporting.rate_columns import FLOAT_BITS
from zoo.reporting.rate_curves import data_set, is_rate
from zoo.reporting.results_files import rows_of, sends_eigenvectors
from zoo.reporting.tables import KLT, NMSE_UNIT

COSTS = {
    "ue_macs": "UE MACs per CSI",
    "bs_macs": "BS MACs per CSI",
    "ue_bytes_fp32": "bytes of the encoder, fp32",
}
MIN_NETWORKS = 3  # of a comparison by cost
BEST_OF = 3  # points of each payload


class Point(NamedTuple):
    """A network, or the KLT, in one comparison.

    Attributes:
        name: network, and what tells it from others of its kind.
        model: registry name; empty: the KLT.
        nmse_db: mean over seeds.
        spread: smallest and largest NMSE of a seed [dB].
        costs: by key of `COSTS`; empty where they are unknown.
        seeds: how many runs the mean is of.
        bits: feedback bits per CSI; 32 for each entry of a float codeword.
        source: results file.
        data: data set, configuration and codeword length.
        csi_values: real values of one CSI matrix.
        noisy: whether the CSI had noise.
    """

    name: str
    model: str
    nmse_db: float
    spread: tuple[float, float]
    costs: dict[str, int]
    seeds: int
    bits: float
    source: str
    data: tuple[str, int]
    csi_values: int
    noisy: bool = False


def front(costs: list[float], values: list[float]) -> list[int]:
    """Indices of what nothing else beats in both, cheapest first; smaller is better."""
    order = sorted(range(len(costs)), key=lambda i: (costs[i], values[i]))
    best, found = float("inf"), []
    for i in order:
        if values[i] < best:
            best = values[i]
            found.append(i)
    return found


def points(path: Path, content: dict) -> list[Point]:
    """Points of a results file, and the KLT's at each of its codeword lengths.

    A network whose decoder knows the uplink is no point: its codeword is not all that
    the BS has.
    """
    found, lines = [], {}
    for name, rows in trained(content):
        first, values = rows[0], [row["nmse_db"] for row in rows]
        spec = registry.MODELS.get(first["model"])
        if spec and spec.takes_uplink:
            continue
        dim = first["codeword_dim"]
        data = data_set(first).removesuffix(":stream"), dim
        bits = first["feedback_bits"] or FLOAT_BITS * dim
        noisy = "SNR" in content.get("x", "")
        mean, spread = sum(values) / len(values), (min(values), max(values))
        costs = _costs(first)
        model = first["model"]
        seeds, source = len(values), path.name
        size = csi_values(first)
        found.append(
            Point(
                name, model, mean, spread, costs, seeds, bits, source, data, size, noisy
            )  # fmt: skip
        )
        if first.get("nmse_pca_db") is not None:
            lines[data] = first["nmse_pca_db"], size
    return found + [_klt(*line, path, data) for data, line in lines.items()]


def _klt(nmse_db: float, size: int, path: Path, data: tuple[str, int]) -> Point:
    macs = data[1] * size
    stored = 2 * macs  # M / 2 complex rows: an entry has 8 bytes and is in 4 MACs
    costs = {"ue_macs": macs, "bs_macs": macs, "ue_bytes_fp32": stored}
    bits = FLOAT_BITS * data[1]
    spread = nmse_db, nmse_db
    return Point(KLT, "", nmse_db, spread, costs, 1, bits, path.name, data, size)


def trained(content: dict) -> Iterable[tuple[str, list[dict]]]:
    """Name and results rows, one per seed, of everything that was trained."""
    groups: dict[tuple, tuple[str, list[dict]]] = {}
    for entry in content.get("entries", []):
        runs = [r for r in entry["runs"] if r.get("nmse_db") is not None]
        if runs and entry["value"] == "nmse_db":
            model = runs[0]["model"]
            own = entry["series"]
            name = own if own.startswith(model) else f"{model} {own}"
            groups.setdefault(tuple(r["run"] for r in runs), (name, runs))
    plain = "target" not in content and not is_rate(content)
    for row in rows_of(content) if plain else []:
        if sends_eigenvectors(row) or is_published(row):
            continue
        if row.get("nmse_db") is not None and "model" in row:
            kept = ("model", "model_args", "dataset_config", "codeword_dim", "bits")
            kept += ("feedback_bits", "init", "cpu_step", "epochs", "quantizer")
            key = json.dumps([row.get(k) for k in kept])
            groups.setdefault((key,), (row["model"], []))[1].append(row)
    return groups.values()


def _costs(row: dict) -> dict[str, int]:
    """Counts of a row, or of the network that it names; none of a classic method."""
    if all(key in row for key in COSTS):
        return {key: row[key] for key in COSTS}
    if row["model"] not in registry.MODELS:
        return {}
    args = json.dumps(row["model_args"], sort_keys=True)
    counts = _counted(row["model"], row["codeword_dim"], args)
    return {key: counts[key] for key in COSTS}


@functools.cache
def _counted(model: str, codeword_dim: int, model_args: str) -> dict[str, int]:
    built = registry.build(
        model, codeword_dim=codeword_dim, model_args=json.loads(model_args)
    )
    return complexity.summary(built)


def comparisons(found: list[Point]) -> dict[tuple, list[Point]]:
    """Points of one file, data set and codeword length, by these three.

    Where there are fewer than three networks there is nothing to compare; what another
    file has the same points of is left out.
    """
    groups: dict[tuple, list[Point]] = {}
    for point in found:
        if point.costs:
            groups.setdefault((point.source, *point.data), []).append(point)
    different: dict[frozenset, tuple] = {}
    for key, own in groups.items():
        if len({p.model for p in own} - {""}) >= MIN_NETWORKS:
            what = frozenset((*p.data, p.name, p.nmse_db, p.bits) for p in own)
            different.setdefault(what, key)
    return {key: groups[key] for key in different.values()}


def payloads(found: list[Point]) -> dict[str, list[Point]]:
    """The KLT and the best three others of each payload, by data set.

    A data set with one payload has nothing to compare.
    """
    groups: dict[str, dict[tuple, Point]] = {}
    for point in sorted(found, key=lambda p: p.nmse_db):
        own = groups.setdefault(point.data[0], {})
        same = [key for key in own if key[1] == point.bits and key[0] != KLT]
        if point.name == KLT or len(same) < BEST_OF:
            own.setdefault((point.name, point.bits), point)
    return {
        data: list(own.values())
        for data, own in groups.items()
        if len({bits for name, bits in own if name != KLT}) > 1
    }


def table(own: list[Point]) -> Table:
    """What the plots of a comparison show, and on which fronts a point is."""
    keys = [*COSTS, "bits"]
    values = {
        key: [p.bits if key == "bits" else p.costs.get(key) for p in own]
        for key in keys
    }
    fronts = {key: set() for key in keys}
    for key in keys:
        known = [i for i, value in enumerate(values[key]) if value is not None]
        costs = [values[key][i] for i in known]
        best = front(costs, [own[i].nmse_db for i in known])
        fronts[key] = {known[i] for i in best}
    rows = []
    for i in sorted(range(len(own)), key=lambda i: own[i].nmse_db):
        cells = [
            "" if values[key][i] is None else _cost(values[key][i], i in fronts[key])
            for key in keys
        ]
        values_of = [own[i].name, fixed(own[i].nmse_db), number(own[i].seeds)]
        codec = rate_columns.codec_cell(own[i].data[0], own[i].bits)
        codec = UNPRINTED if own[i].noisy else codec
        rows.append([*values_of, *cells, codec, own[i].source])
    columns = ["network", f"ours, {NMSE_UNIT}", "seeds", *COSTS.values()]
    caption = (
        "● on the front: nothing is both cheaper and better. Runs, seeds and commits "
        "stand with the results of the file."
    )
    return Table([*columns, *rate_columns.COLUMNS, "file"], rows, caption)


def _cost(value: float, in_front: bool) -> Cell:
    mark = " ●" if in_front else ""
    return Cell(f"{value:,.0f}{mark}", value=value, **{"on the front": in_front})
