"""Layers over time slots, `[batch, T, ...]`."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers


@keras.utils.register_keras_serializable(package="zoo")
class SlotRange(layers.Layer):
    """Entries `start` to `stop` of axis 1: some time slots, or part of a codeword.

    Args:
        start: first entry.
        stop: entry after the last.
    """

    def __init__(self, start: int, stop: int, **kwargs):
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, x):
        """Cut `[batch, n, ...]` to `[batch, stop - start, ...]`."""
        return x[:, self.start : self.stop]

    def compute_output_shape(self, input_shape):
        """Input shape with `stop - start` entries on axis 1."""
        return (input_shape[0], self.stop - self.start, *input_shape[2:])

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "start": self.start, "stop": self.stop}


@keras.utils.register_keras_serializable(package="zoo")
class SlotDropout(layers.Layer):
    """Dropout without a stored generator: a run's state is its weights alone.

    Args:
        rate: share of the entries set to zero in training; the others grow by
            1 / (1 - rate).
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x, training=False):
        """Drop entries of a tensor of any shape in training."""
        return tf.nn.dropout(x, self.rate) if training else x

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "rate": self.rate}


@keras.utils.register_keras_serializable(package="zoo")
class SeparableConv3D(layers.Layer):
    """Depthwise separable convolution over (slot, angle, delay), same-padded.

    One filter per channel, then a 1x1x1 convolution with bias:

        u[t, p, c] = sum_k sum_q depthwise[k, q, c] x[t + k, p + q, c]
        y[t, p, f] = sum_c u[t, p, c] pointwise[c, f] + bias[f]

    TensorFlow has no depthwise convolution in three dimensions. Here the slots t - 1,
    t, t + 1 lie side by side as channels, so that a two-dimensional depthwise
    convolution does all taps; the sum over k follows.

    Args:
        filters: output channels.
        kernel_size: (along slots, angle, delay).
    """

    def __init__(self, filters: int, kernel_size=(3, 3, 3), **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, tuple(kernel_size)

    def build(self, input_shape):
        """Create both kernels and the bias."""
        channels = input_shape[-1]
        # Glorot of a convolution from one channel to one.
        bound = math.sqrt(3 / math.prod(self.kernel_size))
        self.depthwise = self.add_weight(
            name="depthwise",
            shape=(*self.kernel_size, channels),
            initializer=keras.initializers.RandomUniform(-bound, bound),
        )
        self.pointwise = self.add_weight(
            name="pointwise",
            shape=(channels, self.filters),
            initializer="glorot_uniform",
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros"
        )
        super().build(input_shape)

    def call(self, x):
        """Convolve `[batch, T, N_t, N_a, c]` to `[batch, T, N_t, N_a, filters]`."""
        slots, angles, delays, channels = x.shape[1:]
        depth, rows, cols = self.kernel_size
        x = tf.pad(x, [[0, 0], [(depth - 1) // 2, depth // 2], *[[0, 0]] * 3])
        x = tf.concat([x[:, k : k + slots] for k in range(depth)], axis=-1)
        x = tf.reshape(x, [-1, angles, delays, depth * channels])
        kernel = tf.transpose(self.depthwise, [1, 2, 0, 3])
        kernel = tf.reshape(kernel, [rows, cols, depth * channels, 1])
        u = tf.nn.depthwise_conv2d(x, kernel, strides=[1] * 4, padding="SAME")
        u = tf.add_n(tf.split(u, depth, axis=-1))
        y = tf.nn.bias_add(tf.tensordot(u, self.pointwise, 1), self.bias)
        return tf.reshape(y, [-1, slots, angles, delays, self.filters])

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        weights = math.prod(self.depthwise.shape) + math.prod(self.pointwise.shape)
        return weights * math.prod(self.output.shape[1:4])

    def compute_output_shape(self, input_shape):
        """Input shape with `filters` channels."""
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        """Constructor arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
        }
