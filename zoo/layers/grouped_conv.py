"""Grouped convolution that runs, trains and exports on every device."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers


@keras.utils.register_keras_serializable(package="zoo")
class GroupedConv2D(layers.Layer):
    """Same-padded, bias-free convolution of stride 1 in independent channel groups.

    Equals `Conv2D(groups=...)`, whose gradient TensorFlow computes on a CPU only
    through XLA (28 times slower for ACRNet-1x). Here output channel o of group g is

        y[g, o] = sum_i x[g, i] * kernel[:, :, i, (g, o)]

    so that the i-th inputs of all groups together are one depthwise convolution with
    as many outputs per channel as a group has; the sum over i follows. The number of
    multiply-accumulates is that of the grouped convolution.

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
        shape = (*self.kernel_size, x.shape[-1], outputs)
        # Channels ordered by (i, group); the kernel's two last axes already are.
        x = tf.concat([x[..., i::inputs] for i in range(inputs)], axis=-1)
        kernel = tf.reshape(self.kernel, shape)
        y = tf.nn.depthwise_conv2d(x, kernel, strides=[1] * 4, padding="SAME")
        return tf.add_n(tf.split(y, inputs, axis=-1))

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
