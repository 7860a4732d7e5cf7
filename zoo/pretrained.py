"""Ship weights with the zoo: python -m zoo.pretrained --run=DIR --name=NAME."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo.config import ExperimentConfig


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    cli.require("run", "name")
    ExperimentConfig.of_run(Path(flags.FLAGS.run))
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.importing import shipped_weights
    from zoo.run_directory import RunDirectory

    target = shipped_weights.ship(RunDirectory(Path(flags.FLAGS.run)), flags.FLAGS.name)
    print(f"{target.path}: {target.weights.stat().st_size:,} bytes of weights")


if __name__ == "__main__":
    flags.DEFINE_string("run", "", "evaluated run directory")
    flags.DEFINE_string("name", "", "name of the shipped weights")
    cli.run(main)
