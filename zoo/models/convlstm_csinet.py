"""ConvLSTM-CsiNet: recurrent networks at both ends of the feedback of a sequence."""

from __future__ import annotations

from zoo.keras_compat import Model, layers
from zoo.layers.recurrent import LSTM, ConvLSTM
from zoo.layers.slots import SeparableConv3D, SlotDropout
from zoo.models.autoencoder import (
    CsiAutoencoder,
    codeword_input,
    connect,
    csi_input,
    csi_output,
    flat_size,
)
from zoo.models.sequence import (
    activate,
    batch_norm,
    check_sequence_sizes,
    slot_conv_bn,
)
from zoo.models.spec import ModelSpec

VARIANTS = ("3d", "a", "b", "c")


def build_convlstm_csinet(
    csi_shape=(4, 32, 32, 2),
    codeword_dim: int = 512,
    variant: str = "3d",
    dropout: float = 0.3,
) -> CsiAutoencoder:
    """ConvLSTM-CsiNet for sequences, with RecCsiNet's block around the codeword.

    Li, Wu, "Spatio-Temporal Representation with Deep Neural Recurrent Network in MIMO
    CSI Feedback", IEEE Wireless Communications Letters 9(5), 2020,
    https://arxiv.org/abs/1908.07934.

    Encoder (UE), feature maps `[batch, T, 32, 32, channels]`, codeword `[batch, T M]`::

        csi 2 - ConvLSTM 3x3 2 - BN - LReLU - features - flatten - FC-LSTM M

    Decoder (BS)::

        FC-LSTM 2048 - reshape - block - block - separable 3x3x3 2 - sigmoid

        FC-LSTM n: slots +- FC n - dropout -+ sum
                         +- LSTM n ---------+
        block: x + sep 3x3x3 8 - BN - LReLU - sep 16 - BN - LReLU - sep 2 - BN
               +------------------------------------------------------- + - LReLU

    Features by variant, S = 1x3x3 2 - BN - LReLU in space and the same with 3x1x1, Z,
    over slots::

        3d: 3x3x3 2                       a (serial):   x + Z(S(x))
        c (mixed): x + S(x) + Z(S(x))     b (parallel): x + S(x) + Z(x)

    Parameters with `3d`, for any T (no NMSE is listed here):

    | ratio | M | UE | BS |
    |---|---|---|---|
    | 1/4 | 512 | 6,294,426 | 22,032,308 |
    | 1/8 | 256 | 2,885,274 | 19,410,868 |
    | 1/16 | 128 | 1,377,306 | 18,100,148 |
    | 1/32 | 64 | 672,474 | 17,444,788 |
    | 1/64 | 32 | 332,346 | 17,117,108 |

    Args:
        csi_shape: (T, N_t, N_a, 2); T = 4 in the paper.
        codeword_dim: codeword length M of each slot.
        variant: features, one of `VARIANTS`.
        dropout: share of the FC outputs dropped in training.

    Returns:
        Encoder, decoder and autoencoder of whole sequences.

    Raises:
        ValueError: a size, the variant or the dropout is not usable.

    Deviations: real and imaginary part of an entry are the two channels of a pixel; the
    public code reshapes channels-first rows, so that its pixels hold neighbouring
    delays. Each variant has the same order of convolution, BN and LReLU and the skip of
    pseudo-3D residual blocks (Qiu, Yao, Mei, ICCV 2017); in the public code the order
    differs between files. Gates use the logistic function, the separable convolution
    has one bias, features are flattened channels-last.
    """
    shape = check_sequence_sizes(csi_shape, codeword_dim)
    if variant not in VARIANTS:
        raise ValueError(
            f"variant is {variant!r}, expected one of {', '.join(VARIANTS)}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}, expected a value in [0, 1)")
    encoder = _encoder(shape, codeword_dim, variant, dropout)
    return connect(encoder, _decoder(shape, codeword_dim, dropout))


def _encoder(csi_shape, codeword_dim: int, variant: str, dropout: float) -> Model:
    csi = csi_input(csi_shape)
    x = ConvLSTM(2, (3, 3), name="recurrent")(csi)
    x = features(activate(batch_norm(x, "recurrent")), variant)
    x = layers.Reshape((csi_shape[0], -1), name="flatten")(x)
    x = _fc_lstm(x, codeword_dim, dropout, "compress")
    codeword = layers.Flatten(name="codeword")(x)
    return Model(csi, codeword, name="convlstm_csinet_encoder")


def _decoder(csi_shape, codeword_dim: int, dropout: float) -> Model:
    slots = csi_shape[0]
    codeword = codeword_input(slots * codeword_dim)
    x = layers.Reshape((slots, codeword_dim), name="codewords")(codeword)
    x = _fc_lstm(x, flat_size(csi_shape[1:]), dropout, "expand")
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    for i in range(2):
        block, y = f"block{i + 1}", x
        for j, filters in enumerate((8, 16, 2)):
            y = activate(y) if j else y
            y = SeparableConv3D(filters, name=f"{block}_{j + 1}_conv")(y)
            y = batch_norm(y, f"{block}_{j + 1}")
        x = activate(layers.Add(name=f"{block}_skip")([x, y]))
    x = SeparableConv3D(2, name="output_conv")(x)
    return Model(codeword, csi_output(x), name="convlstm_csinet_decoder")


def _fc_lstm(x, units: int, dropout: float, name: str):
    """FC with dropout plus LSTM: `[batch, T, n]` to `[batch, T, units]`."""
    fc = layers.Dense(units, name=f"{name}_fc")(x)
    fc = SlotDropout(dropout, name=f"{name}_dropout")(fc)
    recurrent = LSTM(units, name=f"{name}_lstm")(x)
    return layers.Add(name=f"{name}_sum")([fc, recurrent])


def features(x, variant: str):
    """Three-dimensional convolution, or a pseudo-3D block in its place.

    Args:
        x: `[batch, T, N_t, N_a, 2]`.
        variant: one of `VARIANTS`.

    Returns:
        `[batch, T, N_t, N_a, 2]`.
    """
    if variant == "3d":
        return layers.Conv3D(2, (3, 3, 3), padding="same", name="features_conv")(x)
    space = activate(slot_conv_bn(x, 2, (1, 3, 3), "space"))
    time = activate(slot_conv_bn(x if variant == "b" else space, 2, (3, 1, 1), "time"))
    terms = [x, time] if variant == "a" else [x, space, time]
    return layers.Add(name="features")(terms)


SPEC = ModelSpec(
    name="convlstm_csinet",
    build=build_convlstm_csinet,
    paper="Li, Wu: Spatio-Temporal Representation with Deep Neural Recurrent Network "
    "in MIMO CSI Feedback, IEEE Wireless Communications Letters 9(5), 2020, "
    "https://arxiv.org/abs/1908.07934",
    licence="none stated",
    csi_shape=(4, 32, 32, 2),
    fitted_start="",
)
