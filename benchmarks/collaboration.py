"""Sides trained apart from files of the other side, beside pairs trained jointly.

python -m benchmarks.collaboration --networks=crnet,csinet --seeds=3 \
    --data_dir=DIR --json=zoo/results/collaboration.json

The first network is that of the side that is first: its pair is trained jointly and
handed over (`zoo.export --exchange`). From the file alone, in processes of their own,
an encoder (network side first) and a decoder (UE first) of every network are trained,
with other seeds than the pair's, and measured with the other part of the pair. Every
other network is trained jointly, too. `--flags` sets task, payload and training of all,
so that every side has as many epochs as a pair.

Runs that are complete are not repeated, a killed one goes on where it was; with other
flags, or of another first network, a run has another directory. The first seed of all
comes before the second of any.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import flags

from tfds_builders import cli
from zoo import config_flags, files
from zoo.config import digest
from zoo.experiments import jobs
from zoo.training import pairing

FLAGS = (
    "--dataset=cost2100_sim/indoor_quick --codeword_dim=64 --quantizer=uniform "
    "--bits=4 --epochs=20 --batch_size=100 --lr=1e-3 --init=klt --image_every=0"
)
OTHER_SEED = 100  # of the second side: that of its pair and this
KEPT = ("feedback_bits", "nmse_db", "sgcs", "index_agreement", "train_cpu_seconds")

_NETWORKS = flags.DEFINE_list("networks", ["crnet", "csinet"], "the first is first")
_SEEDS = flags.DEFINE_integer("seeds", 3, "number of seeds", 1)
_FLAGS = flags.DEFINE_string("flags", FLAGS, "flags of zoo.train that all share")
_DIRECTORY = flags.DEFINE_string("directory", "runs/collaboration", "where runs live")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


class Cell(NamedTuple):
    """One training."""

    seed: int
    order: str
    network: str

    @property
    def run(self) -> Path:
        """Its run directory, another one for other flags."""
        name = f"{self.network}_{self.order}_s{self.seed}"
        first = "" if self.order == "joint" else _NETWORKS.value[0]
        args = shlex.split(_FLAGS.value)  # what a flagfile sets, not its name
        settings = config_flags.from_flags(config_flags.parse(args, "--flags"))
        told = digest(settings.changed() | {"first": first})
        return Path(_DIRECTORY.value).absolute() / f"{name}-{told}"

    @property
    def first(self) -> Cell:
        """The pair that hands over."""
        return Cell(self.seed, "joint", _NETWORKS.value[0])

    def flags(self) -> list[str]:
        """Flags of zoo.train; one side alone has its data from the file."""
        whole = [*shlex.split(_FLAGS.value), f"--model={self.network}"]
        whole.append(f"--run_dir={self.run}")
        if self.order == "joint":
            return [*whole, f"--seed={self.seed}", f"--data_dir={data_dir()}"]
        whole += [f"--exchange={self.first.run}.npz", f"--collaboration={self.order}"]
        return [*whole, f"--seed={OTHER_SEED + self.seed}"]

    def job(self) -> jobs.Job:
        """Training and evaluation; a pair that is first hands over between them."""
        run, result = f"--run={self.run}", f"{self.run.name}/evaluation.json"
        commands = [("zoo.train", *self.flags())]
        if self == self.first:
            commands.append(("zoo.export", run, f"--exchange={self.run}.npz"))
        partner = [f"--partner={self.first.run}"] if self.order != "joint" else []
        commands.append(("zoo.evaluate", run, *partner))
        return jobs.Job(self.run.parent, self.run.name, tuple(commands), result)

    def row(self) -> dict:
        """Who is on either side, and what the pair reaches.

        Raises:
            ValueError: this side was trained on the file of an earlier pair.
        """
        try:
            if self.order != "joint":
                pairing.Pair(self.run, first=self.first.run)
        except ValueError as error:
            raise ValueError(f"{error}; or remove {self.run}, to train anew") from error
        found = files.read_json(self.run / "evaluation.json")
        first = files.read_json(self.first.run / "evaluation.json")
        own = {"network": found["model"]}  # no results row: not for the leaderboard
        return {
            "order": self.order,
            "encoder": found.get("encoder", {"model": own["network"]})["model"],
            "decoder": found.get("decoder", {"model": own["network"]})["model"],
            "seed": self.seed,
            **{key: found.get(key) for key in KEPT},
            "first": {key: first.get(key) for key in ("nmse_db", "sgcs")},
            "num_train": found["num_train"],
            "epochs": found["epochs"],
            "test_data": found["test_data"],
            "pairing_id": found.get("pairing_id"),
            "train_commit": found["train_commit"],
        }


def data_dir() -> str:
    """From any folder."""
    return str(Path(_DATA_DIR.value).absolute()) if _DATA_DIR.value else ""


def cells() -> Iterator[Cell]:
    """All trainings, the pair that is first before what is made of its file."""
    for seed in range(_SEEDS.value):
        for order in ("joint", "nw_first", "ue_first"):
            for network in _NETWORKS.value:
                yield Cell(seed, order, network)


def write() -> None:
    """Rows of all that is complete."""
    rows = [cell.row() for cell in cells() if cell.job().is_done]
    content = {"rows": rows, "flags": _FLAGS.value, **files.environment()}
    files.write_json(Path(_JSON.value), content | {"origin": "ours"})


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    for cell in cells():
        jobs.work(cell.job())
        row = cell.row()
        print(cell.run.name, " ".join(f"{key} {row[key]}" for key in KEPT), flush=True)
        if _JSON.value:
            write()


if __name__ == "__main__":
    cli.run(main)
