"""Attention over channels (squeeze-excitation) and over positions."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers.conv import conv_bn

ATTENTION_BN = {"momentum": 0.99, "epsilon": 1e-5}


@keras.utils.register_keras_serializable(package="zoo")
class ChannelStatistics(layers.Layer):
    """Largest value and mean over the channels of each position."""

    def call(self, x):
        """Reduce `[batch, N_t, N_a, channels]` to `[batch, N_t, N_a, 2]`, max first."""
        largest = tf.reduce_max(x, axis=-1, keepdims=True)
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        return tf.concat([largest, mean], axis=-1)

    def compute_output_shape(self, input_shape):
        """Input shape with two channels."""
        return (*input_shape[:-1], 2)


def squeeze_excitation(x, hidden: int, name: str):
    """Scale each channel by s = sigmoid(W2 relu(W1 mean(x))), one s per example.

    Args:
        x: `[batch, N_t, N_a, channels]`.
        hidden: outputs of W1 (no bias in either matrix).
        name: prefix of the layer names.

    Returns:
        `[batch, N_t, N_a, channels]`.
    """
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D(name=f"{name}_pool")(x)
    for units, activation, part in (
        (hidden, "relu", "squeeze"),
        (channels, "sigmoid", "excite"),
    ):
        scale = layers.Dense(
            units, activation=activation, use_bias=False, name=f"{name}_{part}"
        )(scale)
    scale = layers.Reshape((1, 1, channels), name=f"{name}_scale")(scale)
    return layers.Multiply(name=f"{name}_product")([x, scale])


def spatial_attention(x, name: str):
    """Scale each position by sigmoid(BN(3x3 convolution of [max, mean])).

    The batch norm's momentum is PyTorch's 0.01, as in CLNet's public code.

    Args:
        x: `[batch, N_t, N_a, channels]`.
        name: prefix of the layer names.

    Returns:
        `[batch, N_t, N_a, channels]`.
    """
    scale = ChannelStatistics(name=f"{name}_statistics")(x)
    scale = conv_bn(scale, 1, (3, 3), name, batch_norm=ATTENTION_BN)
    scale = layers.Activation("sigmoid", name=f"{name}_scale")(scale)
    return layers.Multiply(name=f"{name}_product")([x, scale])
