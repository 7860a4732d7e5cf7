"""Noise of the feedback channel: AWGN on the codeword that the decoder receives.

    received = s + n,  n ~ N(0, P / SNR),  P = mean of s^2 over the sample's M entries

The power is each sample's own, so that a sample's noise does not depend on the others
of its batch. Gradients flow through P, too: the encoder cannot escape the noise by
sending louder. Training noise is a pure function of (seed, step, replica), that of
validation and test of (seed, split), so that a resumed run repeats it.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from zoo.config import ExperimentConfig
from zoo.data import estimation_noise

KEY = 0xFEEDB  # keeps these random numbers apart from those of the CSI noise


def is_noisy(config: ExperimentConfig) -> bool:
    """Whether a configuration has noise on the codeword."""
    return config.feedback_snr_db < math.inf


def fresh(codeword: tf.Tensor, config: ExperimentConfig, draw: tf.Tensor) -> tf.Tensor:
    """Received codewords of a training batch.

    Args:
        codeword: `[batch, M]`, any precision; the result is float32.
        config: seed, feedback_snr_db and feedback_snr_low_db apply; with the latter
            each sample has an SNR of its own between the two, in dB uniform.
        draw: int64 scalar, another for each step and replica.
    """
    codeword = tf.cast(codeword, "float32")
    key = estimation_noise.key(KEY, config.seed, draw)
    power = tf.reduce_mean(tf.square(codeword), axis=1, keepdims=True)
    snr_db = tf.fill(tf.shape(power), config.feedback_snr_db)
    if config.feedback_snr_low_db < math.inf:
        low, high = config.feedback_snr_low_db, config.feedback_snr_db
        snr_db = tf.random.stateless_uniform(tf.shape(power), key + 1, low, high)
    unit = tf.random.stateless_normal(tf.shape(codeword), key)
    return codeword + tf.sqrt(power * 10.0 ** (-snr_db / 10)) * unit


def received(
    codeword: np.ndarray, snr_db: float, seed: int, split: str, low_db: float = math.inf
) -> np.ndarray:
    """Received codewords of a stored split.

    Args:
        codeword: `[n, M]`. A prefix of it gets the same noise.
        snr_db: SNR; inf returns the codewords.
        seed: together with `split` it fixes the noise.
        split: 'validation' or 'test'.
        low_db: below inf, each sample has an SNR of its own between this and `snr_db`.
    """
    if snr_db == math.inf:
        return codeword
    codeword = codeword.astype(np.float32)
    rng = np.random.default_rng([KEY, seed, estimation_noise.SPLITS[split]])
    power = np.mean(np.square(codeword), axis=1, keepdims=True)
    unit = rng.standard_normal(codeword.shape, np.float32)
    if low_db < math.inf:
        rng = np.random.default_rng([KEY + 1, seed, estimation_noise.SPLITS[split]])
        snr_db = rng.uniform(low_db, snr_db, power.shape)
    return codeword + np.sqrt(power * np.float32(10 ** (-snr_db / 10))) * unit
