r"""Weights that come with the zoo.

    python -m zoo.pretrained list
    python -m zoo.pretrained info crnet_indoor_16
    python -m zoo.pretrained export crnet_indoor_16 --bits=6 --out=DIR
    python -m zoo.pretrained --run=DIR,DIR,DIR --name=NAME

`export` writes both ends of the link, through the grid of 4 or 6 bits that the set
holds (others are fitted: that takes its data set). The last form makes a set of the
evaluated runs of one training's seeds: the best by validation is taken, stored in
float16 where that costs under 0.01 dB, with grids fitted for 4 and 6 bits.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo.config import ExperimentConfig
from zoo.importing import weights_by_name


def info(name: str) -> str:
    """The card of a set, for people.

    Raises:
        FileNotFoundError, ValueError: no such set, or it is damaged.
    """
    path = weights_by_name.locate(name)
    return (path / "README.md").read_text(encoding="utf-8")


def export(name: str) -> Path:
    """Export a set with the bits of --bits into --out.

    Raises:
        FileNotFoundError, ValueError, OSError: no such set, or it cannot be exported.
    """
    cli.require("bits", "out")
    bits, out = flags.FLAGS.bits, Path(flags.FLAGS.out)
    path = weights_by_name.locate(name)
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.exporting import exporter, fit_quantizer
    from zoo.run_directory import RunDirectory

    run = RunDirectory(path)
    with fit_quantizer.with_bits(run, "uniform", bits) as sends:
        codec = exporter.export(sends, out)
    print(
        f"model {codec['model_id']}: {codec['payload_bytes']} payload bytes; verified"
    )
    return out


def make() -> None:
    """Make the set --name of the runs --run.

    Raises:
        FileNotFoundError, ValueError, OSError: as `weight_sets.ship`.
    """
    cli.require("run", "name")
    place = weights_by_name.SHIPPED / flags.FLAGS.name
    locks.check(place)
    paths = [Path(path) for path in flags.FLAGS.run.split(",")]
    for path in paths:
        ExperimentConfig.of_run(path)
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.exporting import weight_sets
    from zoo.reporting import rate_curves
    from zoo.run_directory import RunDirectory

    def classic(data: str, bits: int) -> float | None:
        best = rate_curves.best_classic(data, bits)
        return best and best.nmse_db

    runs = [RunDirectory(path) for path in paths]
    weight_sets.check_clean(runs)
    with locks.alone_for(place):
        target = weight_sets.ship(runs, flags.FLAGS.name, classic)
    print(f"{target.path}: {target.weights.stat().st_size:,} bytes of weights")


def main(argv: list[str]) -> None:
    """Command line."""
    match argv[1:]:
        case []:
            make()
        case ["list"]:
            for card in weights_by_name.cards():
                print(weights_by_name.line(card))
        case ["info", name]:
            print(info(name), end="")
        case ["export", name]:
            out = export(name)
            print(f"next: python -m serving.server --model_base_path={out / 'decoder'}")
        case other:
            raise ValueError(
                f"got {' '.join(other)!r}, expected list, info NAME, export NAME "
                "--bits=B --out=DIR, or --run=DIR,... --name=NAME to make a set"
            )


if __name__ == "__main__":
    flags.DEFINE_string("run", "", "evaluated run directories, DIR,DIR: one per seed")
    flags.DEFINE_string("name", "", "name of the set that is made")
    flags.DEFINE_integer("bits", 0, "export: bits per codeword entry")
    flags.DEFINE_string("out", "", "export: directory to create")
    cli.run(main)
