"""What each choice of the pursuit codec is worth: grid, search, value of a bit.

python -m benchmarks.pursuit_ablation --json=zoo/results/pursuit_ablation.json

Every row is fitted anew to its mean bits on the same training CSI, and measured through
bytes on the same test CSI. The reference has 8 points per bin and tap, a first search
on 2 of them that is refined, and stops where a bit is worth `stops.WEIGHT` squared
steps. `whole grid` searches all points at once; `bit worth 0` sends every atom that
lowers the error, up to the largest number of atoms.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from serving.codec.nmse import nmse_db
from tfds_builders import cli
from zoo import files
from zoo.codecs import methods, pursuit, stops
from zoo.codecs.coded import grid_of
from zoo.codecs.search import COARSE, Pursuit, search
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics import accuracy
from zoo.metrics.results_row import data_set

REFERENCE = 8
DATASETS = ["cost2100_sim/indoor_quick", "cost2100_sim/outdoor_quick"]

_DATASETS = flags.DEFINE_list("datasets", DATASETS, "data sets")
_BITS = flags.DEFINE_multi_integer("bits", [256, 768], "mean bits of a report")
_TRAIN = flags.DEFINE_integer("num_train", 1000, "training CSI", 1)
_TEST = flags.DEFINE_integer("num_test", 500, "test CSI", 1)
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


class Choice(NamedTuple):
    """A pursuit: its name, points of the grid and of the first search, and weight."""

    name: str
    oversampling: int = REFERENCE
    coarse: int = COARSE
    weight: float = stops.WEIGHT


CHOICES = (
    Choice("reference"),
    *(Choice(f"grid {over}x", over) for over in (2, 4, 16)),
    Choice("whole grid", coarse=REFERENCE),
    *(
        Choice(f"bit worth {share:g}x", weight=share * stops.WEIGHT)
        for share in (0, 0.5, 2)
    ),
)


def rows(settings: ExperimentConfig) -> Iterator[dict]:
    """Rows of one data set; searches are shared by rows that differ in the rest."""
    builder = splits.open_builder(settings.dataset, settings.data_dir)
    train, test = (splits.load_split(settings, name) for name in ("train", "test"))
    h, truth = (accuracy.to_complex(split.h) for split in (train, test))
    array, most = methods.array_of(builder), methods.most_atoms(max(_BITS.value))

    @functools.cache
    def searched(oversampling: int, coarse: int) -> tuple[Pursuit, Pursuit, float]:
        grid, began = grid_of(train, array, oversampling), time.process_time()
        both = [search(grid, x, most, coarse) for x in (h, truth)]
        seconds = time.process_time() - began
        return *both, 1000 * seconds / (len(h) + len(truth)) / most

    for choice in CHOICES:
        grid = grid_of(train, array, choice.oversampling)
        found, seen, search_ms = searched(choice.oversampling, choice.coarse)
        for bits in _BITS.value:
            at_most = methods.most_atoms(bits)
            part = np.s_[:, :at_most]
            codec = pursuit.fit(
                grid,
                h,
                bits,
                at_most,
                found[part],
                weight=choice.weight,
            )
            sent = seen[part]
            number, _ = stops.worth(codec.tables, sent, weight=choice.weight)
            reports = codec.reports(sent, number)
            made = files.environment()
            yield {
                "choice": choice.name,
                **data_set(settings, builder),
                "report_bits": bits,
                "feedback_bits": float(np.mean([8 * len(r) for r in reports])),
                "nmse_db": nmse_db(truth, codec.decode(reports)),
                "search_ms_per_atom": search_ms,
                "num_train": len(h),
                "num_test": len(truth),
                "seed": settings.seed,
                "commit": made["commit"],
                "date": made["date"],
            }


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    made = []
    for dataset in _DATASETS.value:
        sizes = {"num_train": _TRAIN.value, "num_test": _TEST.value}
        settings = ExperimentConfig(dataset=dataset, data_dir=_DATA_DIR.value, **sizes)
        for row in rows(settings):
            about = f"{dataset} {row['report_bits']}: {row['choice']}"
            print(f"{about} {row['nmse_db']:.2f} dB, {row['feedback_bits']:.0f} bits")
            made.append(row)
    if _JSON.value:
        content = {"rows": made, **files.environment(), "origin": "ours"}
        files.write_json(Path(_JSON.value), content)


if __name__ == "__main__":
    cli.run(main)
