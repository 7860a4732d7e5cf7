"""Codecs under noise, on other channels, arrays and diffuse scattering.

python -m benchmarks.robustness --json=zoo/results/robustness.json

Rows that the file has already are not measured again: a command that was killed goes
on where it was.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo.config import ExperimentConfig
from zoo.experiments import robustness
from zoo.experiments.robustness_conditions import AWARE, CALIBRATED, NETWORK

SYSTEMS = (
    "pursuit",
    "dft",
    *(f"pursuit noise {kind}" for kind in AWARE),
    CALIBRATED,
    NETWORK,
    "klt_coded",
    "klt_mixture",
)

_BITS = flags.DEFINE_multi_integer("bits", [256, 768], "mean bits of a report")
_SYSTEMS = flags.DEFINE_list(
    "systems", list(SYSTEMS), "what is measured, in this order"
)
_TRAIN = flags.DEFINE_integer("num_train", 0, "training CSI; 0: as each codec takes")
_TEST = flags.DEFINE_integer("num_test", 300, "test CSI of every condition", 1)
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "runs/robustness.json", "results, which grow")


def tell(row: dict) -> None:
    """Print a row."""
    about = f"{row['channels']}, {row['condition']}: {row['system']}"
    print(
        f"{about} {row['nmse_db']:.2f} dB, {row['feedback_bits']:.0f} bits", flush=True
    )


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    unknown = set(_SYSTEMS.value) - set(SYSTEMS)
    if unknown:
        raise ValueError(
            f"--systems={','.join(sorted(unknown))}: expected {', '.join(SYSTEMS)}"
        )
    sizes = {"num_train": _TRAIN.value, "num_test": _TEST.value}
    settings = ExperimentConfig(data_dir=_DATA_DIR.value, **sizes)
    robustness.measure(
        settings, tuple(_BITS.value), tuple(_SYSTEMS.value), Path(_JSON.value), tell
    )


if __name__ == "__main__":
    cli.run(main)
