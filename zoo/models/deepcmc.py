"""DeepCMC: fully convolutional network with an entropy-coded codeword."""

from __future__ import annotations

import math

from zoo.keras_compat import PYTORCH_BN, Model, layers, leaky_relu
from zoo.layers.entropy_model import EntropyBottleneck
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_count,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
)
from zoo.models.spec import ModelSpec

SLOPE = 0.1
DOWN = 16  # product of the strides 4, 2, 2


def build_deepcmc(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 1024,
    filters: int = 256,
    rate_weight: float = 1e-5,
) -> CsiAutoencoder:
    """DeepCMC, whose feedback is the entropy-coded, rounded feature map.

    Yang, Mashhadi, Gunduz, "Deep Convolutional Compression for Massive MIMO CSI
    Feedback", IEEE MLSP 2019, https://arxiv.org/abs/1907.02942.

    Encoder (UE), sizes at 32 x 32, K = codeword_dim / 4 channels, d4 = 3x3 of stride
    4, u4 = transposed 3x3 of stride 4::

        csi 2 - 9x9 256 - d4 256 - BN - LReLU          [8, 8, 256]
                5x5 256 - d2 256 - BN - LReLU          [4, 4, 256]
                5x5 256 - d2 K - BN - LReLU - flatten  [2, 2, K], codeword 4 K

    Codeword path: noise in training, rounding and entropy coding at inference.

    Decoder (BS)::

        reshape - u2 256 - 5x5 256 - BN - LReLU        [4, 4, 256]
                  + residual + residual +
                  +---------------------+ +            [4, 4, 256]
                  u2 256 - 5x5 256 - BN - LReLU        [8, 8, 256]
                  u4 256 - 9x9 2 - sigmoid             [32, 32, 2]

        residual: x + (5x5 256 - BN - LReLU - 5x5 256 - BN - LReLU)(x)

    Parameters 5,090,816 (UE) and 11,646,722 (BS), and 11,008 of the density; MACs
    223,084,544 and 327,942,144. The number of bits depends on the CSI; `bits` of the
    codeword path's layer tells it. No NMSE is listed here.

    Args:
        csi_shape: (N_t, N_a, 2); other sizes than multiples of 16 are cut from the
            next larger output.
        codeword_dim: entries M of the feature map, a multiple of its
            ceil(N_t / 16) ceil(N_a / 16) positions; 1024 for the paper's 256 channels.
        filters: channels of all other layers.
        rate_weight: loss per bit and codeword entry beside the mean squared error;
            larger is fewer bits.

    Returns:
        Encoder, decoder and autoencoder with an `EntropyBottleneck` between them.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: the order of layers, the places of BN and the slope 0.1 follow a public
    re-implementation, whose density is one per entry; here it is one per channel, so
    that it too fits any N_t and N_a. CSI is mapped to [-1, 1] at the input; sigmoid(x)
    on [0, 1] is the paper's tanh on [-1, 1] of x / 2. Borders are TensorFlow's `same`.
    `rate_weight` is a choice for CSI with a standard deviation of 0.02.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    positions = math.prod(math.ceil(n / DOWN) for n in shape[:2])
    if codeword_dim % positions:
        raise ValueError(
            f"codeword_dim is {codeword_dim}, expected a multiple of {positions}, the "
            f"positions of the last feature map for csi_shape {csi_shape}"
        )
    check_count("filters", filters)
    if rate_weight < 0:
        raise ValueError(f"rate_weight is {rate_weight}, expected 0 or more")
    channels = codeword_dim // positions
    encoder = _encoder(shape, filters, channels)
    decoder = _decoder(shape, filters, channels)
    bottleneck = EntropyBottleneck(channels, rate_weight, name="bottleneck")
    return connect(encoder, decoder, [bottleneck])


def _encoder(csi_shape, filters: int, channels: int) -> Model:
    csi = csi_input(csi_shape)
    x = layers.Rescaling(2.0, -1.0, dtype="float32", name="centre")(csi)
    for i, (stride, outputs) in enumerate(((4, filters), (2, filters), (2, channels))):
        size = 5 if i else 9
        x = _conv(x, filters, size, f"stage{i + 1}")
        x = _conv(x, outputs, 3, f"down{i + 1}", strides=stride)
        x = _bn_act(x, f"down{i + 1}")
    return Model(csi, layers.Flatten(name="codeword")(x), name="deepcmc_encoder")


def _decoder(csi_shape, filters: int, channels: int) -> Model:
    rows, cols = (math.ceil(n / DOWN) for n in csi_shape[:2])
    codeword = codeword_input(rows * cols * channels)
    x = layers.Reshape((rows, cols, channels), name="unflatten")(codeword)
    x = start = _conv_bn(_up(x, filters, 2, "up1"), filters, "stage1")
    for i in range(2):
        name = f"residual{i + 1}"
        y = _conv_bn(_conv_bn(x, filters, f"{name}_1"), filters, f"{name}_2")
        x = layers.Add(name=f"{name}_skip")([x, y])
    x = layers.Add(name="long_skip")([start, x])
    x = _conv_bn(_up(x, filters, 2, "up2"), filters, "stage2")
    x = _conv(_up(x, filters, 4, "up3"), 2, 9, "output")
    if tuple(x.shape[1:]) != csi_shape:
        excess = [(0, n - m) for n, m in zip(x.shape[1:3], csi_shape[:2], strict=True)]
        x = layers.Cropping2D(excess, name="cut")(x)
    return Model(codeword, csi_output(x), name="deepcmc_decoder")


def _conv(x, filters: int, size: int, name: str, strides: int = 1):
    return layers.Conv2D(
        filters, size, strides=strides, padding="same", name=f"{name}_conv"
    )(x)


def _up(x, filters: int, strides: int, name: str):
    return layers.Conv2DTranspose(
        filters, 3, strides=strides, padding="same", name=name
    )(x)


def _bn_act(x, name: str):
    x = layers.BatchNormalization(name=f"{name}_bn", **PYTORCH_BN)(x)
    return leaky_relu(SLOPE)(x)


def _conv_bn(x, filters: int, name: str):
    """5x5 convolution, BN, LeakyReLU."""
    return _bn_act(_conv(x, filters, 5, name), name)


SPEC = ModelSpec(
    name="deepcmc",
    build=build_deepcmc,
    paper="Yang, Mashhadi, Gunduz: Deep Convolutional Compression for Massive MIMO CSI "
    "Feedback, IEEE MLSP 2019, https://arxiv.org/abs/1907.02942",
    licence="none stated",
    codeword_dims=(1024,),  # the rate is set by rate_weight, not by the length
    fitted_start="",
)
