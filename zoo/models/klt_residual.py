"""KLT-residual: a linear KLT codec whose decoder adds what convolutions find."""

from __future__ import annotations

import math

from zoo.keras_compat import Model, layers, leaky_relu
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_count,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    flat_size,
)
from zoo.models.spec import ModelSpec

COMPRESS, EXPAND = "codeword", "expand"  # names of the fully connected layers
SLOPE = 0.1  # of the encoder's LeakyReLU


def build_klt_residual(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    channels: int = 32,
    blocks: int = 1,
    kernel: int = 3,
    encoder_channels: int = 8,
) -> CsiAutoencoder:
    """KLT-residual, the zoo's own network.

    Both sides begin at the KLT (`--init=klt`), each with a convolutional branch whose
    last convolution starts at zero: before the first update the network is the linear
    KLT codec, and training only adds to it. N = 2 N_t N_a, no batch norm::

        encoder (UE): csi - (x - 0.5) sqrt(N) -+-----------------------------+- FC M
                                               +- 3x3 8 - LReLU - 3x3 2 (0) -+
        decoder (BS): FC N - reshape -+--------------------------------------------+
                                      +- 3x3 32 - B x residual - ReLU - 3x3 2 (0) -+
                                                         sum - x / sqrt(N) + 0.5
        residual: y +- ReLU - 3x3 32 - ReLU - 3x3 32 -+
                    +---------------------------------+ sum

    sqrt(N) brings CSI of norm 1 to the unit variance that the convolutions want. The
    fully connected layers train at a share of the rate (`--dense_rate`), the smaller
    the nearer the start is already.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        channels: width of the decoder's convolutions.
        blocks: B, residuals of two convolutions.
        kernel: height and width of every convolution.
        encoder_channels: width of a convolutional branch in front of the encoder's
            fully connected layer, x + conv(LeakyReLU(conv(x))); 0: a linear encoder.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: none, there is no paper to deviate from.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    check_count("channels", channels)
    check_count("kernel", kernel)
    for name, value in (("blocks", blocks), ("encoder_channels", encoder_channels)):
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} is {value!r}, expected an integer of 0 or more")
    encoder = _encoder(shape, codeword_dim, kernel, encoder_channels)
    return connect(encoder, _decoder(shape, codeword_dim, kernel, channels, blocks))


def _encoder(csi_shape, codeword_dim: int, kernel: int, channels: int) -> Model:
    gain = math.sqrt(flat_size(csi_shape))
    csi = csi_input(csi_shape)
    x = layers.Rescaling(gain, -gain / 2, dtype="float32", name="centre")(csi)
    if channels:
        y = leaky_relu(SLOPE)(_conv(x, channels, kernel, "branch1"))
        x = layers.Add(name="features")([x, _last(y, 2, kernel, "branch2")])
    x = layers.Flatten(name="flatten")(x)
    codeword = layers.Dense(
        codeword_dim, use_bias=False, kernel_initializer="orthogonal", name=COMPRESS
    )(x)
    return Model(csi, codeword, name="klt_residual_encoder")


def _decoder(csi_shape, codeword_dim: int, kernel: int, channels: int, blocks: int):
    gain = math.sqrt(flat_size(csi_shape))
    codeword = codeword_input(codeword_dim)
    linear = layers.Dense(flat_size(csi_shape), name=EXPAND)(codeword)
    linear = layers.Reshape(csi_shape, name="unflatten")(linear)
    x = _conv(linear, channels, kernel, "head")
    for i in range(blocks):
        y = _conv(layers.ReLU()(x), channels, kernel, f"block{i + 1}_conv1")
        y = _conv(layers.ReLU()(y), channels, kernel, f"block{i + 1}_conv2")
        x = layers.Add(name=f"block{i + 1}")([x, y])
    residual = _last(layers.ReLU()(x), 2, kernel, "residual")
    x = layers.Add(dtype="float32", name="sum")([linear, residual])
    csi_hat = layers.Rescaling(1 / gain, 0.5, dtype="float32", name="csi_hat")(x)
    return Model(codeword, csi_hat, name="klt_residual_decoder")


def _conv(x, filters: int, kernel: int, name: str):
    return layers.Conv2D(
        filters, kernel, padding="same", kernel_initializer="he_normal", name=name
    )(x)


def _last(x, filters: int, kernel: int, name: str):
    """Convolution that starts at zero: the branch that it ends adds nothing yet."""
    return layers.Conv2D(
        filters, kernel, padding="same", kernel_initializer="zeros", name=name
    )(x)


SPEC = ModelSpec(
    name="klt_residual",
    build=build_klt_residual,
    paper="The zoo's own network, not published",
    licence="Apache-2.0, as the zoo's",
    fitted_start="residual",
)
