"""BCsiNet: CsiNet with a one-bit fully connected layer in the encoder."""

from __future__ import annotations

from zoo.keras_compat import Model, layers, leaky_relu
from zoo.layers.binary import binary_dense
from zoo.layers.conv import conv_bn, pytorch_dense
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
    flat_size,
)
from zoo.models.csinet import SLOPE, refine_block
from zoo.models.spec import ModelSpec, Variant, rows

HEADS = ("A", "B", "C")
BLOCKS = (2, 3)


def build_bcsinet(
    csi_shape=(32, 32, 2), codeword_dim: int = 512, head: str = "A", blocks: int = 2
) -> CsiAutoencoder:
    """BCsiNet-Xn: encoder head X, binarised encoder, decoder of n RefineNet blocks.

    Lu, Wang, Song, "Binary Neural Network Aided CSI Feedback in Massive MIMO System",
    IEEE Wireless Communications Letters 10(6), 2021, https://arxiv.org/abs/2011.02692.

    Feature maps `[batch, 32, 32, channels]`::

        encoder (UE): csi 2 - head - binary FC M
        decoder (BS): FC 2048 - reshape - RefineNet x n - 3x3 2 - sigmoid

        head A: 3x3 2 - LReLU
        head B: 3x3 2 - LReLU - 3x3 2 - LReLU
        head C: 3x3 2 - LReLU - x +- 3x3 4 - LReLU - 3x3 2 -+
                                  +-------------------------+ + - LReLU

    RefineNet is CsiNet's block. Every convolution, the last one too, is bias-free and
    batch-normalised; LeakyReLU slope 0.3. The FC layer at the UE computes with
    alpha sign(W) (`zoo.layers.binary.BinaryDense`): 1/32 of the memory.

    Published NMSE [dB], indoor/outdoor (README of the public code), trained parameters
    of A2, and parameters at the UE as float equivalents (a bit is 1/32):

    | ratio | M | A2 | B3 | params | UE equivalents | MACs |
    |---|---|---|---|---|---|---|
    | 1/4 | 512 | -17.25/-8.35 | -20.31/-9.77 | 2,103,064 | 33,320 | 5,414,912 |
    | 1/8 | 256 | -12.38/-6.26 | -12.77/-6.86 | 1,054,232 | 16,680 | 4,366,336 |
    | 1/16 | 128 | -8.99/-4.17 | -10.71/-4.52 | 529,816 | 8,360 | 3,842,048 |
    | 1/32 | 64 | -6.79/-2.69 | -7.93/-2.74 | 267,608 | 4,200 | 3,579,904 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        head: encoder head X, 'A', 'B' or 'C'.
        blocks: number n of RefineNet blocks, 2 or 3.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size, `head` or `blocks` is not usable.

    Deviations: the public code binarises once, after loading, and only infers; the
    training of the binary layer is not published and is the straight-through one of
    `BinaryDense` here. sign(0) is +1 (0 in PyTorch) so that one bit holds a weight.
    Nothing is published at 1/64. Features are flattened channels-last, so published FC
    weights need a permutation.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    if head not in HEADS:
        raise ValueError(f"head is {head!r}, expected one of {', '.join(HEADS)}")
    if blocks not in BLOCKS:
        raise ValueError(f"blocks is {blocks!r}, expected 2 or 3")
    encoder = _encoder(shape, codeword_dim, head)
    return connect(encoder, _decoder(shape, codeword_dim, blocks))


def _encoder(csi_shape, codeword_dim: int, head: str) -> Model:
    csi = csi_input(csi_shape)
    x = _conv(csi, 2, "head1")
    if head == "B":
        x = _conv(x, 2, "head2")
    elif head == "C":
        y = conv_bn(_conv(x, 4, "head2"), 2, (3, 3), "head3")
        x = leaky_relu(SLOPE)(layers.Add(name="head_skip")([x, y]))
    x = layers.Flatten(name="flatten")(x)
    codeword = binary_dense(x, codeword_dim, "codeword")
    return Model(csi, codeword, name="bcsinet_encoder")


def _decoder(csi_shape, codeword_dim: int, blocks: int) -> Model:
    codeword = codeword_input(codeword_dim)
    x = pytorch_dense(codeword, flat_size(csi_shape), "expand")
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    for i in range(blocks):
        x = refine_block(x, f"refine{i + 1}")
    x = conv_bn(x, 2, (3, 3), "output")
    return Model(codeword, csi_output(x), name="bcsinet_decoder")


def _conv(x, filters: int, name: str):
    return leaky_relu(SLOPE)(conv_bn(x, filters, (3, 3), name))


SPEC = ModelSpec(
    name="bcsinet",
    build=build_bcsinet,
    paper="Lu, Wang, Song: Binary Neural Network Aided CSI Feedback in Massive MIMO "
    "System, IEEE Wireless Communications Letters 10(6), 2021, "
    "https://arxiv.org/abs/2011.02692",
    licence="MIT",
    published=rows(
        [-17.25, -12.38, -8.99, -6.79],
        [-8.35, -6.26, -4.17, -2.69],
    ),
    codeword_dims=(512, 256, 128, 64),
    variants={
        "B3": Variant(
            {"head": "B", "blocks": 3},
            rows([-20.31, -12.77, -10.71, -7.93], [-9.77, -6.86, -4.52, -2.74]),
        ),
    },
)
