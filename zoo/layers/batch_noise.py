"""Noise inside a network, as the public code of CLLWCsiNet has it."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import keras, layers

KEY = 0xBA7C4  # keeps these random numbers apart from all others


@keras.utils.register_keras_serializable(package="zoo")
class BatchNoise(layers.Layer):
    """White noise whose power is one for the whole batch, in training and inference.

        y = x + n,  n ~ N(0, P / SNR),  P = mean of x^2 over the batch and all entries

    The draw is a function of x: another for each batch, the same again in a resumed
    training. Gradients flow through P, too.

    Args:
        snr_db: SNR.
        low_db: each example has an SNR of its own between this and `snr_db`, in dB
            uniform; None: all have `snr_db`.
    """

    def __init__(self, snr_db: float, low_db: float | None = None, **kwargs):
        super().__init__(**kwargs)
        self.snr_db, self.low_db = snr_db, low_db

    def call(self, x):
        """Map `[batch, ...]` to the same shape."""
        values = tf.cast(x, "float32")
        seed = tf.stack([KEY, tf.bitcast(tf.reduce_sum(values), tf.int32)])
        shape = [tf.shape(x)[0], *[1] * (x.shape.rank - 1)]
        snr_db = tf.fill(shape, float(self.snr_db))
        if self.low_db is not None:
            ends = float(self.low_db), float(self.snr_db)
            snr_db = tf.random.stateless_uniform(shape, seed + 1, *ends)
        power = tf.reduce_mean(tf.square(values)) * 10.0 ** (-snr_db / 10)
        unit = tf.random.stateless_normal(tf.shape(x), seed)
        return tf.cast(values + tf.sqrt(power) * unit, x.dtype)

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "snr_db": self.snr_db,
            "low_db": self.low_db,
        }
