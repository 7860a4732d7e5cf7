"""Subband transformer: a transformer pair whose tokens are eigenvectors."""

from __future__ import annotations

import math

from zoo.keras_compat import Model, layers
from zoo.layers.transformer import Positions, TransformerEncoder
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_count,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
)
from zoo.models.spec import ModelSpec

EMBED, PROJECT = "embed", "project"  # names of the maps of a token
COMPRESS, EXPAND = "codeword", "expand"  # and of all tokens
STACK = "transformer"


def build_subband_transformer(
    csi_shape=(32, 13, 2),
    codeword_dim: int = 64,
    width: int = 128,
    heads: int = 8,
    blocks: int = 2,
    mlp: int = 4,
) -> CsiAutoencoder:
    """Subband transformer, the backbone that 3GPP studied for eigenvectors.

    RAN1 took a Transformer in the spatial and frequency domain as the backbone of a
    standardised model for its Case 0, without time (moderator's summary R1-2410723 of
    November 2024, proposal 47b). The sizes of the work item are in no public text that
    was found; those here are the zoo's choice. The family begins with EVCsiNet-T: Xiao
    et al., "AI Enlightens Wireless Communication: A Transformer Backbone for CSI
    Feedback", China Communications, 2024, https://arxiv.org/abs/2206.07949.

    A token is a column of the input, the eigenvector of one subband and layer: 2 P real
    values. Tensors `[batch, T tokens, width]`, T = subbands x layers::

        encoder (UE): csi - tokens - embed - + positions - B x block - FC M
        decoder (BS): FC T width - B x block - project - tokens - csi
        block: x +- LayerNorm - attention -+ + -+- LayerNorm - FC - ReLU - FC -+ +
                 +-------------------------+    +------------------------------+

    Nothing bends a signal while the last matrix of every branch is zero: with
    `--init=klt` the network starts as the linear KLT codec of all tokens.

    Args:
        csi_shape: (P, T, 2); of CSI the tokens are its delays.
        codeword_dim: codeword length M.
        width: values of a token inside; `--init=klt` needs 2 P.
        heads: of each attention; must divide `width`.
        blocks: B of each side.
        mlp: hidden units of a block's feed-forward network, in multiples of `width`.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: the sizes are not those of EVCsiNet-T, nor is the training, which there
    has more data made of the same and an average of several networks. The decoder has
    no positions: the biases of its first layer are some.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    options = {"width": width, "heads": heads, "blocks": blocks, "mlp": mlp}
    for name, value in options.items():
        check_count(name, value)
    if width % heads:
        raise ValueError(
            f"width is {width} and heads is {heads}, expected a number of heads that "
            "divides the width"
        )
    stack = {"num_layers": blocks, "heads": heads, "ffn": mlp * width}
    return connect(
        _encoder(shape, codeword_dim, width, stack),
        _decoder(shape, codeword_dim, width, stack),
    )


def gain(csi_shape) -> float:
    """What brings the entries of an eigenvector, halved, to unit variance."""
    return 2 * math.sqrt(2 * csi_shape[0])


def _encoder(csi_shape, codeword_dim: int, width: int, stack: dict) -> Model:
    ports, tokens, parts = csi_shape
    csi = csi_input(csi_shape)
    scale = gain(csi_shape)
    x = layers.Rescaling(scale, -scale / 2, dtype="float32", name="centre")(csi)
    x = layers.Permute((2, 1, 3), name="columns")(x)
    x = layers.Reshape((tokens, ports * parts), name="tokens")(x)
    x = layers.Dense(width, kernel_initializer="orthogonal", name=EMBED)(x)
    x = Positions(name="positions")(x)
    x = TransformerEncoder(**stack, norm_first=True, name=STACK)(x)
    x = layers.Flatten(name="flatten")(x)
    codeword = layers.Dense(codeword_dim, name=COMPRESS)(x)
    return Model(csi, codeword, name="subband_transformer_encoder")


def _decoder(csi_shape, codeword_dim: int, width: int, stack: dict) -> Model:
    ports, tokens, parts = csi_shape
    codeword = codeword_input(codeword_dim)
    x = layers.Dense(tokens * width, name=EXPAND)(codeword)
    x = layers.Reshape((tokens, width), name="unflatten")(x)
    x = TransformerEncoder(**stack, norm_first=True, name=STACK)(x)
    x = layers.Dense(ports * parts, kernel_initializer="orthogonal", name=PROJECT)(x)
    x = layers.Reshape((tokens, ports, parts), name="columns")(x)
    x = layers.Permute((2, 1, 3), name="ports")(x)
    csi_hat = layers.Rescaling(
        1 / gain(csi_shape), 0.5, dtype="float32", name="csi_hat"
    )(x)
    return Model(codeword, csi_hat, name="subband_transformer_decoder")


SPEC = ModelSpec(
    name="subband_transformer",
    build=build_subband_transformer,
    paper="The zoo's own sizes of a published family: Xiao et al.: AI Enlightens "
    "Wireless Communication: A Transformer Backbone for CSI Feedback, China "
    "Communications, 2024, https://arxiv.org/abs/2206.07949",
    licence="no public code",
    codeword_dims=(192, 128, 96, 64, 32),
    csi_shape=(32, 13, 2),
    fitted_start="tokens",
)
