"""Learned parts of the pursuit codec, each against the plain one, over seeds.

python -m benchmarks.learned_pursuit --json=zoo/results/pursuit_learned.json

--part=context codes positions beside earlier ones, --part=search lets a network propose
the places of atoms, --part=residual puts one behind the decoder. Rows that the
file has already are not measured again.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo.config import ExperimentConfig
from zoo.experiments import learned_pursuit

_DATASETS = flags.DEFINE_list(
    "datasets",
    ["cost2100_sim/indoor_quick:16", "cost2100_sim/outdoor_quick:8"],
    "data sets, each with the oversampling of its grid",
)
_PART = flags.DEFINE_enum(
    "part", "context", list(learned_pursuit.PARTS), "what is measured"
)
_BITS = flags.DEFINE_multi_integer("bits", [128, 256, 768], "mean bits of a report")
_SEEDS = flags.DEFINE_integer("seeds", 3, "seeds 0, 1, ...", 1)
_TEST = flags.DEFINE_integer("num_test", 500, "test CSI", 1)
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "runs/pursuit_learned.json", "results, which grow")


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    for given in _DATASETS.value:
        dataset, _, oversampling = given.partition(":")
        settings = ExperimentConfig(
            dataset=dataset, data_dir=_DATA_DIR.value, num_test=_TEST.value
        )
        learned_pursuit.measure(
            _PART.value,
            settings,
            int(oversampling),
            tuple(_BITS.value),
            _SEEDS.value,
            Path(_JSON.value),
            lambda row: print(row, flush=True),
        )


if __name__ == "__main__":
    cli.run(main)
