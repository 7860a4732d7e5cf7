"""DS-NLCsiNet: CsiNet with non-local blocks and dense refinement."""

from __future__ import annotations

from zoo.keras_compat import KERAS_BN, Model, layers, leaky_relu
from zoo.layers.conv import conv_bn
from zoo.layers.non_local import NonLocalBlock
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
    flat_size,
)
from zoo.models.spec import ModelSpec, rows

SLOPE = 0.3
GROWTH = (12, 24)  # maps that the two inner convolutions of a dense block add


def build_ds_nlcsinet(csi_shape=(32, 32, 2), codeword_dim: int = 512) -> CsiAutoencoder:
    """DS-NLCsiNet, CsiNet with attention over all positions and dense RefineNets.

    Yu, Li, Wu, Bai, "DS-NLCsiNet: Exploiting Non-Local Neural Networks for Massive
    MIMO CSI Feedback", IEEE Communications Letters 24(12), 2020,
    https://doi.org/10.1109/LCOMM.2020.3019653.

    Feature maps `[batch, 32, 32, channels]`::

        encoder (UE): csi 2 - 3x3 2 - BN - LReLU - non-local - FC M
        decoder (BS): FC 2048 - reshape - non-local - dense - dense - 3x3 2 - sigmoid

        dense: x 2 +- 3x3 12 - BN - LReLU -+
                   +-----------------------+ concat 14 -+- 3x3 24 - BN - LReLU -+
                                                        +-----------------------+
               concat 38 - 3x3 2 - BN - + x - LReLU

    Convolutions have biases; LeakyReLU slope 0.3.

    Published NMSE [dB] outdoor; parameters (2.108M at 1/4, 1.059M at 1/8) and FLOPs
    (10.25M at 1/8) are known from comparisons in other papers:

    | ratio | M | outdoor | params published | params | MACs |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -12.09 | 2.108M | 2,107,894 | 11,272,192 |
    | 1/8 | 256 | -7.96 | 1.059M | 1,059,062 | 10,223,616 |
    | 1/16 | 128 | -4.98 | - | 534,646 | 9,699,328 |
    | 1/32 | 64 | -3.35 | - | 272,438 | 9,437,184 |
    | 1/64 | 32 | - | - | 141,334 | 9,306,112 |

    Indoor only about -17 dB at 1/8 is known, read from a figure.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size is not usable.

    Deviations: the layer list is not public, this is a reconstruction. Known are the
    CsiNet skeleton, non-local blocks of the embedded-Gaussian form and densely
    connected refinement. Chosen are one non-local block per side, with half the
    channels (one) inside and keys pooled 2 x 2, both as in the paper that introduced
    them; two dense blocks as CsiNet has two RefineNets; and 12 and 24 maps, CsiNet's
    ratio 1 : 2, in the size that fits the published parameters to their last digit and
    the FLOPs within 0.3 %. Features are flattened channels-last.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    return connect(_encoder(shape, codeword_dim), _decoder(shape, codeword_dim))


def _encoder(csi_shape, codeword_dim: int) -> Model:
    csi = csi_input(csi_shape)
    x = leaky_relu(SLOPE)(_conv(csi, 2, "encoder"))
    x = NonLocalBlock(1, name="non_local")(x)
    x = layers.Flatten(name="flatten")(x)
    codeword = layers.Dense(codeword_dim, name="codeword")(x)
    return Model(csi, codeword, name="ds_nlcsinet_encoder")


def _decoder(csi_shape, codeword_dim: int) -> Model:
    codeword = codeword_input(codeword_dim)
    x = layers.Dense(flat_size(csi_shape), name="expand")(codeword)
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    x = NonLocalBlock(1, name="non_local")(x)
    for i in range(2):
        x = _dense_block(x, f"dense{i + 1}")
    x = layers.Conv2D(2, (3, 3), padding="same", name="output_conv")(x)
    return Model(codeword, csi_output(x), name="ds_nlcsinet_decoder")


def _dense_block(x, name: str):
    """Residual block in which every convolution sees all maps before it."""
    maps = x
    for i, filters in enumerate(GROWTH):
        y = leaky_relu(SLOPE)(_conv(maps, filters, f"{name}_{i + 1}"))
        maps = layers.Concatenate(name=f"{name}_maps{i + 1}")([maps, y])
    y = _conv(maps, 2, f"{name}_{len(GROWTH) + 1}")
    return leaky_relu(SLOPE)(layers.Add(name=f"{name}_skip")([x, y]))


def _conv(x, filters: int, name: str):
    return conv_bn(x, filters, (3, 3), name, use_bias=True, batch_norm=KERAS_BN)


SPEC = ModelSpec(
    name="ds_nlcsinet",
    build=build_ds_nlcsinet,
    paper="Yu, Li, Wu, Bai: DS-NLCsiNet: Exploiting Non-Local Neural Networks for "
    "Massive MIMO CSI Feedback, IEEE Communications Letters 24(12), 2020, "
    "https://doi.org/10.1109/LCOMM.2020.3019653",
    licence="no public code",
    published=rows([], [-12.09, -7.96, -4.98, -3.35]),
)
