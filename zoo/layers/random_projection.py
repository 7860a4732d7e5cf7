"""Random compression that is never trained."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers


@keras.utils.register_keras_serializable(package="zoo")
class RandomProjection(layers.Layer):
    """Compression y = A x by a fixed Gaussian matrix, never trained.

    The entries of A are N(0, 1/M), so that ||y||^2 is ||x||^2 on average. NumPy's
    generator draws them with the two sizes as its seed: other sizes give another
    matrix, but every run, training seed and Keras version the same one.

    Args:
        units: codeword length M.
        orthonormal: take orthonormal rows with the same row space.

    Raises:
        ValueError: `units` is not a positive integer.
    """

    def __init__(self, units: int, orthonormal: bool = False, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"units is {units!r}, expected a positive integer")
        self.units, self.orthonormal = units, orthonormal

    def build(self, input_shape):
        """Create A, transposed: `[inputs, units]`."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.units),
            initializer=_orthonormal if self.orthonormal else _gaussian,
            trainable=False,
        )
        super().build(input_shape)

    def call(self, x):
        """Map `[batch, inputs]` to `[batch, units]`."""
        return tf.matmul(x, self.kernel)

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return math.prod(self.kernel.shape)

    def compute_output_shape(self, input_shape):
        """Input shape with `units` values."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Constructor arguments."""
        own = {"units": self.units, "orthonormal": self.orthonormal}
        return {**super().get_config(), **own}


def _gaussian(shape, dtype=None):
    """Matrix `[inputs, M]` with entries N(0, 1/M)."""
    rng = np.random.default_rng(shape)
    return tf.constant(rng.standard_normal(shape) / math.sqrt(shape[1]), dtype)


def _orthonormal(shape, dtype=None):
    """Matrix `[inputs, M]` with orthonormal columns that span those of `_gaussian`."""
    return tf.constant(np.linalg.qr(_gaussian(shape, "float64"))[0], dtype)
