"""Simulated COST2100 drops -> examples, for stored splits and for streams (NumPy)."""

from __future__ import annotations

import numpy as np

from tfds_builders import csi_examples
from tfds_builders.blocks import SPLITS
from tfds_builders.cost2100_sim import motion, simulator

NUM_DELAY = 32
ALL_SUBCARRIERS = simulator.NUM_SUBCARRIERS, simulator.NUM_SUBCARRIERS


def block_examples(
    simulation: dict, seed: int, split: int, block: int
) -> dict[str, np.ndarray]:
    """Features of the 100 drops of one block, each drop scaled on its own.

    Args:
      simulation: `scenario` is a column of `parameters.json`. With `speed` in m/s and
        `times` in s the UEs move. With `uplink_hz` there is an uplink of the same
        drops; `last_taps` of the 32 kept delay taps are then the last of all.
      seed: of the data set or stream.
      split: 0 train, 1 validation, 2 test, 3 a stream.
      block: its index within the split.

    Returns:
      `csi` float32 `[100, 32, 32, 2]`, `scale` float32 `[100]` and `csi_freq` float32
      `[100, 32, 125, 2]`, without rows (`[100, 0, 125, 2]`) but in the test split; with
      an uplink `csi_uplink`, `scale_uplink` and, in the test split, `energy` float32
      `[100, 1]`, without rows elsewhere. Of moving UEs `csi` float32
      `[100, times, 32, 32, 2]` and `scale` only.

    Raises:
      ValueError: unknown scenario, or a negative number.
    """
    if "times" in simulation:
        track = _track(simulation, seed, split, block)
        return csi_examples.sequence(motion.sequence_taps(track))
    paths = simulator.block_paths(simulation["scenario"], seed, split, block)
    is_test = split == SPLITS["test"]
    frequency = simulator.beam_subcarriers(paths) if is_test else None
    if "uplink_hz" not in simulation:
        return csi_examples.snapshot(simulator.taps(paths), frequency)
    last = simulation["last_taps"]
    pair = simulator.fdd_pair(paths, simulation["uplink_hz"], NUM_DELAY - last, last)
    features = csi_examples.snapshot(pair[0], frequency)
    every = simulator.beam_subcarriers(paths, *ALL_SUBCARRIERS) if is_test else None
    features |= csi_examples.energy(every, features["scale"])
    return features | csi_examples.uplink(pair[1])


def k_factors(simulation: dict, seed: int, split: int, block: int) -> np.ndarray:
    """K factors of the drops of one block, `[100]`; of moving UEs at the start."""
    if "times" in simulation:
        return _track(simulation, seed, split, block)[0].los_factor
    return simulator.block_paths(simulation["scenario"], seed, split, block).los_factor


def _track(simulation: dict, seed: int, split: int, block: int) -> list:
    what = simulation["speed"], simulation["times"]
    return motion.block_track(simulation["scenario"], seed, split, block, *what)
