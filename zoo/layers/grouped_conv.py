"""Grouped convolution that runs, trains and exports on every device."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers

BLOCK = 8  # input channels of a plain convolution


def _together(groups: int, most: int) -> int:
    """The largest divisor of a number of groups that is at most so many, or 1."""
    return max(n for n in range(1, groups + 1) if groups % n == 0 and n <= max(most, 1))


@keras.utils.register_keras_serializable(package="zoo")
class GroupedConv2D(layers.Layer):
    """Same-padded, bias-free convolution of stride 1 in independent channel groups.

    Equals `Conv2D(groups=...)`, whose gradient TensorFlow computes on a CPU only
    through XLA (28 times slower for ACRNet-1x). Output channel o of group g is

        y[g, o] = sum_i x[g, i] * kernel[:, :, i, (g, o)]

    Groups are taken together until they have `BLOCK` input channels, and each such
    block is a plain convolution whose kernel is zero between groups: with so few
    channels the zeros are cheaper than kernels for single groups (for ACRNet-1x, four
    groups of two channels: half the time of a depthwise convolution, forward and back).

    Args:
        filters: output channels, a multiple of `groups`.
        kernel_size: (along angle, along delay).
        groups: number of groups; must divide the input channels, too.

    Raises:
        ValueError: `groups` does not divide the input or output channels.
    """

    def __init__(self, filters: int, kernel_size, groups: int, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.groups = filters, groups
        self.kernel_size = tuple(kernel_size)

    def build(self, input_shape):
        """Create the kernel `[height, width, channels / groups, filters]`."""
        channels = input_shape[-1]
        if channels % self.groups or self.filters % self.groups:
            raise ValueError(
                f"{channels} input and {self.filters} output channels in "
                f"{self.groups} groups: expected multiples of the number of groups"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels // self.groups, self.filters),
            initializer="glorot_uniform",
        )
        super().build(input_shape)

    def call(self, x):
        """Convolve `[batch, N_t, N_a, channels]` to `[batch, N_t, N_a, filters]`."""
        inputs, outputs = x.shape[-1] // self.groups, self.filters // self.groups
        together = _together(self.groups, BLOCK // inputs)
        parts = self.groups // together
        kernel = tf.convert_to_tensor(self.kernel)
        within = np.kron(np.eye(together), np.ones((inputs, outputs)))
        mask = tf.constant(within, kernel.dtype)
        blocks = [
            tf.nn.conv2d(own, tf.tile(k, [1, 1, together, 1]) * mask, 1, "SAME")
            for own, k in zip(
                tf.split(x, parts, -1), tf.split(kernel, parts, -1), strict=True
            )
        ]
        return tf.concat(blocks, axis=-1)

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return math.prod(self.kernel.shape) * math.prod(self.output.shape[1:3])

    def compute_output_shape(self, input_shape):
        """Input shape with `filters` channels."""
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        """Constructor arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
        }
