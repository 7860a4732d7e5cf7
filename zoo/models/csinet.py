"""CsiNet: the first learned CSI-feedback autoencoder."""

from __future__ import annotations

from zoo.keras_compat import KERAS_BN, Model, layers, leaky_relu
from zoo.layers.conv import conv_bn
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_count,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
    flat_size,
)
from zoo.models.spec import ModelSpec, rows

BN_AXES = {"channel": -1, "delay": 2}
SLOPE = 0.3


def build_csinet(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    bn: str = "channel",
    kernel: int = 3,
) -> CsiAutoencoder:
    """CsiNet, the convolutional autoencoder with RefineNet decoder.

    Wen, Shih, Jin, "Deep Learning for Massive MIMO CSI Feedback", IEEE Wireless
    Communications Letters 7(5), 2018, https://arxiv.org/abs/1712.08919.

    Feature maps `[batch, 32, 32, channels]`::

        encoder (UE): csi 2 - 3x3 2 - BN - LReLU - FC M
        decoder (BS): FC 2048 - reshape - RefineNet - RefineNet - 3x3 2 - sigmoid

        RefineNet: x + 3x3 8 - BN - LReLU - 3x3 16 - BN - LReLU - 3x3 2 - BN
                   +-----------------------------------------------------+ + - LReLU

    Convolutions have biases; LeakyReLU slope 0.3.

    Published NMSE [dB] (1/8 from later papers):

    | ratio | M | indoor | outdoor | params | MACs |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -17.36 | -8.75 | 2,103,116 | 5,414,912 |
    | 1/8 | 256 | -12.70 | -7.61 | 1,054,284 | 4,366,336 |
    | 1/16 | 128 | -8.65 | -4.51 | 529,868 | 3,842,048 |
    | 1/32 | 64 | -6.24 | -2.81 | 267,660 | 3,579,904 |
    | 1/64 | 32 | -5.84 | -1.93 | 136,556 | 3,448,832 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        bn: 'channel' normalises each channel as the paper means; 'delay' keeps one
            statistic per delay column as the authors' released weights do.
        kernel: length of the square convolutions; with 7, the CLLWCsiNet paper counts
            20.3M operations at 1/4.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size, `bn` or `kernel` is not usable.

    Deviations: features are flattened channels-last, so published FC weights need a
    permutation.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    check_count("kernel", kernel)
    conv = conv_options(bn)
    csi = csi_input(shape)
    x = leaky_relu(SLOPE)(conv_bn(csi, 2, (kernel, kernel), "encoder", **conv))
    x = layers.Flatten(name="flatten")(x)
    codeword = layers.Dense(codeword_dim, name="codeword")(x)
    encoder = Model(csi, codeword, name="csinet_encoder")
    decoder = csinet_decoder("csinet", shape, codeword_dim, conv, kernel)
    return connect(encoder, decoder)


def conv_options(bn: str) -> dict:
    """Options of `conv_bn` for CsiNet's convolutions.

    Args:
        bn: 'channel' or 'delay', the axis that owns the statistics.

    Raises:
        ValueError: neither of the two.
    """
    if bn not in BN_AXES:
        raise ValueError(f"bn is {bn!r}, expected one of {', '.join(BN_AXES)}")
    return {"use_bias": True, "batch_norm": KERAS_BN, "bn_axis": BN_AXES[bn]}


def csinet_decoder(
    network: str, csi_shape, codeword_dim: int, conv: dict, kernel: int = 3
) -> Model:
    """FC layer, two RefineNet blocks and the output convolution.

    Args:
        network: prefix of the model's name.
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        conv: options of `conv_bn`.
        kernel: length of the square convolutions.

    Returns:
        Codeword `[batch, M]` to `[batch, N_t, N_a, 2]` in [0, 1].
    """
    codeword = codeword_input(codeword_dim)
    x = layers.Dense(flat_size(csi_shape), name="expand")(codeword)
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    for i in range(2):
        x = refine_block(x, f"refine{i + 1}", kernel, **conv)
    x = layers.Conv2D(2, (kernel, kernel), padding="same", name="output_conv")(x)
    return Model(codeword, csi_output(x), name=f"{network}_decoder")


def refine_block(x, name: str, kernel: int = 3, **conv):
    """Residual block of the decoder (CsiNet, BCsiNet).

    Args:
        x: `[batch, N_t, N_a, 2]`.
        name: prefix of the layer names.
        kernel: length of the square convolutions.
        conv: options of `conv_bn`.

    Returns:
        `[batch, N_t, N_a, 2]`.
    """
    square = (kernel, kernel)
    y = leaky_relu(SLOPE)(conv_bn(x, 8, square, f"{name}_1", **conv))
    y = leaky_relu(SLOPE)(conv_bn(y, 16, square, f"{name}_2", **conv))
    y = conv_bn(y, 2, square, f"{name}_3", **conv)
    return leaky_relu(SLOPE)(layers.Add(name=f"{name}_skip")([x, y]))


SPEC = ModelSpec(
    name="csinet",
    build=build_csinet,
    paper="Wen, Shih, Jin: Deep Learning for Massive MIMO CSI Feedback, IEEE "
    "Wireless Communications Letters 7(5), 2018, "
    "https://arxiv.org/abs/1712.08919",
    licence="none stated",
    published=rows(
        [-17.36, -12.70, -8.65, -6.24, -5.84],
        [-8.75, -7.61, -4.51, -2.81, -1.93],
    ),
)
