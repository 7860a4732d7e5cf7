"""Which stored split of which data set a configuration means, and how much of it."""

from __future__ import annotations

from tfds_builders import build
from zoo.config import ExperimentConfig
from zoo.data import stream

NUM_SUBCARRIERS = 1024  # where a data set does not say


def open_builder(dataset: str, data_dir: str = "", manual_dir: str = ""):
    """Find a TFDS builder by 'name/config[:stream]' and make sure its data exist.

    Raises:
        ValueError: unknown data set or configuration.
        FileNotFoundError: published files are missing from `manual_dir`.
        OSError: simulating failed; the next call takes up what is staged.
    """
    dataset, _ = stream.parse(dataset)
    builder = build.find_builder(dataset, data_dir)
    build.prepare(builder, manual_dir=manual_dir)
    return builder


def name_of(config: ExperimentConfig, builder, split: str) -> str:
    """Name of the stored split that is 'train', 'validation' or 'test'.

    Raises:
        ValueError: the data set has none.
    """
    stored, known = config.stored(split), build.splits_of(builder)
    if known and stored not in known:
        if split != "test":
            raise ValueError(
                f"--dataset={config.dataset} has {', '.join(known)}, no {split} split: "
                "give a data set that has one"
            )
        raise ValueError(
            f"--test_split={stored}: {config.dataset} has {', '.join(known)}; data "
            "sets of UEs on a track (tr38901/lora_rma_nlos_track) have all of them"
        )
    return stored


def wanted(config: ExperimentConfig, split: str, available: int) -> int:
    """Examples of a split that are read, of so many.

    Raises:
        ValueError: more are asked for.
    """
    fresh = split == "train" and stream.parse(config.dataset)[1]
    number = available if fresh else getattr(config, f"num_{split}") or available
    if number > available:
        raise ValueError(
            f"--num_{split}={number}: {config.dataset} has {available} {split} examples"
        )
    return number


def chosen(config: ExperimentConfig, split: str, at_most: int = 0) -> tuple:
    """Builder with its data, name of a stored split, and how many of it are read.

    Args:
        config: data set and numbers of examples apply.
        split: 'train', 'validation' or 'test', which is `test_split`.
        at_most: read only so many; 0: no limit.

    Raises:
        ValueError: no such data set or split, or too few examples.
    """
    builder = open_builder(config.dataset, config.data_dir, config.manual_dir)
    stored = name_of(config, builder, split)
    number = wanted(config, split, builder.info.splits[stored].num_examples)
    return builder, stored, min(number, at_most or number)


def num_subcarriers(builder) -> int:
    """N_c of a data set."""
    return int((builder.info.metadata or {}).get("num_subcarriers", NUM_SUBCARRIERS))


def last_taps(builder) -> int:
    """Of the N_a delays of a data set, those that are the last of all N_c."""
    return int((builder.info.metadata or {}).get("last_taps", 0))
