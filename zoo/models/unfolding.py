"""What unfolded networks share: the linear encoder, the decoder's end."""

from __future__ import annotations

from zoo.keras_compat import Model, layers
from zoo.models.autoencoder import codeword_input, csi_input

SENSING = "codeword"  # name of the layer that holds A


def centred_csi_input(csi_shape):
    """Encoder input and the zero-centred vector x `[batch, N]` that it is."""
    csi = csi_input(csi_shape)
    x = layers.Rescaling(1.0, -0.5, dtype="float32", name="centre")(csi)
    return csi, layers.Flatten(name="flatten")(x)


def sensing_encoder(name: str, csi_shape, codeword_dim: int) -> Model:
    """Encoder v = A x of zero-centred CSI, A `[M, N]`, orthonormal rows at first."""
    csi, x = centred_csi_input(csi_shape)
    codeword = layers.Dense(
        codeword_dim, use_bias=False, kernel_initializer="orthogonal", name=SENSING
    )(x)
    return Model(csi, codeword, name=f"{name}_encoder")


def unfolded_decoder(name: str, csi_shape, codeword_dim: int, blocks) -> Model:
    """Decoder of blocks in a row, the first from x = 0, without output activation.

    Args:
        name: name of the network.
        csi_shape: (N_t, N_a, 2).
        codeword_dim: M.
        blocks: layers (x, v) to x, see `zoo.layers.unfolding.Block`.
    """
    v = codeword_input(codeword_dim)
    first, *others = blocks
    x = first(v)
    for block in others:
        x = block([x, v])
    return Model(v, csi_of(x, csi_shape), name=f"{name}_decoder")


def csi_of(x, csi_shape):
    """CSI around 0.5 `[batch, N_t, N_a, 2]` of its zero-centred vector `[batch, N]`."""
    x = layers.Reshape(tuple(csi_shape), dtype="float32", name="unflatten")(x)
    return layers.Rescaling(1.0, 0.5, dtype="float32", name="csi_hat")(x)
