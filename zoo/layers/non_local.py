"""Non-local block: attention of every position to every other one."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers.transformer import linear

PROJECTIONS = ("theta", "phi", "g")


@keras.utils.register_keras_serializable(package="zoo")
class NonLocalBlock(layers.Layer):
    """Residual self-attention over positions, embedded-Gaussian form.

    Wang, Girshick, Gupta, He, "Non-local Neural Networks", CVPR 2018,
    https://arxiv.org/abs/1711.07971. With position p and 1 x 1 projections,

        y[p] = x[p] + W_out sum_q softmax_q(theta(x[p]) phi(x[q])) g(x[q]) + b_out

    phi and g are max-pooled before the sum, which is that paper's way to save
    computations. W_out starts at zero, so that the block starts as the identity. The
    softmax is in float32 under every precision policy.

    Args:
        hidden: outputs of theta, phi and g (the paper: half the channels).
        pool: side of the pooling window; 1 is no pooling.
    """

    def __init__(self, hidden: int, pool: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.pool = hidden, pool

    def build(self, input_shape):
        """Create the projections for `[batch, N_t, N_a, channels]`."""
        rows, columns, channels = tuple(input_shape)[1:]
        self.positions = rows * columns
        self.keys = math.ceil(rows / self.pool) * math.ceil(columns / self.pool)
        sizes = {name: (channels, self.hidden) for name in PROJECTIONS}
        sizes["output"] = (self.hidden, channels)
        tensors = {}
        for name, shape in sizes.items():
            tensors[f"{name}_kernel"] = self.add_weight(
                name=f"{name}_kernel",
                shape=shape,
                initializer="zeros" if name == "output" else "glorot_uniform",
            )
            tensors[f"{name}_bias"] = self.add_weight(
                name=f"{name}_bias", shape=shape[1:], initializer="zeros"
            )
        self.tensors = tensors
        super().build(input_shape)

    def call(self, x):
        """Add to each position of `[batch, N_t, N_a, channels]` what it attends to."""
        theta = tf.reshape(self._project(x, "theta"), (-1, self.positions, self.hidden))
        phi, g = (self._pooled(self._project(x, name)) for name in ("phi", "g"))
        scores = tf.cast(tf.matmul(theta, phi, transpose_b=True), "float32")
        y = tf.matmul(tf.cast(tf.nn.softmax(scores), g.dtype), g)
        y = tf.reshape(y, (-1, *x.shape[1:3], self.hidden))
        return x + self._project(y, "output")

    def _project(self, x, name: str):
        return linear(x, self.tensors[f"{name}_kernel"], self.tensors[f"{name}_bias"])

    def _pooled(self, x):
        """`[batch, N_t, N_a, hidden]` to `[batch, keys, hidden]`."""
        x = tf.nn.max_pool2d(x, self.pool, self.pool, "SAME")
        return tf.reshape(x, (-1, self.keys, self.hidden))

    def macs(self) -> int:
        """Multiply-accumulates of one example: four projections, two products."""
        channels = self.tensors["output_kernel"].shape[1]
        projections = 4 * self.positions * channels * self.hidden
        return projections + 2 * self.positions * self.keys * self.hidden

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "hidden": self.hidden, "pool": self.pool}
