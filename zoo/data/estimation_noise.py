"""Noise of channel estimation on the network's input; its target stays the clean CSI.

    awgn  white in angle and delay: E||n||^2 = ||h||^2 / SNR over the N_t N_a entries.
    ls    least squares from orthogonal pilots, H_hat = H + Z X^H: white over all
          N_c N_t entries in spatial frequency, E||Z||^2 = ||H||^2 / SNR. The transform
          is unitary and N_a of N_c delays are kept: E||n||^2 = ||h||^2 N_a / (N_c SNR).

||H|| is taken as ||h||: ls leaves out the energy of the delays that the data set has
dropped, a few percent (1 - kept_energy); its noise is weaker by that share. Real and
imaginary parts are independent with half the variance each. Noisy CSI is not clipped,
so it may leave [0, 1].
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.config import ExperimentConfig

SPLITS = {"validation": 1, "test": 2, "fine-tuning": 3}
KEY = 0x401E5  # keeps these random numbers apart from those of channels and order
CHUNK = 1000
FRAME = (-3, -2, -1)  # angle, delay, part: each frame of a sequence has its own power


def ratio(
    config: ExperimentConfig, split: str, num_delay: int, num_subcarriers: int
) -> float:
    """E||n||^2 / ||h||^2 over the N_t N_a entries of a sample; 0 without noise.

    Args:
        config: csi_noise and the split's SNR apply.
        split: 'train' and 'validation' have train_snr_db, 'test' has test_snr_db.
        num_delay: N_a.
        num_subcarriers: N_c.
    """
    snr_db = config.test_snr_db if split == "test" else config.train_snr_db
    kept = num_delay / num_subcarriers if config.csi_noise == "ls" else 1.0
    return kept * 10 ** (-snr_db / 10)


def stored(csi: np.ndarray, noise_ratio: float, seed: int, split: str) -> np.ndarray:
    """Noisy copy of a stored split; the same array without noise and for 'train'.

    Args:
        csi: `[n, N_t, N_a, 2]` float32 in [0, 1]. A prefix of it gets the same noise.
        noise_ratio: see `ratio`.
        seed: together with `split` it fixes the noise.
        split: 'train' (its noise is `fresh` in every step), 'validation', 'test', or
            'fine-tuning', for training CSI that has the same noise in every pass.
    """
    if not noise_ratio or split not in SPLITS:
        return csi
    rng = np.random.default_rng([KEY, seed, SPLITS[split]])
    noisy = np.empty_like(csi)
    for start in range(0, len(csi), CHUNK):
        clean = csi[start : start + CHUNK]
        power = np.mean((clean - np.float32(0.5)) ** 2, axis=FRAME, keepdims=True)
        unit = rng.standard_normal(clean.shape, np.float32)
        noisy[start : start + CHUNK] = clean + np.sqrt(noise_ratio * power) * unit
    return noisy


def key(kind: int, seed: int, draw: tf.Tensor) -> tf.Tensor:
    """Seed of stateless random numbers; `kind` keeps their uses apart."""
    return tf.stack([tf.constant(kind + seed, tf.int64), draw])


def fresh(csi: tf.Tensor, noise_ratio: float, seed: int, draw: tf.Tensor) -> tf.Tensor:
    """Noisy copy of a training batch.

    Args:
        csi: `[batch, N_t, N_a, 2]` float32 in [0, 1].
        noise_ratio: see `ratio`.
        seed: together with `draw` it fixes the noise.
        draw: int64 scalar, another for each step and replica.
    """
    power = tf.reduce_mean(tf.square(csi - 0.5), axis=FRAME, keepdims=True)
    unit = tf.random.stateless_normal(tf.shape(csi), key(KEY, seed, draw))
    return csi + tf.sqrt(noise_ratio * power) * unit
