"""Channels -> examples, the same for the stored splits and for streams (NumPy)."""

from __future__ import annotations

import numpy as np

from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator

SPLITS = {"train": 0, "validation": 1, "test": 2}
STREAM_SPLIT = 3  # of no stored data set: a stream never repeats a stored drop


def examples(
    h: np.ndarray, frequency_paths: simulator.Paths | None = None
) -> dict[str, np.ndarray]:
    """Features of a block of channels, one row per drop, scaled per sample.

    Args:
      h: zero-centred complex64 `[drops, 32 angle, 32 delay]`.
      frequency_paths: paths of the same drops where `csi_freq` is wanted.

    Returns:
      `csi` float32 `[drops, 32, 32, 2]`, `scale` float32 `[drops]` and `csi_freq`
      float32 `[drops, 32, 125, 2]`, without rows (`[drops, 0, 125, 2]`) by default.
    """
    scale = transforms.per_sample_scale(h)
    csi_freq = np.zeros((len(h), 0, 125, 2), np.float32)
    if frequency_paths is not None:
        frequency = simulator.beam_subcarriers(frequency_paths)
        csi_freq = _real_pairs(frequency * scale[:, None, None])
    csi = transforms.to_unit_range(h, scale)
    return {"csi": csi, "scale": scale, "csi_freq": csi_freq}


def _real_pairs(h: np.ndarray) -> np.ndarray:
    """Complex `[...]` as float32 `[..., 2]` (re, im)."""
    return h.astype(np.complex64, order="C")[..., None].view(np.float32)
