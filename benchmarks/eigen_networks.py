"""Networks on eigenvectors at the payloads of the enhanced Type II codebook.

python -m benchmarks.eigen_networks --json=zoo/results/eigen_networks_r18_2ghz.json

Trainings of the quick set, two to four minutes of one core each, with entries of 2
bits: as many as fit into the mean report of each parameter combination, as measured in
--codebooks (`benchmarks.eigenvectors`). The first seed of all comes before the second
of any. Runs that are complete are not repeated, a killed one goes on where it was, and
the file holds what is complete so far.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import flags

from tfds_builders import cli, locks
from zoo import files
from zoo.experiments.runner import evaluated, found
from zoo.reporting import eigen_curves, results_files

BITS = 2  # of an entry
CODEBOOKS = files.RESULTS / "eigenvectors_r18_2ghz.json"
SHOWN = ("sgcs", "feedback_bits", "zf_rate", "best_epoch", "train_cpu_seconds")

_SEEDS = flags.DEFINE_integer("seeds", 3, "number of seeds", 1)
_RANKS = flags.DEFINE_list("ranks", ["1", "2"], "layers of a report")
_EPOCHS = flags.DEFINE_integer("epochs", 0, "of each; 0: the flagfile's", 0)
_CODEBOOKS = flags.DEFINE_string("codebooks", str(CODEBOOKS), "rows of the codebooks")
_DIRECTORY = flags.DEFINE_string("directory", "runs/eigen", "where the runs live")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")
flags.register_validator(
    "ranks",
    lambda given: set() < set(given) <= set("1234"),
    "expected some of 1, 2, 3, 4",
)


class Cell(NamedTuple):
    """One training."""

    seed: int
    rank: int
    codeword_dim: int

    @property
    def run(self) -> Path:
        """Its run directory."""
        name = f"subband_transformer_r{self.rank}_m{self.codeword_dim}_s{self.seed}"
        return Path(_DIRECTORY.value) / name

    def flags(self) -> list[str]:
        """Flags of zoo.train."""
        epochs = [f"--epochs={_EPOCHS.value}"] if _EPOCHS.value else []
        return [
            f"--flagfile=eigen_fast_rank{self.rank}.cfg",
            *epochs,
            f"--codeword_dim={self.codeword_dim}",
            f"--bits={BITS}",
            f"--seed={self.seed}",
            f"--run_dir={self.run}",
            f"--data_dir={_DATA_DIR.value}",
        ]


def lengths(rows: list[dict], rank: int) -> list[int]:
    """Codeword lengths that fit into the mean reports of eType II, rising.

    Raises:
        ValueError: no report of this rank.
    """
    found = {
        int(row["feedback_bits"] // BITS)
        for row in rows
        if (row["model"], row["rank"]) == ("etype2", rank)
    }
    if not found:
        raise ValueError(f"--codebooks={_CODEBOOKS.value}: no etype2 of rank {rank}")
    return sorted(found)


def cells() -> Iterator[Cell]:
    """Trainings in their order."""
    rows = eigen_curves.rows([results_files.read(Path(_CODEBOOKS.value))])
    for seed, rank in itertools.product(range(_SEEDS.value), map(int, _RANKS.value)):
        for codeword_dim in lengths(rows, rank):
            yield Cell(seed, rank, codeword_dim)


def write() -> None:
    """Rows of all that is complete."""
    rows = [
        {"name": cell.run.name, **row}
        for cell in cells()
        if (row := found(cell.run, *cell.flags()))
    ]
    content = {"rows": rows, **files.environment(), "origin": "ours"}
    files.write_json(Path(_JSON.value), content)


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    with locks.alone_for(_JSON.value):
        for cell in [*cells()]:
            row = evaluated(cell.run, *cell.flags())
            shown = " ".join(f"{key} {row[key]}" for key in SHOWN)
            print(cell.run.name, shown, flush=True)
            if _JSON.value:
                write()


if __name__ == "__main__":
    cli.run(main)
