"""ACRNet: aggregated residual autoencoder of selectable decoder width."""

from __future__ import annotations

from zoo.keras_compat import PYTORCH_BN, Model, layers
from zoo.layers.activations import prelu
from zoo.layers.conv import conv_bn, pytorch_dense
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
    flat_size,
)
from zoo.models.spec import ModelSpec, Variant, rows

MAX_KAPPA = 20


def build_acrnet(
    csi_shape=(32, 32, 2), codeword_dim: int = 512, kappa: int = 1
) -> CsiAutoencoder:
    """ACRNet, whose decoder grows with an expansion factor: ACRNet-1x to -20x.

    Lu, Zhang, He, Wang, Song, "Binarized Aggregated Network with Quantization: Flexible
    Deep Learning Deployment for CSI Feedback in Massive MIMO Systems", IEEE
    Transactions on Wireless Communications 21(7), 2022,
    https://arxiv.org/abs/2105.00354.

    Feature maps `[batch, 32, 32, channels]`, w = 8 kappa::

        encoder (UE): csi 2 - 5x5 2 - PReLU - EBlock - EBlock - FC M
        decoder (BS): FC 2048 - reshape - 5x5 2 - PReLU - DBlock - DBlock - sigmoid

        EBlock: x +- 1x9 2 - PReLU - 9x1 2 -+
                  +-------------------------+ + - PReLU

        DBlock: x +- 1x9 w - PReLU - 7x7 w in w/2 groups - PReLU - 9x1 2 -+
                  +-------------------------------------------------------+ + - PReLU

    Every convolution is bias-free and batch-normalised; a PReLU learns one slope per
    channel, 0.3 at first.

    Published NMSE [dB], indoor/outdoor (Table I); parameters and MACs of 1x:

    | ratio | 1x | 10x | 20x | params | MACs |
    |---|---|---|---|---|---|
    | 1/4 | -27.16/-10.71 | -29.83/-13.61 | -32.02/-14.25 | 2,102,344 | 4,644,864 |
    | 1/8 | -15.34/-7.85 | -19.75/-9.22 | -20.78/-9.68 | 1,053,512 | 3,596,288 |
    | 1/16 | -10.36/-5.19 | -14.32/-6.30 | -15.05/-6.47 | 529,096 | 3,072,000 |
    | 1/32 | -8.60/-3.31 | -10.52/-3.83 | -10.77/-4.05 | 266,888 | 2,809,856 |
    | 1/64 | -6.51/-2.29 | -7.44/-2.61 | -7.78/-2.69 | 135,784 | 2,678,784 |

    MACs at 1/4: 10x 24,403,968, 20x 46,358,528; the encoder is always the same. At 1/4
    also 4x -28.58/-13.13, 8x -29.31/-13.45, 12x -30.28/-13.91, 16x -30.81/-14.16.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        kappa: expansion factor of the decoder, 1 to 20.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or `kappa` is not usable.

    Deviations: features are flattened channels-last, so published FC weights need a
    permutation; nothing else differs from the public code.
    """
    return aggregated_network("acrnet", csi_shape, codeword_dim, kappa, pytorch_dense)


def aggregated_network(
    network: str, csi_shape, codeword_dim: int, kappa: int, dense
) -> CsiAutoencoder:
    """ACRNet or BACRNet, which differ in their two fully connected layers.

    Args:
        network: prefix of the models' names.
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        kappa: expansion factor of the decoder, 1 to 20.
        dense: function (x, units, layer name) that adds a fully connected layer.

    Raises:
        ValueError: a size or `kappa` is not usable.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    if not isinstance(kappa, int) or not 1 <= kappa <= MAX_KAPPA:
        raise ValueError(f"kappa is {kappa!r}, expected an integer, 1 to {MAX_KAPPA}")
    encoder = _encoder(network, shape, codeword_dim, dense)
    return connect(encoder, _decoder(network, shape, codeword_dim, 8 * kappa, dense))


def _encoder(network: str, csi_shape, codeword_dim: int, dense) -> Model:
    csi = csi_input(csi_shape)
    x = _conv(csi, 2, (5, 5), "head")
    for i in range(2):
        name = f"block{i + 1}"
        y = _conv(x, 2, (1, 9), f"{name}_1")
        x = _residual(x, conv_bn(y, 2, (9, 1), f"{name}_2"), name)
    x = layers.Flatten(name="flatten")(x)
    codeword = dense(x, codeword_dim, "codeword")
    return Model(csi, codeword, name=f"{network}_encoder")


def _decoder(network: str, csi_shape, codeword_dim: int, width: int, dense) -> Model:
    codeword = codeword_input(codeword_dim)
    x = dense(codeword, flat_size(csi_shape), "expand")
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    x = _conv(x, 2, (5, 5), "head")
    for i in range(2):
        name = f"block{i + 1}"
        y = _conv(x, width, (1, 9), f"{name}_1")
        y = _grouped_conv(y, width, f"{name}_2")
        x = _residual(x, conv_bn(y, 2, (9, 1), f"{name}_3"), name)
    return Model(codeword, csi_output(x), name=f"{network}_decoder")


def _conv(x, filters: int, kernel: tuple[int, int], name: str):
    return prelu(f"{name}_prelu")(conv_bn(x, filters, kernel, name))


def _grouped_conv(x, width: int, name: str):
    """7x7 with two channels in and two out per group."""
    x = GroupedConv2D(width, (7, 7), groups=width // 2, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn", **PYTORCH_BN)(x)
    return prelu(f"{name}_prelu")(x)


def _residual(x, y, name: str):
    return prelu(f"{name}_prelu")(layers.Add(name=f"{name}_skip")([x, y]))


SPEC = ModelSpec(
    name="acrnet",
    build=build_acrnet,
    paper="Lu, Zhang, He, Wang, Song: Binarized Aggregated Network with "
    "Quantization: Flexible Deep Learning Deployment for CSI Feedback in "
    "Massive MIMO Systems, IEEE Transactions on Wireless Communications "
    "21(7), 2022, https://arxiv.org/abs/2105.00354",
    licence="MIT",
    published=rows(
        [-27.16, -15.34, -10.36, -8.60, -6.51],
        [-10.71, -7.85, -5.19, -3.31, -2.29],
    ),
    variants={
        "4x": Variant({"kappa": 4}, rows([-28.58], [-13.13])),
        "8x": Variant({"kappa": 8}, rows([-29.31], [-13.45])),
        "10x": Variant(
            {"kappa": 10},
            rows(
                [-29.83, -19.75, -14.32, -10.52, -7.44],
                [-13.61, -9.22, -6.30, -3.83, -2.61],
            ),
        ),
        "12x": Variant({"kappa": 12}, rows([-30.28], [-13.91])),
        "16x": Variant({"kappa": 16}, rows([-30.81], [-14.16])),
        "20x": Variant(
            {"kappa": 20},
            rows(
                [-32.02, -20.78, -15.05, -10.77, -7.78],
                [-14.25, -9.68, -6.47, -4.05, -2.69],
            ),
        ),
    },
)
