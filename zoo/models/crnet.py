"""CRNet: multi-resolution autoencoder."""

from __future__ import annotations

from zoo.keras_compat import Model, layers, leaky_relu
from zoo.layers.activations import EARLIER_CALL
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
from zoo.models.spec import ModelSpec, Variant, rows

HEADS = {"blank": (), "3x3": (3,), "dual3x3": (3, 3), "5x5": (5,), "7x7": (7,)}


def build_crnet(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    head: str = "5x5",
    slope: float = 0.3,
) -> CsiAutoencoder:
    """CRNet, the multi-resolution CSI feedback network.

    Lu, Wang, Song, "Multi-resolution CSI Feedback with Deep Learning in Massive MIMO
    System", IEEE ICC 2020, https://arxiv.org/abs/1910.14322.

    Encoder (UE), feature maps `[batch, 32, 32, channels]`::

        csi 2 +- 3x3 2 - LReLU - 1x9 2 - LReLU - 9x1 2 -+
              |                                         concat 4 - LReLU - 1x1 2
              +- 3x3 2 ---------------------------------+   - LReLU - FC M

    Decoder (BS)::

        FC 2048 - reshape - head 5x5 2 - LReLU - CRBlock - CRBlock - sigmoid

        CRBlock: x +- 3x3 7 - LReLU - 1x9 7 - LReLU - 9x1 7 -+
                   +- 1x5 7 - LReLU - 5x1 7 -----------------+ concat 14 - LReLU
                   +-------------------------------------------- + 1x1 2 - LReLU

    Every convolution is bias-free and batch-normalised.

    Published NMSE [dB], cosine schedule, 2500 epochs (Table I):

    | ratio | M | indoor | outdoor | params | MACs |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -26.99 | -12.71 | 2,102,838 | 5,122,048 |
    | 1/8 | 256 | -16.01 | -8.04 | 1,054,006 | 4,073,472 |
    | 1/16 | 128 | -11.35 | -5.44 | 529,590 | 3,549,184 |
    | 1/32 | 64 | -8.93 | -3.51 | 267,382 | 3,287,040 |
    | 1/64 | 32 | -6.49 | -2.22 | 136,278 | 3,155,968 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        head: decoder head convolution, one of `HEADS` (Table IV; the paper's is 5x5).
        slope: negative slope of every LeakyReLU (Table III; the paper's is 0.3).

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size, the head or the slope is not usable.

    Deviations: features are flattened channels-last (angle, delay, part), so published
    FC weights need a permutation; nothing else differs from the paper.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    if head not in HEADS:
        raise ValueError(f"head is {head!r}, expected one of {', '.join(HEADS)}")
    if not 0 <= slope < 1:
        raise ValueError(f"slope is {slope}, expected a value in [0, 1)")
    encoder = _encoder(shape, codeword_dim, slope)
    return connect(encoder, _decoder(shape, codeword_dim, head, slope))


def _encoder(csi_shape, codeword_dim: int, slope: float) -> Model:
    csi = csi_input(csi_shape)
    a = factorised_path(csi, 2, 9, slope, "path")
    b = conv_bn(csi, 2, (3, 3), "path_b")
    x = leaky_relu(slope)(layers.Concatenate(name="paths")([a, b]))
    x = leaky_relu(slope)(conv_bn(x, 2, (1, 1), "merge"))
    x = layers.Flatten(name="flatten")(x)
    codeword = pytorch_dense(x, codeword_dim, "codeword")
    return Model(csi, codeword, name="crnet_encoder")


def _decoder(csi_shape, codeword_dim: int, head: str, slope: float) -> Model:
    codeword = codeword_input(codeword_dim)
    x = pytorch_dense(codeword, flat_size(csi_shape), "expand")
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    for i, size in enumerate(HEADS[head]):
        x = leaky_relu(slope)(conv_bn(x, 2, (size, size), f"head{i + 1}"))
    for i in range(2):
        x = cr_block(x, 9, slope, f"block{i + 1}")
    return Model(codeword, csi_output(x), name="crnet_decoder")


def factorised_path(x, filters: int, length: int, slope: float, name: str):
    """3x3, 1 x length and length x 1 convolution, LeakyReLU between them.

    Args:
        x: `[batch, N_t, N_a, channels]`.
        filters: output channels of each convolution.
        length: long side of the second and third kernel.
        slope: negative slope.
        name: prefix of the layer names.

    Returns:
        `[batch, N_t, N_a, filters]`, not yet activated.
    """
    x = leaky_relu(slope)(conv_bn(x, filters, (3, 3), f"{name}_a1"))
    x = leaky_relu(slope)(conv_bn(x, filters, (1, length), f"{name}_a2"))
    return conv_bn(x, filters, (length, 1), f"{name}_a3")


def cr_block(x, length: int, slope: float, name: str):
    """Two-path residual block of the decoder (CRNet: length 9, CLNet: 3).

    Args:
        x: `[batch, N_t, N_a, 2]`.
        length: long side of the first path's factorised kernels.
        slope: negative slope.
        name: prefix of the layer names.

    Returns:
        `[batch, N_t, N_a, 2]`.
    """
    a = factorised_path(x, 7, length, slope, name)
    b = leaky_relu(slope)(conv_bn(x, 7, (1, 5), f"{name}_b1"))
    b = conv_bn(b, 7, (5, 1), f"{name}_b2")
    merged = layers.Concatenate(name=f"{name}_paths")([a, b])
    merged = leaky_relu(slope, f"{name}{EARLIER_CALL}")(merged)
    merged = conv_bn(merged, 2, (1, 1), f"{name}_merge")
    return leaky_relu(slope)(layers.Add(name=f"{name}_skip")([x, merged]))


# NMSE [dB] at 1/4 indoor by epochs (Table II); 2,500 and, at a constant rate, 1,000 are
# those of Table I.
COSINE = {100: -21.33, 500: -23.76, 1000: -25.17, 5000: -27.31}
CONST = {100: -18.94, 500: -17.55, 2500: -22.94, 5000: -21.89}
WARMUP = {"warmup_epochs": 30}  # also in few epochs
CONSTANT = {"schedule": "constant", "lr": 1e-3, "epochs": 1000}

SPEC = ModelSpec(
    name="crnet",
    build=build_crnet,
    paper="Lu, Wang, Song: Multi-resolution CSI Feedback with Deep Learning in "
    "Massive MIMO System, IEEE ICC 2020, https://arxiv.org/abs/1910.14322",
    licence="MIT",
    published=rows(
        [-26.99, -16.01, -11.35, -8.93, -6.49],
        [-12.71, -8.04, -5.44, -3.51, -2.22],
    ),
    variants={
        "const": Variant(
            {},
            rows(
                [-21.17, -13.79, -10.29, -8.58, -6.14],
                [-10.42, -7.67, -5.09, -3.19, -2.13],
            ),
            CONSTANT,
        ),
        **{
            f"{epochs} epochs": Variant({}, rows([value]), {"epochs": epochs, **WARMUP})
            for epochs, value in COSINE.items()
        },
        **{
            f"const {epochs} epochs": Variant(
                {}, rows([value]), {**CONSTANT, "epochs": epochs, **WARMUP}
            )
            for epochs, value in CONST.items()
        },
        # As the CLNet paper trained it, its Tables I and II.
        "retrained 1000 epochs": Variant(
            {},
            rows(
                [-24.10, -15.04, -10.52, -8.90, -6.23],
                [-12.57, -7.94, -5.36, -3.16, -2.19],
            ),
            {"epochs": 1000},
        ),
        "retrained 500 epochs": Variant(
            {},
            rows([-21.702, -13.037, -10.212, -8.443, -6.023]),
            {"epochs": 500, **WARMUP},
        ),
        "blank": Variant({"head": "blank"}, rows([-25.55], [-12.5])),
        "3x3": Variant({"head": "3x3"}, rows([-24.9], [-11.3])),
        "dual3x3": Variant({"head": "dual3x3"}, rows([-25.9], [-11.9])),
        "7x7": Variant({"head": "7x7"}, rows([-26.31], [-11.84])),
        "slope0.01": Variant({"slope": 0.01}, rows([-14.79], [-8.99])),
        "slope0.05": Variant({"slope": 0.05}, rows([-23.06], [-10.74])),
        "slope0.1": Variant({"slope": 0.1}, rows([-23.45], [-10.63])),
        "slope0.5": Variant({"slope": 0.5}, rows([-25.39], [-12.54])),
    },
)
