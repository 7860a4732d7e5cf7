"""Convolutions of CSI that know its angle and delay axes as circles."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import keras, layers

CORES = ("circular", "zero")


@keras.utils.register_keras_serializable(package="zoo")
class CircularPad(layers.Layer):
    """Continue `[batch, N_t, N_a, channels]` periodically on both axes.

    For a kernel of k entries floor((k - 1) / 2) rows go before and the rest of k - 1
    behind, so that a convolution without padding gives back the size.

    Args:
        kernel_size: (rows, columns) of the kernel that follows.

    Raises:
        ValueError: a kernel size is not positive, or larger than its axis.
    """

    def __init__(self, kernel_size, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = tuple(kernel_size)
        if len(self.kernel_size) != 2 or min(self.kernel_size) < 1:
            raise ValueError(
                f"kernel_size is {kernel_size}, expected two positive integers"
            )

    def build(self, input_shape):
        """Check that no row is needed twice."""
        sizes = tuple(input_shape)[1:3]
        if any(k > n for k, n in zip(self.kernel_size, sizes, strict=True)):
            raise ValueError(
                f"kernel_size is {self.kernel_size}, larger than the map {sizes}"
            )
        super().build(input_shape)

    def call(self, x):
        """`[batch, N_t, N_a, c]` to `[batch, N_t + rows - 1, N_a + columns - 1, c]`."""
        for axis, size in enumerate(self.kernel_size, 1):
            before, behind = (size - 1) // 2, size // 2
            length = x.shape[axis]
            last = tf.gather(x, range(length - before, length), axis=axis)
            x = tf.concat([last, x, tf.gather(x, range(behind), axis=axis)], axis)
        return x

    def compute_output_shape(self, input_shape):
        """Input shape, larger by the kernel's size minus 1."""
        batch, rows, columns, channels = input_shape
        height, width = self.kernel_size
        return (batch, rows + height - 1, columns + width - 1, channels)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "kernel_size": self.kernel_size}


def core_conv(x, filters: int, size: int, core: str, name: str, **options):
    """Convolution of stride 1 that keeps the size of `[batch, N_t, N_a, channels]`.

    Args:
        x: input.
        filters: output channels.
        size: rows and columns of the kernel.
        core: 'circular' (C-CNN) or 'zero', what is beyond the edges.
        name: of the layer.
        **options: of Conv2D, such as the activation.

    Raises:
        ValueError: unknown core.
    """
    if core not in CORES:
        raise ValueError(f"core is {core!r}, expected one of {', '.join(CORES)}")
    padding = "same"
    if core == "circular":
        x, padding = CircularPad((size, size), name=f"{name}_pad")(x), "valid"
    return layers.Conv2D(filters, size, padding=padding, name=name, **options)(x)
