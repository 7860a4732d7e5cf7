"""What every model function returns, and how encoder and decoder are joined."""

from __future__ import annotations

import math
from typing import NamedTuple

from zoo.keras_compat import Model, keras, layers


class CsiAutoencoder(NamedTuple):
    """Encoder, decoder and their connection; the three models share weights.

    Attributes:
        encoder: `[batch, N_t, N_a, 2]` in [0, 1] to the codeword `[batch, M]`.
        decoder: codeword `[batch, M]` to `[batch, N_t, N_a, 2]` in [0, 1].
        autoencoder: decoder(codeword path(encoder(csi))), float32 output.
    """

    encoder: Model
    decoder: Model
    autoencoder: Model


def connect(encoder: Model, decoder: Model, codeword_path=()) -> CsiAutoencoder:
    """Join an encoder and a decoder through the layers of a codeword path.

    Args:
        encoder: model with one codeword output `[batch, M]`.
        decoder: model with one codeword input `[batch, M]`.
        codeword_path: layers applied in order between the two.

    Returns:
        The autoencoder with its two halves.
    """
    csi = keras.Input(encoder.input.shape[1:], name="csi")
    codeword = encoder(csi)
    for layer in codeword_path:
        codeword = layer(codeword)
    autoencoder = Model(csi, decoder(codeword), name=f"{encoder.name}_autoencoder")
    return CsiAutoencoder(encoder, decoder, autoencoder)


def check_sizes(csi_shape, codeword_dim: int) -> tuple[int, int, int]:
    """Validate the two arguments that every model function has.

    Raises:
        ValueError: `csi_shape` is not (N_t, N_a, 2) or `codeword_dim` is not positive.
    """
    shape = tuple(csi_shape)
    if len(shape) != 3 or shape[2] != 2 or min(shape) < 1:
        raise ValueError(
            f"csi_shape is {csi_shape}, expected (N_t, N_a, 2) such as (32, 32, 2)"
        )
    if not isinstance(codeword_dim, int) or codeword_dim < 1:
        raise ValueError(
            f"codeword_dim is {codeword_dim!r}, expected a positive integer such as 512"
        )
    return shape


def csi_input(csi_shape, name: str = "csi"):
    """Encoder input `[batch, N_t, N_a, 2]`, float32 in [0, 1]."""
    return keras.Input(shape=tuple(csi_shape), name=name)


def codeword_input(codeword_dim: int):
    """Decoder input `[batch, M]`, float32."""
    return keras.Input(shape=(codeword_dim,), name="codeword")


def csi_output(x, name: str = "csi_hat"):
    """Final sigmoid, in float32: half floats lose CSI with a std of 0.02 around 0.5."""
    return layers.Activation("sigmoid", dtype="float32", name=name)(x)


def flat_size(csi_shape) -> int:
    """Number of real values of one CSI matrix, 2 N_t N_a."""
    return math.prod(csi_shape)
