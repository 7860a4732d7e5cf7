"""Codeword quantisers with straight-through gradients."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import PYTORCH_BN, Model, keras, layers


def check_bits(bits) -> None:
    """Refuse a number of bits per codeword entry.

    Raises:
        ValueError: not an integer from 1 to 16.
    """
    if not isinstance(bits, int) or not 1 <= bits <= 16:
        raise ValueError(f"bits is {bits!r}, expected an integer from 1 to 16")


@keras.utils.register_keras_serializable(package="zoo")
class UniformQuantizer(layers.Layer):
    """Uniform B-bit quantiser of a codeword in [-1, 1].

    q(z) = clip(round(2^(B-1) (z + 1) - 1/2), 0, 2^B - 1), reconstruction
    z_hat = (q + 1/2) / 2^(B-1) - 1, and the straight-through gradient
    d z_hat / d z = 1 (the literature's on [0, 1], mapped to the zero-centred range).
    Runs in float32 under every precision policy, so that sent and trained indices
    agree.

    Args:
        bits: B, 1 to 16.

    Raises:
        ValueError: bits out of range.
    """

    def __init__(self, bits: int, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        check_bits(bits)
        self.bits = bits

    def frozen(self) -> UniformQuantizer:
        """The same map without variables, for exported graphs: there are none."""
        return self

    def agreed(self) -> dict:
        """What both sides must know beside the name, for codec.json."""
        return {"range": [-1, 1]}

    def indices(self, z):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 in [0, 2^B - 1]."""
        index = tf.round(2.0 ** (self.bits - 1) * (z + 1) - 0.5)
        return tf.cast(tf.clip_by_value(index, 0, 2.0**self.bits - 1), "int32")

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32 in (-1, 1)."""
        return (tf.cast(indices, "float32") + 0.5) / 2.0 ** (self.bits - 1) - 1

    def call(self, z):
        """Quantise and reconstruct `[batch, M]`."""
        z = tf.cast(z, "float32")
        return z + tf.stop_gradient(self.dequantize(self.indices(z)) - z)

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "bits": self.bits}


@keras.utils.register_keras_serializable(package="zoo")
class MuLawQuantizer(UniformQuantizer):
    """Non-uniform B-bit quantiser of a codeword in [-1, 1]: finer around zero.

    The uniform quantiser between compander and expander, as in CsiNet+ (Guo, Wen, Jin,
    Li, IEEE Transactions on Wireless Communications 19(4), 2020):

        f(z) = sgn(z) ln(1 + mu |z|) / ln(1 + mu)
        f^-1(y) = sgn(y) ((1 + mu)^|y| - 1) / mu

    Straight-through gradient d z_hat / d z = 1.

    Args:
        bits: B, 1 to 16.
        mu: strength; 50 in the public re-implementation.

    Raises:
        ValueError: bits out of range.
    """

    def __init__(self, bits: int, mu: float = 50.0, **kwargs):
        super().__init__(bits, **kwargs)
        self.mu = mu

    def indices(self, z):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 in [0, 2^B - 1]."""
        size = tf.math.log(1 + self.mu * tf.abs(z)) / math.log1p(self.mu)
        return super().indices(tf.sign(z) * size)

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32 in (-1, 1)."""
        y = super().dequantize(indices)
        size = (tf.exp(math.log1p(self.mu) * tf.abs(y)) - 1) / self.mu
        return tf.sign(y) * size

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "mu": self.mu}


@keras.utils.register_keras_serializable(package="zoo")
class SignQuantizer(UniformQuantizer):
    """One bit per entry: z_hat = 1 for z >= 0, else -1.

    Straight-through gradient d z_hat / d z = 1, which a codeword bounded to [-1, 1]
    needs no clipping for.

    Args:
        bits: B, must be 1.

    Raises:
        ValueError: another number of bits.
    """

    def __init__(self, bits: int = 1, **kwargs):
        if bits != 1:
            raise ValueError(f"bits is {bits!r}, the sign quantiser sends 1")
        super().__init__(bits, **kwargs)

    def indices(self, z):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 0 or 1."""
        return tf.cast(z >= 0, "int32")

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32 -1 or 1."""
        return 2 * tf.cast(indices, "float32") - 1


def normalise(encoder: Model) -> Model:
    """Append the codeword normaliser, tanh(batch norm(z)), to an encoder.

    CSI around 0.5 makes most of an untrained codeword the same for every sample; batch
    norm per entry removes that part and spreads the rest over the quantiser's range. At
    inference it is one scale and shift per entry.

    Args:
        encoder: `[batch, N_t, N_a, 2]` to a codeword `[batch, M]` of any range.

    Returns:
        The same network with a codeword in (-1, 1), float32.
    """
    z = layers.BatchNormalization(dtype="float32", name="codeword_bn", **PYTORCH_BN)(
        encoder.output
    )
    z = layers.Activation("tanh", dtype="float32", name="codeword_tanh")(z)
    return Model(encoder.input, z, name=encoder.name)
