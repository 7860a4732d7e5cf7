"""CsiNet+: CsiNet with larger kernels and five refinement blocks."""

from __future__ import annotations

from zoo.keras_compat import KERAS_BN, Model, layers, leaky_relu
from zoo.layers.conv import conv_bn
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    flat_size,
)
from zoo.models.csinet import SLOPE
from zoo.models.spec import ModelSpec, rows

CODEWORDS = ("linear", "tanh")
BLOCKS = 5


def build_csinet_plus(
    csi_shape=(32, 32, 2), codeword_dim: int = 512, codeword: str = "linear"
) -> CsiAutoencoder:
    """CsiNet+, the autoencoder of the multiple-rate framework, for one rate.

    Guo, Wen, Jin, Li, "Convolutional Neural Network-Based Multiple-Rate Compressive
    Sensing for Massive MIMO CSI Feedback: Design, Simulation, and Analysis", IEEE
    Transactions on Wireless Communications 19(4), 2020,
    https://arxiv.org/abs/1906.06007.

    Feature maps `[batch, 32, 32, channels]`::

        encoder (UE): csi 2 - 7x7 2 - LReLU - 7x7 2 - LReLU - FC M
        decoder (BS): FC 2048 - reshape - 7x7 2 - sigmoid - block x 5 - ReLU

        block: x +- 7x7 8 - LReLU - 5x5 16 - LReLU - 3x3 2 - tanh -+
                 +-------------------------------------------------+ +

    Every convolution is bias-free and batch-normalised; LeakyReLU slope 0.3. The output
    has no upper bound: CSI in [0, 1] leaves as 0.5 plus what the blocks add.

    NMSE [dB] of the unquantised network as CLNet's authors print it (1/64: as obtained
    by the authors of FISTA-Net for CSI feedback):

    | ratio | M | indoor | outdoor | params | MACs |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -27.37 | -12.40 | 2,121,932 | 24,571,904 |
    | 1/8 | 256 | -18.29 | -8.72 | 1,073,100 | 23,523,328 |
    | 1/16 | 128 | -14.14 | -5.73 | 548,684 | 22,999,040 |
    | 1/32 | 64 | -10.43 | -3.40 | 286,476 | 22,736,896 |
    | 1/64 | 32 | -5.99 | -2.22 | 155,372 | 22,605,824 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        codeword: 'linear', or 'tanh' for a codeword in (-1, 1), which the paper's
            quantiser needs.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or `codeword` is not usable.

    Deviations: the authors' code is not public. Of two re-implementations, the one in
    Keras gives the single ReLU at the end (the other has one after each block) and the
    batch norm's constants; the published MACs fit convolutions without bias. Weights
    start Glorot-uniform as in CsiNet. Under mixed precision the sums of the skip
    connections stay float32. Quantiser and offset network are part of the codeword
    path, not of this network.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    if codeword not in CODEWORDS:
        raise ValueError(
            f"codeword is {codeword!r}, expected one of {', '.join(CODEWORDS)}"
        )
    csi = csi_input(shape)
    z = layers.Dense(codeword_dim, name="codeword")(front_end(csi))
    if codeword == "tanh":
        z = layers.Activation("tanh", dtype="float32", name="codeword_tanh")(z)
    encoder = Model(csi, z, name="csinet_plus_encoder")
    return connect(encoder, csinet_plus_decoder(shape, codeword_dim))


def front_end(csi):
    """Convolutions of the encoder: `[batch, N_t, N_a, 2]` to `[batch, 2 N_t N_a]`."""
    x = csi
    for i in range(2):
        x = leaky_relu(SLOPE)(_conv(x, 2, 7, f"encoder{i + 1}"))
    return layers.Flatten(name="flatten")(x)


def csinet_plus_decoder(csi_shape, codeword_dim: int, rate: str = "") -> Model:
    """Decoder of one rate.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        rate: prefix of the layer names and suffix of the model's, such as 'cr4'.

    Returns:
        Codeword `[batch, M]` to `[batch, N_t, N_a, 2]`, 0 and above.
    """
    prefix, suffix = (f"{rate}_", f"_{rate}") if rate else ("", "")
    codeword = codeword_input(codeword_dim)
    x = layers.Dense(flat_size(csi_shape), name=f"{prefix}expand")(codeword)
    x = layers.Reshape(csi_shape, name=f"{prefix}unflatten")(x)
    x = _conv(x, 2, 7, f"{prefix}head")
    x = layers.Activation("sigmoid", dtype="float32", name=f"{prefix}head_sigmoid")(x)
    for i in range(BLOCKS):
        x = _block(x, f"{prefix}block{i + 1}")
    csi_hat = layers.Activation("relu", dtype="float32", name=f"{prefix}csi_hat")(x)
    return Model(codeword, csi_hat, name=f"csinet_plus_decoder{suffix}")


def _block(x, name: str):
    y = leaky_relu(SLOPE)(_conv(x, 8, 7, f"{name}_1"))
    y = leaky_relu(SLOPE)(_conv(y, 16, 5, f"{name}_2"))
    y = layers.Activation("tanh", name=f"{name}_tanh")(_conv(y, 2, 3, f"{name}_3"))
    # The image itself runs along here: half floats would lose it around 0.5.
    return layers.Add(dtype="float32", name=f"{name}_skip")([x, y])


def _conv(x, filters: int, size: int, name: str):
    return conv_bn(x, filters, (size, size), name, batch_norm=KERAS_BN)


SPEC = ModelSpec(
    name="csinet_plus",
    build=build_csinet_plus,
    paper="Guo, Wen, Jin, Li: Convolutional Neural Network-Based Multiple-Rate "
    "Compressive Sensing for Massive MIMO CSI Feedback: Design, Simulation, and "
    "Analysis, IEEE Transactions on Wireless Communications 19(4), 2020, "
    "https://arxiv.org/abs/1906.06007",
    licence="none stated",
    published=rows(
        [-27.37, -18.29, -14.14, -10.43, -5.99],
        [-12.40, -8.72, -5.73, -3.40, -2.22],
    ),
)
