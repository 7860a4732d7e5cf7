"""Ship weights with the zoo: python -m zoo.pretrained --run=DIR --name=NAME."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo.config import ExperimentConfig
from zoo.importing import weights_by_name


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    cli.require("run", "name")
    run, name = Path(flags.FLAGS.run), flags.FLAGS.name
    ExperimentConfig.of_run(run)
    with locks.alone(weights_by_name.SHIPPED / name):
        # TensorFlow: seconds that no wrong name waits for.
        from zoo.importing import shipped_weights
        from zoo.run_directory import RunDirectory

        target = shipped_weights.ship(RunDirectory(run), name)
    print(f"{target.path}: {target.weights.stat().st_size:,} bytes of weights")


if __name__ == "__main__":
    flags.DEFINE_string("run", "", "evaluated run directory")
    flags.DEFINE_string("name", "", "name of the shipped weights")
    cli.run(main)
