"""Learned parts of the pursuit codec, each against the plain one, over seeds.

python -m benchmarks.learned_pursuit --json=zoo/results/pursuit_learned.json

--part=context codes positions beside earlier ones, --part=search lets a network propose
the places of atoms, --part=residual puts one behind the decoder. What the file has of a
part and a data set is not measured again.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo import files
from zoo.config import ExperimentConfig
from zoo.experiments import learned_pursuit

_DATASETS = flags.DEFINE_list(
    "datasets",
    ["cost2100_sim/indoor_quick:16", "cost2100_sim/outdoor_quick:8"],
    "data sets, each with the oversampling of its grid",
)
_PARTS = {
    "context": learned_pursuit.context_rows,
    "search": learned_pursuit.search_rows,
    "residual": learned_pursuit.residual_rows,
}
_PART = flags.DEFINE_enum("part", "context", list(_PARTS), "what is measured")
_BITS = flags.DEFINE_multi_integer("bits", [128, 256, 768], "mean bits of a report")
_SEEDS = flags.DEFINE_integer("seeds", 3, "seeds 0, 1, ...", 1)
_TEST = flags.DEFINE_integer("num_test", 500, "test CSI", 1)
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "runs/pursuit_learned.json", "results, which grow")


def _rows(place: Path) -> list[dict]:
    return files.read_json(place)["rows"] if place.exists() else []


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    place = Path(_JSON.value)
    measured = [(row["part"], row["dataset"]) for row in _rows(place)]
    for given in _DATASETS.value:
        dataset, _, oversampling = given.partition(":")
        settings = ExperimentConfig(
            dataset=dataset, data_dir=_DATA_DIR.value, num_test=_TEST.value
        )
        if (_PART.value, dataset) in measured:
            continue
        measure = _PARTS[_PART.value]
        for row in measure(
            settings, int(oversampling), tuple(_BITS.value), _SEEDS.value
        ):
            print(row, flush=True)
            rows = [*_rows(place), row | files.environment()]  # others may add, too
            files.write_json(place, {"rows": rows})


if __name__ == "__main__":
    cli.run(main)
