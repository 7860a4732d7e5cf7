"""Blocks -> the keyed examples that TFDS writes, and what is known of all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfds_builders import blocks, csi_examples, transforms

KeyedExamples = Iterator[tuple[int, dict[str, Any]]]
ReadBlock = Callable[[int, int], dict[str, np.ndarray]]


def simulated(builder: tfds.core.GeneratorBasedBuilder, split: str) -> KeyedExamples:
    """Examples of a split, simulated in this process: what plain TFDS commands get.

    Args:
      builder: of a simulated data set, see `blocks`.
      split: its name, see `blocks.splits_of`.
    """
    config = builder.builder_config
    block_examples = blocks.simulator_of(builder.name)
    read = functools.partial(block_examples, config.simulation, config.seed)
    return from_blocks(read, builder, split)


def all_splits(
    builder: tfds.core.GeneratorBasedBuilder, kept_energy: float
) -> dict[str, KeyedExamples]:
    """Examples of every split; the energy kept in the first block goes on record."""
    metadata = builder.info.metadata
    splits = blocks.splits_of(builder.builder_config)
    metadata |= {"kept_energy": kept_energy, "kept_energy_drops": blocks.BLOCK}
    return {split: builder._generate_examples(split) for split in splits}


def from_blocks(
    read: ReadBlock, builder: tfds.core.GeneratorBasedBuilder, split: str
) -> KeyedExamples:
    """Examples of a split, one block after the other.

    The scale that fits all of train so far goes into the metadata.

    Args:
      read: features of a block from the numbers of split and block.
      builder: of a simulated data set.
      split: its name.
    """
    metadata = builder.info.metadata
    number = blocks.splits_of(builder.builder_config)[split]
    for block in range(num_blocks(builder, split)):
        features = read(number, block)
        if split == "train":
            scale = common_scale(features)
            metadata["global_scale"] = min(scale, metadata.get("global_scale", scale))
        yield from keyed(block, features)


def num_blocks(builder: tfds.core.GeneratorBasedBuilder, split: str) -> int:
    """Number of blocks of a split; further tests are as large as `test`."""
    place = blocks.SPLITS.get(split, blocks.SPLITS["test"])
    return builder.builder_config.sizes[place] // blocks.BLOCK


def keyed(block: int, features: dict[str, np.ndarray]) -> KeyedExamples:
    """Rows of a block; the key is the number of the example in its split."""
    for row in range(blocks.BLOCK):
        example = {name: value[row] for name, value in features.items()}
        yield block * blocks.BLOCK + row, example


def common_scale(features: dict[str, np.ndarray]) -> float:
    """Largest factor under which no example of a block, as stored, leaves [0, 1]."""
    h = csi_examples.channels(features["csi"], features["scale"])
    return float(transforms.global_scale(h))
