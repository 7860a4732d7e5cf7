"""Simulated drops -> examples of the TR 38.901 data sets (NumPy)."""

from __future__ import annotations

import numpy as np

from tfds_builders import csi_examples, subbands
from tfds_builders.blocks import BLOCK, is_test
from tfds_builders.csi_examples import FREQUENCY_GRID, FREQUENCY_KEPT
from tfds_builders.tr38901 import simulator
from tfds_builders.tr38901.presets import Preset, load_preset

BLOCKS_PER_SUBBAND = 4  # resource blocks


def block_examples(
    simulation: dict, seed: int, split: int, block: int
) -> dict[str, np.ndarray]:
    """Features of the 100 drops of one block, each drop scaled on its own.

    Args:
      simulation: `{"preset": name, "release": "v16" or "v19"}`.
      seed: of the data set or stream.
      split: 0 train, 1 validation, 2 test, 3 a stream; of a track 4 the stretch behind
        it, 5 other tracks.
      block: its index within the split.

    Returns:
      `csi` float32 `[100, 32, 32, 2]`, `scale` float32 `[100]` and `csi_freq` float32
      `[100, 32, 125, 2]`, without rows (`[100, 0, 125, 2]`) but in test splits; the
      first UE antenna. Presets of fewer taps have `[100, 32, taps, 2]`. Where the
      preset has an uplink, `csi_uplink`, `scale_uplink` and, in the test split,
      `energy` float32 `[100, 1]`, without rows elsewhere; where it has subbands,
      `eigenvectors` float32 `[100, subbands, 32, layers, 2]` and `eigenvalues` float32
      `[100, subbands, layers]`, a layer per UE antenna.

    Raises:
      ValueError: unknown preset or release, or a negative number.
    """
    preset = load_preset(**simulation)
    drops = simulator.block_drops(preset.setting, seed, split, block)
    h = _angular_delay(drops, preset, None)
    frequency = beam_subcarriers(drops) if is_test(split) else None
    features = csi_examples.snapshot(h, frequency)
    if preset.uplink_hz is not None:
        uplink = _angular_delay(drops, preset, preset.uplink_hz)
        features |= csi_examples.uplink(uplink)
        every = drops.setting.num_subcarriers if is_test(split) else None
        response = every and simulator.port_frequency(drops, every, every)[:, 0]
        features |= csi_examples.energy(response, features["scale"])
    if preset.num_subbands:
        vectors, values = eigenmodes(drops, preset.num_subbands)
        features["eigenvectors"] = csi_examples.real_pairs(vectors)
        features["eigenvalues"] = values
    return features


def k_factors(simulation: dict, seed: int, split: int, block: int) -> np.ndarray:
    """K factors of the drops of one block, `[100]`."""
    setting = load_preset(**simulation).setting
    k_db = simulator.block_drops(setting, seed, split, block).large_scale.k_db
    return np.zeros(BLOCK) if k_db is None else 10 ** (k_db / 10)


def _angular_delay(
    drops: simulator.Drops, preset: Preset, carrier_hz: float | None
) -> np.ndarray:
    ports = simulator.port_taps(drops, preset.taps, carrier_hz)
    return simulator.angular_taps(ports[:, 0])


def beam_subcarriers(drops: simulator.Drops) -> np.ndarray:
    """Untruncated frequency response of every beam: complex64 `[drops, 32, 125]`.

    Scaled such that `transforms.delay_to_frequency(taps, 257, 125)` is its
    approximation from truncated taps.
    """
    response = simulator.port_frequency(drops, FREQUENCY_GRID, FREQUENCY_KEPT)[:, 0]
    factor = np.sqrt(drops.setting.num_subcarriers / FREQUENCY_GRID)
    return simulator.angular_taps(response) * np.float32(factor)


def eigenmodes(
    drops: simulator.Drops, num_subbands: int
) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvectors and eigenvalues of the subbands, a layer per UE antenna.

    Of the channel at one subcarrier of each resource block; see `subbands`.

    Returns:
      complex64 `[drops, subbands, N_t, layers]`, unit norm, the entry of a layer's
      strongest port real positive; float32 `[drops, subbands, layers]`.
    """
    count = num_subbands * BLOCKS_PER_SUBBAND
    h = np.moveaxis(simulator.port_frequency(drops, count, count), -1, 1)
    h = h.reshape(len(h), num_subbands, BLOCKS_PER_SUBBAND, *h.shape[2:])
    vectors, values = subbands.eigenmodes(h, len(drops.setting.ue))
    return subbands.with_phase(vectors, "port"), values.astype(np.float32)
