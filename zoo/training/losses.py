"""What a training makes small."""

from __future__ import annotations

import tensorflow as tf

from zoo.layers.polar import phase_error


def mean_square(x, x_hat):
    """Mean squared error of each example `[batch, ...]`."""
    return _mean_of(tf.square(x_hat - x))


def phase(csi, csi_hat):
    """Mean squared phase error of each example, weighted by the true magnitude."""
    return _mean_of(tf.square(phase_error(csi, csi_hat)))


def sgcs(csi, csi_hat):
    """1 - SGCS of each example, in the mean of its columns (subbands and layers).

    Blind to a complex factor of each column, 0 included: an estimate of zeros has 1.

    Args:
        csi: eigenvectors in [0, 1], `[batch, ..., P, columns, 2]`.
        csi_hat: estimate.
    """
    v, w = csi - 0.5, csi_hat - 0.5
    real = tf.reduce_sum(v * w, axis=(-3, -1))
    turned = tf.stack([v[..., 1], -v[..., 0]], axis=-1)
    imaginary = tf.reduce_sum(turned * w, axis=(-3, -1))
    power = [tf.reduce_sum(tf.square(x), axis=(-3, -1)) for x in (v, w)]
    likeness = tf.square(real) + tf.square(imaginary)
    return 1 - _mean_of(likeness / tf.maximum(power[0] * power[1], 1e-12))


def _mean_of(x):
    return tf.reduce_mean(x, axis=tuple(range(1, x.shape.rank)))


LOSSES = {"csi": mean_square, "codeword": mean_square, "phase": phase, "sgcs": sgcs}
