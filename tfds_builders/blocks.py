"""What a simulated data set is made of: blocks of 100 examples (NumPy only).

A simulated data set is a package `tfds_builders/NAME` whose module `examples` has

    block_examples(simulation, seed, split, block) -> {feature: [BLOCK, ...]}
    k_factors(simulation, seed, split, block) -> [BLOCK], 0 without line of sight

pure functions: the same arguments give the same bits, whatever process and order.
`simulation` is a dict of JSON values: all that determines the drops beside the seed.
The configuration of the TFDS builder has it as `simulation`, beside `seed` and `sizes`
(examples per split, multiples of `BLOCK`). The builder takes its examples from
`self.examples_of(self, split)`: `generation.simulated`, unless `build` says otherwise.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

BLOCK = 100
OWN = "own"  # own/NAME: data sets that users add from files
SPLITS = {"train": 0, "validation": 1, "test": 2}
SMALLER = {"_quick": (20_000, 2_000, 2_000), "_tiny": (400, 100, 100)}  # variants
STREAM_SPLIT = 3  # of no stored data set: a stream never repeats a stored drop
TRACK_TESTS = {"test_stretch": 4, "test_tracks": 5}  # where UEs are on a track
FOLDER = Path(__file__).resolve().parent

BlockExamples = Callable[[dict, int, int, int], dict[str, np.ndarray]]


def check_name(dataset: str) -> None:
    """Refuse 'name/config' of a name that no data set has, without TensorFlow.

    Raises:
      ValueError: unknown data set.
    """
    name = dataset.partition("/")[0]
    known = [path.parent.name for path in FOLDER.glob("*/*_dataset_builder.py")]
    known = sorted([*known, OWN])
    if name not in known:
        files = f"python -m tfds_builders.add --source={dataset} --name=NAME"
        hint = f"; a file becomes {OWN}/NAME with {files}" if "." in dataset else ""
        raise ValueError(
            f"unknown dataset {name!r}, expected one of {', '.join(known)}{hint}"
        )


def simulated() -> tuple[str, ...]:
    """Names of the simulated data sets."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/examples.py")))


def simulator_of(name: str) -> BlockExamples:
    """`block_examples` of a simulated data set.

    Raises:
      ValueError: no such simulated data set.
    """
    if name not in simulated():
        raise ValueError(
            f"{name!r} is not simulated, expected one of {', '.join(simulated())}"
        )
    return _examples_of(name).block_examples


def k_factors(
    name: str, simulation: dict, seed: int, split: int, num: int
) -> np.ndarray:
    """Rician K factors (linear, 0 without line of sight) of the first `num` drops."""
    function = _examples_of(name).k_factors
    parts = [function(simulation, seed, split, i) for i in range(-(-num // BLOCK))]
    return np.concatenate(parts)[:num]


def _examples_of(name: str) -> ModuleType:
    return importlib.import_module(f"tfds_builders.{name}.examples")


def splits_of(config) -> dict[str, int]:
    """Numbers of the splits of a builder's configuration, by name."""
    return SPLITS | getattr(config, "further_tests", {})


def is_test(split: int) -> bool:
    """Whether a split is one of those that are tested on."""
    return split == SPLITS["test"] or split in TRACK_TESTS.values()


def generator(seed: int, split: int, block: int, *words: int) -> np.random.Generator:
    """Random numbers of one block; `words` tell other kinds of draws from the plain.

    Raises:
      ValueError: a negative number.
    """
    if min(seed, split, block) < 0:
        raise ValueError(
            f"seed={seed}, split={split}, block={block}: none may be negative"
        )
    return np.random.default_rng([seed, split, block, *words])


def check_sizes(sizes: tuple[int, int, int]) -> None:
    """Check the examples per split of a configuration.

    Raises:
      ValueError: not whole blocks.
    """
    if any(num <= 0 or num % BLOCK for num in sizes):
        raise ValueError(f"sizes {sizes} must be positive multiples of {BLOCK}")
