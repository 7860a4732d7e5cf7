"""klt_residual beside published networks on equal drops, three ratios, two scenarios.

python -m benchmarks.residual --json=zoo/results/klt_residual.json

Every training sees the same 340,000 streamed drops, in batches of 100 with a warm-up
cosine from the network's fitted start on. The first seed of all comes before the second
of any. Runs that are complete are not repeated, a killed one goes on where it was, and
the file holds what is complete so far. `train_cpu_seconds` of a row are those of all
threads of the training but not of the simulator, which has a process of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import flags

from tfds_builders import cli
from zoo import config_flags, files
from zoo.experiments.runner import evaluated, found
from zoo.models.spec import RATIOS

LINEAR = "klt_residual_linear"  # klt_residual without the encoder's branch
NETWORKS = ("klt_residual", "crnet", LINEAR, "clnet", "acrnet", "lora", "fista_net")
SCENARIOS = ("indoor", "outdoor")
REPORTED = ("1/4", "1/16", "1/64")
EPOCHS = 17  # of 20,000 drops
SHOWN = ("nmse_db", "nmse_pca_db", "best_epoch", "train_seconds", "train_cpu_seconds")

_SEEDS = flags.DEFINE_integer("seeds", 3, "number of seeds", 1)
_NETWORKS = flags.DEFINE_list("networks", list(NETWORKS), "to train now")
_SCENARIOS = flags.DEFINE_list("scenarios", list(SCENARIOS), "to train now")
_RATIOS = flags.DEFINE_list("ratios", list(REPORTED), "to train now")
_DIRECTORY = flags.DEFINE_string("directory", "runs/residual", "where the runs live")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


class Cell(NamedTuple):
    """One training."""

    seed: int
    network: str
    ratio: str
    scenario: str

    @property
    def run(self) -> Path:
        """Its run directory."""
        ratio = self.ratio.partition("/")[2]
        name = f"{self.network}_{ratio}_{self.scenario}_s{self.seed}"
        return Path(_DIRECTORY.value) / name

    def flags(self) -> list[str]:
        """Flags of zoo.train: the network's own recipe, then what all share."""
        return [
            *recipe(self.network, self.ratio, self.scenario),
            f"--codeword_dim={RATIOS[self.ratio]}",
            f"--dataset=cost2100_sim/{self.scenario}_quick:stream",
            f"--epochs={EPOCHS}",
            f"--seed={self.seed}",
            f"--run_dir={self.run}",
            f"--data_dir={_DATA_DIR.value}",
        ]


def recipe(network: str, ratio: str, scenario: str) -> list[str]:
    """Flagfile of a network's short training, and changes.

    klt_residual has one for a start that is near already, which is 1/4 indoors alone;
    CRNet takes a smaller rate at 1/4. All others take the peak rate of their own
    flagfile.
    """
    if network == LINEAR:
        whole = recipe("klt_residual", ratio, scenario)
        return [*whole, '--model_args={"encoder_channels": 0}']
    if network == "klt_residual":
        near = (ratio, scenario) == ("1/4", "indoor")
        return [f"--flagfile={network}_fast_{4 if near else 16}.cfg"]
    own = config_flags.parse([f"--flagfile={network}.cfg"], network)["lr"].value
    rate = 5e-4 if (network, ratio) == ("crnet", "1/4") else own
    return ["--flagfile=equal_drops.cfg", f"--model={network}", f"--lr={rate}"]


def cells(seeds: int, networks, scenarios, ratios) -> Iterator[Cell]:
    """Trainings, the most important first."""
    for seed, network in itertools.product(range(seeds), networks):
        for ratio, scenario in itertools.product(ratios, scenarios):
            yield Cell(seed, network, ratio, scenario)


def write() -> None:
    """Rows of all that is complete, by whichever call."""
    whole = cells(_SEEDS.value, NETWORKS, SCENARIOS, REPORTED)
    rows = [
        {
            "name": cell.run.name,
            "network": cell.network,
            **row,
        }
        for cell in whole
        if (row := found(cell.run, *cell.flags()))
    ]
    content = {"rows": rows, **files.environment(), "origin": "ours"}
    files.write_json(Path(_JSON.value), content)


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    chosen = _NETWORKS.value, _SCENARIOS.value, _RATIOS.value
    for cell in cells(_SEEDS.value, *chosen):
        row = evaluated(cell.run, *cell.flags())
        print(cell.run.name, " ".join(f"{key} {row[key]}" for key in SHOWN), flush=True)
        if _JSON.value:
            write()


if __name__ == "__main__":
    cli.run(main)
