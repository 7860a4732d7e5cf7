"""Figures 4 and 5 of the CRNet paper, curves without printed values, and one of ours.

See `zoo.experiments.crnet`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from pathlib import Path

from zoo.experiments import codewords
from zoo.experiments.cost2100 import overrides, ratio_alone, ratios, rows_of
from zoo.experiments.drawings import pictures
from zoo.experiments.target import Entry, Lab, run_of
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

SYSTEMS = {
    "csinet": ("csinet", ""),
    "crnet const": ("crnet", "const"),
    "crnet cosine": ("crnet", ""),
}
SHOWN_EPOCHS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000, 2500)  # Figs. 4, 5
LOSSES = {"training": "loss", "validation": "val_loss"}  # Fig. 4
SHOWN = "crnet cosine", "csinet"  # beside each other


def figure4(lab: Lab) -> Iterator[Entry]:
    """Loss of CsiNet and CRNet over the epochs of a training, indoor.

    The mean square error of values in [0, 1], in dB, so a straight axis is the paper's
    logarithmic one. The paper's second curve of each is of the test split; ours is of
    the validation split. The runs are those of Table I.
    """
    for series in reversed(SHOWN):
        for split, key in LOSSES.items():
            yield from _over_epochs(lab, series, f"{series}, {split}", key)


def figure5(lab: Lab) -> Iterator[Entry]:
    """NMSE of CsiNet and of CRNet with both schedules over a training, indoor.

    On the validation split, where the paper's is on the test split; the runs are those
    of Table I.
    """
    for series in SYSTEMS:
        yield from _over_epochs(lab, series, series, "val_nmse_db")


def _over_epochs(lab: Lab, system: str, series: str, key: str) -> Iterator[Entry]:
    """A value of `metrics.jsonl` over the epochs of a system's run."""
    found = *SYSTEMS[system], ratio_alone(lab), "indoor"
    epochs = lab.runner.settings("", **overrides(lab, *found)).epochs
    rows = rows_of(lab, *found)
    for epoch in SHOWN_EPOCHS:
        if epoch <= epochs:
            after = functools.partial(_metric_db, lab, epoch, key)
            yield Entry(series, epoch, rows, value=after)


def _metric_db(lab: Lab, epoch: int, key: str, row) -> float:
    run = run_of(lab, row)
    record = {r["epoch"]: r for r in run.read_metrics()}[epoch]
    if key not in record:
        raise ValueError(
            f"{run.metrics}: epoch {epoch} has no {key}, the run is older than that; "
            f"remove {run.path} and run the command again"
        )
    return record[key] if key.endswith("_db") else 10 * math.log10(record[key])


def one_drop(lab: Lab) -> Iterator[Entry]:
    """NMSE of the one drop whose recovered |H| the drawing shows, over the ratio.

    The first drop of the test split, through CsiNet and CRNet of Table I's runs.
    """
    for ratio in ratios(lab):
        for series in SHOWN:
            rows = rows_of(lab, *SYSTEMS[series], ratio, "indoor")
            yield Entry(series, ratio, rows, value=functools.partial(_first_db, lab))


def _first(run: RunDirectory):
    """First test CSI and what a run makes of it, zero-centred `[1, N_t, N_a, 2]`."""
    found = codewords.tested(run)
    return found.test.h[:1], evaluation.decode(found.model, found.codeword[:1])


def _first_db(lab: Lab, row) -> float:
    return accuracy.nmse_db(*_first(run_of(lab, row)))


def draw_drop(lab: Lab, result: dict, image: Path) -> None:
    """The true |H| beside those that a network recovers at each ratio, seed 0."""
    cells = []
    for series in SHOWN:
        own = [e for e in result["entries"] if e["series"] == series]
        runs = [RunDirectory(lab.runner.directory / e["runs"][0]["run"]) for e in own]
        recovered = [
            (f"{series}, {e['x']}", _first(run)[1][0])
            for e, run in zip(own, runs, strict=True)
        ]
        cells.append([("true", _first(runs[0])[0][0]), *recovered])
    pictures(cells, image)
