"""Sum-of-sigmoids quantiser, the differentiable staircase of DualNet-MP."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers.quantizers import check_bits

BETA = 25.0  # steepness of the public code


class SsqGrid(NamedTuple):
    """Integers of kappa 2^(K-1) r, from -2^(K-1) to 2^(K-1) - 1.

    Attributes:
        bits: K.
        kappa: `[M]`, not 0.
    """

    bits: int
    kappa: object

    @property
    def half(self) -> float:
        """2^(K-1)."""
        return 2.0 ** (self.bits - 1)

    def indices(self, r):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 in [0, 2^K - 1]."""
        level = tf.round(tf.cast(r, "float32") * self.kappa * self.half)
        level = tf.clip_by_value(level, -self.half, self.half - 1)
        return tf.cast(level + self.half, "int32")

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32."""
        return (tf.cast(indices, "float32") - self.half) / (self.half * self.kappa)


def staircase(x, half: float, beta: float = BETA):
    """Smooth rounding of `[batch, M]` to the integers from -half to half - 1.

    Args:
        x: float32.
        half: 2^(K-1).
        beta: steepness of the sigmoids.
    """
    edges = tf.range(-half, half - 1) + 0.5
    steps = tf.sigmoid(beta * (x[..., None] - edges))
    return tf.reduce_sum(steps, axis=-1) - half


@keras.utils.register_keras_serializable(package="zoo")
class SumOfSigmoidsQuantizer(layers.Layer):
    """K-bit quantiser: a smooth staircase in training, rounded where it is sent.

    Lin, Liu, Lee, Ding, "Deep Learning Phase Compression for MIMO CSI Feedback by
    Exploiting FDD Channel Reciprocity", IEEE Wireless Communications Letters 10(10),
    2021, https://arxiv.org/abs/2103.00432. With a learned kappa for each entry and
    x = 2^(K-1) kappa r::

        training   Q(x) = sum_(i = -2^(K-1))^(2^(K-1) - 2) sigma(beta (x - i - 1/2))
                          - 2^(K-1)
        sent       clip(round(x), -2^(K-1), 2^(K-1) - 1)
        r_hat      = Q / (2^(K-1) kappa)

    The gradient is that of the staircase, so that no straight-through rule is needed.
    `fit` sets kappa such that the codeword's range fills the levels; before it the
    layer gives NaN. Runs in float32 under every precision policy.

    Args:
        bits: K, 1 to 10 (the sum has 2^K - 1 terms).
        beta: steepness; the public code's 25.

    Raises:
        ValueError: bits out of range.

    Deviations: the paper's sum has one term more, so 2^K + 1 levels for K bits, and its
    kappa starts between -0.05 and 0.05, where about a dozen of 256 levels are used.
    """

    def __init__(self, bits: int, beta: float = BETA, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        check_bits(bits)
        if bits > 10:
            raise ValueError(f"bits is {bits}, the sum of sigmoids is for 1 to 10")
        self.bits, self.beta = bits, beta

    def build(self, input_shape):
        """Create kappa for `[batch, M]`."""
        self.kappa = self.add_weight(
            name="kappa", shape=(input_shape[-1],), initializer="zeros"
        )
        super().build(input_shape)

    @property
    def needs_fit(self) -> bool:
        """Whether kappa is still missing."""
        return not np.any(self.kappa)

    def fit(self, codeword: np.ndarray) -> None:
        """Set kappa such that the largest magnitude of all entries is the last level.

        Args:
            codeword: `[n, M]`, what the encoder gives for training CSI.
        """
        half = self.grid.half
        largest = max(float(np.abs(codeword).max()), 1e-12)
        share = max(half - 1, 0.5) / half
        self.kappa.assign(np.full(self.kappa.shape, share / largest, np.float32))

    @property
    def grid(self) -> SsqGrid:
        """The levels with the current kappa, which gradients reach."""
        return SsqGrid(self.bits, tf.convert_to_tensor(self.kappa))

    def frozen(self) -> SsqGrid:
        """The levels as constants, for exported graphs."""
        return SsqGrid(self.bits, np.array(self.kappa))

    def indices(self, r):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 in [0, 2^K - 1]."""
        return self.grid.indices(r)

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32."""
        return self.grid.dequantize(indices)

    def call(self, r, training=False):
        """Quantise `[batch, M]`: the staircase in training, rounded otherwise."""
        if not training:
            return self.dequantize(self.indices(r))
        grid = self.grid
        gain = grid.half * grid.kappa
        return staircase(gain * tf.cast(r, "float32"), grid.half, self.beta) / gain

    def agreed(self) -> dict:
        """What both sides must know, for codec.json."""
        return {"kappa": np.array(self.kappa).tolist()}

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "bits": self.bits, "beta": self.beta}
