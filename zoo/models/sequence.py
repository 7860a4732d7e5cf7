"""What the networks for CSI sequences share."""

from __future__ import annotations

from zoo.keras_compat import KERAS_BN, layers, leaky_relu
from zoo.models.autoencoder import check_sizes

SLOPE = 0.3


def check_sequence_sizes(csi_shape, codeword_dim: int) -> tuple[int, int, int, int]:
    """Validate the two arguments of a network for T time slots.

    Raises:
        ValueError: `csi_shape` is not (T, N_t, N_a, 2) with at least two slots, or
            `codeword_dim` is not positive.
    """
    shape = tuple(csi_shape)
    if len(shape) != 4 or shape[0] < 2 or shape[3] != 2 or min(shape) < 1:
        raise ValueError(
            f"csi_shape is {csi_shape}, expected (T, N_t, N_a, 2) with two time slots "
            "or more, such as (4, 32, 32, 2)"
        )
    check_sizes(shape[1:], codeword_dim)
    return shape


def slot_conv_bn(x, filters: int, kernel: tuple[int, int, int], name: str):
    """Same-padded convolution with bias, then batch normalisation as in CsiNet.

    Args:
        x: `[batch, T, N_t, N_a, channels]`.
        filters: output channels.
        kernel: (along slots, angle, delay); (1, 3, 3) treats each slot alone.
        name: prefix of both layers' names.

    Returns:
        `[batch, T, N_t, N_a, filters]`, statistics per channel over all slots.
    """
    x = layers.Conv3D(filters, kernel, padding="same", name=f"{name}_conv")(x)
    return batch_norm(x, name)


def batch_norm(x, name: str):
    """Batch normalisation with Keras' momentum and epsilon."""
    return layers.BatchNormalization(name=f"{name}_bn", **KERAS_BN)(x)


def activate(x):
    """LeakyReLU with CsiNet's slope."""
    return leaky_relu(SLOPE)(x)
