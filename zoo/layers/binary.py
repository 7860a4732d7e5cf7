"""Fully connected layer whose weights have one bit each."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers


@keras.utils.register_keras_serializable(package="zoo")
class BinaryDense(layers.Layer):
    """Fully connected layer with binarised weights and a float bias.

    The layer trains a float matrix W, the latent weights, and computes with

        W_b = alpha sign(W),  alpha = mean |W|,  y = x W_b + b

    where alpha is one scalar for the whole matrix, as in BCsiNet's public code, and
    sign(0) := 1, so that every entry fits into one bit. W_b is the best matrix of this
    form in the least-squares sense.

    Gradient: the identity straight-through estimator of the pair, dW_b / dW := 1, so
    that dL/dW = dL/dW_b = x^T dL/dy, as in DoReFa-Net (Zhou et al., 2016,
    https://arxiv.org/abs/1606.06160). No second term goes through alpha, which follows
    mean |W|. The gradient is not clipped at |W| = 1: that bound belongs to weights of
    +-1, whereas these are +-alpha and Glorot's start of a 2048 x 512 matrix is below
    0.05, so that it would never be reached.

    For deployment W may be replaced by W_b, which is binarised to itself (up to the
    rounding of the mean).

    Args:
        units: outputs.

    Raises:
        ValueError: `units` is not a positive integer.
    """

    kernel_bits = 1

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"units is {units!r}, expected a positive integer")
        self.units = units

    def build(self, input_shape):
        """Create W `[inputs, units]` and b `[units]`, started as `pytorch_dense`."""
        inputs = input_shape[-1]
        bound = inputs**-0.5
        self.kernel = self.add_weight(
            name="kernel", shape=(inputs, self.units), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.units,),
            initializer=keras.initializers.RandomUniform(-bound, bound),
        )
        super().build(input_shape)

    def binary_kernel(self):
        """W_b `[inputs, units]`, float32."""
        w = tf.cast(self.kernel, "float32")
        alpha = tf.reduce_mean(tf.abs(w))
        w_b = tf.where(w >= 0, alpha, -alpha)
        # The bracket is exactly zero; only its gradient, the identity, remains.
        return tf.stop_gradient(w_b) + (w - tf.stop_gradient(w))

    def call(self, x):
        """Map `[batch, inputs]` to `[batch, units]`."""
        return tf.matmul(x, tf.cast(self.binary_kernel(), x.dtype)) + self.bias

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return math.prod(self.kernel.shape)

    def compute_output_shape(self, input_shape):
        """Input shape with `units` values."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units}


def binary_dense(x, units: int, name: str):
    """Add a `BinaryDense` layer in the place of `pytorch_dense`.

    Args:
        x: `[batch, inputs]`.
        units: outputs.
        name: layer name.

    Returns:
        `[batch, units]`.
    """
    return BinaryDense(units, name=name)(x)
