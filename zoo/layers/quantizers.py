"""Codeword quantisers with straight-through gradients."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import keras, layers


@keras.utils.register_keras_serializable(package="zoo")
class UniformQuantizer(layers.Layer):
    """Uniform B-bit quantiser of a codeword in [0, 1].

    q(z) = clip(round(2^B z - 1/2), 0, 2^B - 1), reconstruction (q + 1/2) / 2^B, and
    the straight-through gradient d z_hat / d z = 1 (SPECS 3.5). Runs in float32 under
    every precision policy, so that sent and trained indices agree.

    Args:
        bits: B, 1 to 16.
    """

    def __init__(self, bits: int, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if not isinstance(bits, int) or not 1 <= bits <= 16:
            raise ValueError(f"bits is {bits!r}, expected an integer from 1 to 16")
        self.bits = bits

    def indices(self, z):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 in [0, 2^B - 1]."""
        levels = 2.0**self.bits
        return tf.cast(
            tf.clip_by_value(tf.round(levels * z - 0.5), 0, levels - 1), "int32"
        )

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32 in (0, 1)."""
        return (tf.cast(indices, "float32") + 0.5) / 2.0**self.bits

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


def codeword_path(quantizer: str, bits: int) -> list:
    """Layers between encoder and decoder: normalisation, then quantisation.

    Args:
        quantizer: 'none' leaves the codeword as the encoder gives it; 'uniform' maps it
            to [0, 1] with a sigmoid and quantises it.
        bits: bits per codeword entry; 0 keeps the normalised codeword unquantised.

    Raises:
        ValueError: unknown quantiser or unusable number of bits.
    """
    if quantizer == "none":
        return []
    if quantizer != "uniform":
        raise ValueError(f"quantizer is {quantizer!r}, expected none or uniform")
    normalise = layers.Activation("sigmoid", dtype="float32", name="normalise")
    quantise = [UniformQuantizer(bits, name="quantise")] if bits else []
    return [normalise, *quantise]
