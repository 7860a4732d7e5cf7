"""Channels of eight antennas for exports of the pursuit."""

from __future__ import annotations

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels
from tfds_builders.csi_examples import real_pairs

BITS = 160
SIZES = {"array": (8,), "num_delay": 8, "paths": 3}
GRID = AngleDelayGrid("ula:8", N_C, 8, oversampling=8)


def sample_channels(num: int, seed: int = 2) -> np.ndarray:
    """Zero-centred CSI float32 `[num, 8, 8, 2]`."""
    return real_pairs(channels(num, seed=seed, **SIZES))
