"""Recipes of short trainings: statistics, batches, rates, averaging and optimiser.

python -m benchmarks.recipes --networks=crnet,clnet --ratios=1/4,1/16 --seeds=3 \
    --json=zoo/results/recipes.json

Every cell is a training of `--epochs` epochs of 20,000 streamed drops with a warm-up
cosine; networks without a fitted start begin at their paper's. The lists span all
combinations; several calls with other lists may share a directory, and the file holds
what is complete in it. Runs that are complete are not repeated, a killed one goes on
where it was. The first seed of all comes before the second of any.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import flags

from tfds_builders import cli
from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.experiments.runner import evaluated
from zoo.models.spec import RATIOS
from zoo.run_directory import RunDirectory

SHOWN = ("nmse_db", "nmse_pca_db", "best_epoch", "train_cpu_seconds")
CHOSEN = ("bn_statistics", "lr", "dense_rate", "ema", "optimizer")
ALSO = ("ratio", "dataset_config", "init", "seed", "epochs", "batch_size")

_NETWORKS = flags.DEFINE_list("networks", ["crnet"], "to train")
_RATIOS = flags.DEFINE_list("ratios", ["1/16"], "to train")
_SCENARIO = flags.DEFINE_enum("scenario", "indoor", ["indoor", "outdoor"], "of drops")
_SEEDS = flags.DEFINE_integer("seeds", 1, "number of seeds", 1)
_EPOCHS = flags.DEFINE_integer("epochs", 4, "of 20,000 drops", 1)
_INITS = flags.DEFINE_list("inits", ["klt"], "starts")
_STATISTICS = flags.DEFINE_list("statistics", ["moving", "estimated"], "of batch norms")
_BATCHES = flags.DEFINE_list("batches", ["100"], "batch sizes")
_RATES = flags.DEFINE_list("rates", ["5e-4", "2e-3"], "peak learning rates")
_DENSE = flags.DEFINE_list("dense_rates", ["1", "0"], "shares of it for matrices")
_EMA = flags.DEFINE_list("ema", ["0"], "averages of the weights")
_OPTIMIZERS = flags.DEFINE_list("optimizers", ["adam"], "to train with")
_DIRECTORY = flags.DEFINE_string("directory", "runs/recipes", "where the runs live")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


class Cell(NamedTuple):
    """One training."""

    seed: int
    network: str
    ratio: str
    init: str
    statistics: str
    batch_size: str
    rate: str
    dense_rate: str
    ema: str
    optimizer: str

    @property
    def run(self) -> Path:
        """Its run directory."""
        ratio = self.ratio.partition("/")[2]
        name = f"{self.network}_{ratio}_{_SCENARIO.value}_e{_EPOCHS.value}"
        rates = f"b{self.batch_size}_lr{self.rate}_d{self.dense_rate}_a{self.ema}"
        how = f"{self.init}_{self.statistics}_{rates}_{self.optimizer}"
        return Path(_DIRECTORY.value) / f"{name}_{how}_s{self.seed}"

    def flags(self) -> list[str]:
        """Flags of zoo.train."""
        fitted = registry.get(self.network).fitted_start
        return [
            "--flagfile=equal_drops.cfg",
            f"--model={self.network}",
            f"--init={self.init if fitted else 'paper'}",
            f"--codeword_dim={RATIOS[self.ratio]}",
            f"--dataset=cost2100_sim/{_SCENARIO.value}_quick:stream",
            f"--epochs={_EPOCHS.value}",
            f"--batch_size={self.batch_size}",
            f"--bn_statistics={self.statistics}",
            f"--lr={self.rate}",
            f"--dense_rate={self.dense_rate}",
            f"--ema={self.ema}",
            f"--optimizer={self.optimizer}",
            f"--seed={self.seed}",
            f"--run_dir={self.run}",
            f"--data_dir={_DATA_DIR.value}",
        ]


def cells() -> Iterator[Cell]:
    """All combinations."""
    what = _NETWORKS, _RATIOS, _INITS, _STATISTICS, _BATCHES
    values = [chosen.value for chosen in (*what, _RATES, _DENSE, _EMA, _OPTIMIZERS)]
    yield from itertools.starmap(Cell, itertools.product(range(_SEEDS.value), *values))


def row(run: Path) -> dict:
    """Recipe and outcome of a complete run, its validation after each epoch."""
    evaluation = files.read_json(run / "evaluation.json")
    config = ExperimentConfig.of_run(run).to_json()
    curve = [record["val_nmse_db"] for record in RunDirectory(run).read_metrics()]
    return {
        "network": evaluation["model"],  # no results row: not for the leaderboard
        **{key: evaluation[key] for key in ALSO},
        **{key: config[key] for key in CHOSEN},
        **{key: evaluation[key] for key in SHOWN},
        "val_nmse_db": " ".join(f"{value:.2f}" for value in curve),
        "train_commit": evaluation["train_commit"],
    }


def write() -> None:
    """Rows of all that is complete in the directory, by whichever call."""
    found = sorted(Path(_DIRECTORY.value).glob("*/evaluation.json"))
    rows = [row(path.parent) for path in found]
    content = {"rows": rows, **files.environment(), "origin": "ours"}
    files.write_json(Path(_JSON.value), content)


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    for cell in cells():
        found = evaluated(cell.run, *cell.flags())
        print(cell.run.name, " ".join(f"{key} {found[key]}" for key in SHOWN))
        if _JSON.value:
            write()


if __name__ == "__main__":
    cli.run(main)
