"""What `python -m zoo.reproduce` makes: one table or figure of a paper."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.experiments.claims import Claim
from zoo.experiments.pool import PendingRow
from zoo.experiments.runner import Runner
from zoo.run_directory import RunDirectory

PROVENANCE = (
    "run", "model", "model_args", "init", "dataset", "dataset_version",
    "dataset_config", "scaling", "codeword_dim", "seed", "epochs", "best_epoch",
    "start_nmse_db", "last_gain_db", "num_train", "num_test", "nmse_db",
    "nmse_float_db", "nmse_pca_db", "nmse_freq_db", "nmse_all_db", "feedback_bits",
    "test_data", "train_data", "flags_sha256", "weights_sha256", "train_seconds",
    "train_commit", "train_device", "commit", "version", "device",
)  # fmt: skip


@dataclass(frozen=True)
class Lab:
    """Where and at what size a target is made.

    Attributes:
        runner: trains.
        budget: 'fast' or 'full'.
        seeds: number of seeds of every run.
    """

    runner: Runner
    budget: str
    seeds: int = 1

    def of(self, fast, full):
        """A choice by budget."""
        return fast if self.budget == "fast" else full

    def rows(self, name: str, **overrides) -> list[PendingRow]:
        """Results rows of a run, one per seed."""
        return [
            self.runner.row(f"{name}_s{seed}", seed=seed, **overrides)
            for seed in range(self.seeds)
        ]

    def continued(
        self, name: str, rows: list[PendingRow], **overrides
    ) -> list[PendingRow]:
        """Results rows of a run that goes on from the weights of another one's seeds.

        Args:
            name: of the run.
            rows: of the other.
            **overrides: flags of the further training.
        """
        return [
            self.runner.row(
                f"{name}_s{seed}",
                after=row,
                weights=str(run_of(self, row).path),
                seed=seed,
                **overrides,
            )
            for seed, row in enumerate(rows)
        ]


def run_of(lab: Lab, row: PendingRow) -> RunDirectory:
    """Run directory that a results row comes from."""
    return RunDirectory(lab.runner.directory / row.run)


def decibel(linear: float) -> float:
    """A printed linear NMSE in dB, two decimals."""
    return round(10 * math.log10(linear), 2)


class Entry(NamedTuple):
    """One value of a table or figure, the mean over seeds.

    Attributes:
        series: line of the figure or row of the table.
        x: place on the other axis.
        rows: results rows, one per seed.
        paper: the published value, in the target's unit; None: a curve, or not given.
        value: key of the rows, a function of a PendingRow whose run is complete, or a
            list with a number for each; without rows a list, or a function that has
            one when all rows of other entries are complete.
        tested_on: data set, where it is not the one of the training.
        line: whether it is one that no training of its rows changes.
        handicap: what makes it no match for other networks at this budget.
    """

    series: str
    x: object
    rows: list[PendingRow]
    paper: float | None = None
    value: str | list[float] | Callable[..., float | list[float]] = "nmse_db"
    tested_on: str = ""
    line: bool = False
    handicap: str = ""

    def finished(self) -> dict:
        """The entry as JSON, when all of its runs are complete.

        Raises:
            ValueError: a run failed, or has no such value.
        """
        rows = [row.result() for row in self.rows]
        values = self.value
        if isinstance(values, str):
            values = [row[values] for row in rows]
        elif callable(values):
            values = [values(row) for row in self.rows] if self.rows else values()
        if None in values:
            raise ValueError(
                f"{self.series} at {self.x}: {self.rows[0].run} has none; the KLT line "
                "takes as many training CSI as coefficients, raise --num_train"
            )
        return {
            "series": self.series,
            "x": self.x,
            "ours": float(np.mean(values)),
            "ours_by_seed": [float(v) for v in values],
            "paper": self.paper,
            "value": self.value if isinstance(self.value, str) else "measured",
            "tested_on": self.tested_on,
            "line": self.line,
            "handicap": self.handicap,
            "runs": [{key: row.get(key) for key in PROVENANCE} for row in rows],
        }


def klt(x: object, rows: list[PendingRow]) -> Entry:
    """The linear KLT's NMSE at the codeword length of some rows."""
    return Entry("klt", x, rows, value="nmse_pca_db", line=True)


class Target(NamedTuple):
    """A table or figure.

    Attributes:
        title: what it shows.
        unit: of ours and of the paper's values.
        x: what the other axis is.
        make: the entries of a lab.
        figure: draws the result into an image file (`zoo.experiments.drawings`); None:
            it is a table.
        claims: the paper's, see `zoo.experiments.claims.Claim`.
        own: statements of ours.
    """

    title: str
    unit: str
    x: str
    make: Callable[[Lab], Iterator[Entry]]
    figure: Callable[[Lab, dict, Path], None] | None = None
    claims: tuple[Claim, ...] = ()
    own: tuple[Claim, ...] = ()

    @property
    def note(self) -> str:
        """What a reader should know of it: the text of `make`, without arguments."""
        text = inspect.getdoc(getattr(self.make, "func", self.make)) or ""
        return " ".join(re.split("\n\n(?:Args|Returns|Raises):", text)[0].split())
