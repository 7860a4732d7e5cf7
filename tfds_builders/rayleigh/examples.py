"""Rayleigh-fading taps -> examples, for stored splits and for streams (NumPy).

Ansari, Mohassel Feghhi, "CLLWCsiNet", Section II: antenna i of N_t sees

    h_i(tau) = sum_l alpha_il delta(tau - tau_l),   alpha_il ~ CN(0, sigma_l^2)
    H_in = sum_l alpha_il exp(-j 2 pi n tau_l / N_c)   at subcarrier n

with the alpha independent over antennas, too. The paper gives neither L nor tau_l nor
sigma_l: here L = 32 delays tau_l = l of whole samples, which the kept delays hold
without loss, and an exponential profile. The CSI is then a Gaussian source with a
diagonal covariance, and the linear KLT is known in closed form.
"""

from __future__ import annotations

import numpy as np

from tfds_builders import csi_examples, transforms
from tfds_builders.blocks import BLOCK, SPLITS, generator

NUM_ANTENNAS, NUM_DELAY, NUM_SUBCARRIERS = 32, 32, 1024


def powers(decay: float) -> np.ndarray:
    """Power sigma_l^2 of each path, `[32]`; their sum is 1.

    Args:
      decay: samples of delay in which the power falls to 1 / e.
    """
    profile = np.exp(-np.arange(NUM_DELAY) / decay)
    return profile / profile.sum()


def block_taps(decay: float, seed: int, split: int, block: int) -> np.ndarray:
    """Gains alpha of the 100 drops of one block, complex128 `[100, 32 antennas, 32]`.

    Raises:
      ValueError: a negative number.
    """
    rng = generator(seed, split, block)
    parts = rng.standard_normal((2, BLOCK, NUM_ANTENNAS, NUM_DELAY))
    return (parts[0] + 1j * parts[1]) * np.sqrt(powers(decay) / 2)


def angular_delay(alpha: np.ndarray) -> np.ndarray:
    """What `transforms.to_angular_delay` makes of H, `[n, 32 angle, 32 delay]`.

    A path at a whole sample of delay is one column of the unitary inverse DFT.
    """
    angle = np.fft.fft(alpha, axis=1, norm="ortho")
    return np.sqrt(NUM_SUBCARRIERS) * np.fft.fftshift(angle, axes=1)


def block_examples(
    simulation: dict, seed: int, split: int, block: int
) -> dict[str, np.ndarray]:
    """Features of the 100 drops of one block, each drop scaled on its own.

    Args:
      simulation: `{"decay": samples}`, see `powers`.
      seed: of the data set or stream.
      split: 0 train, 1 validation, 2 test, 3 a stream.
      block: its index within the split.

    Returns:
      `csi` float32 `[100, 32, 32, 2]`, `scale` float32 `[100]` and `csi_freq` float32
      `[100, 32, 125, 2]`, without rows (`[100, 0, 125, 2]`) but in the test split.

    Raises:
      ValueError: a negative number.
    """
    h = angular_delay(block_taps(simulation["decay"], seed, split, block))
    frequency = None
    if split == SPLITS["test"]:
        grid = csi_examples.FREQUENCY_GRID, csi_examples.FREQUENCY_KEPT
        frequency = transforms.delay_to_frequency(h, *grid)
    return csi_examples.snapshot(h, frequency)


def k_factors(simulation: dict, seed: int, split: int, block: int) -> np.ndarray:
    """K factors of the drops of one block: 0, there is no line of sight."""
    del simulation, seed, split, block
    return np.zeros(BLOCK)
