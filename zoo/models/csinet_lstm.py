"""CsiNet-LSTM: CsiNet for the slots of a sequence, refined by a recurrent network."""

from __future__ import annotations

from zoo.keras_compat import Model, layers
from zoo.layers.recurrent import LSTM
from zoo.layers.slots import SlotRange
from zoo.models.autoencoder import (
    CsiAutoencoder,
    codeword_input,
    connect,
    csi_input,
    flat_size,
)
from zoo.models.sequence import activate, check_sequence_sizes, slot_conv_bn
from zoo.models.spec import ModelSpec


def build_csinet_lstm(
    csi_shape=(10, 32, 32, 2),
    codeword_dim: int = 128,
    first_dim: int = 512,
    lstm_units: int = 0,
) -> CsiAutoencoder:
    """CsiNet-LSTM, one long codeword for the first slot and short ones after it.

    Wang, Wen, Jin, Li, "Deep Learning-based CSI Feedback Approach for Time-varying
    Massive MIMO Channels", IEEE Wireless Communications Letters 8(2), 2019,
    https://arxiv.org/abs/1807.11673.

    Encoder (UE), `[batch, T, 32, 32, 2]` to `[batch, M1 + (T - 1) M2]`::

        slot 1:      3x3 2 - BN - LReLU - FC M1 -+
        slots 2..T:  3x3 2 - BN - LReLU - FC M2 -+ concat

    Decoder (BS), s1 and st the slots' codewords::

        slot 1:      s1       - FC 2048 - RefineNet - RefineNet -+
        slots 2..T:  [s1, st] - FC 2048 - RefineNet - RefineNet -+ concat over slots

        [batch, T, 2048] - LSTM 2048 - LSTM 2048 - LSTM 2048 - (1 + .) / 2

    Slots 2 to T share their weights; RefineNet as in CsiNet. The paper trains the
    CsiNets alone first, then all together.

    Parameters at T = 10, M1 = 512 (no NMSE is listed here):

    | M2 | UE | BS |
    |---|---|---|
    | 128 | 1,311,444 | 103,057,912 |
    | 64 | 1,180,308 | 102,926,840 |
    | 32 | 1,114,740 | 102,861,304 |

    Args:
        csi_shape: (T, N_t, N_a, 2).
        codeword_dim: codeword length M2 of each later slot.
        first_dim: codeword length M1 of the first slot.
        lstm_units: units of the first two LSTM layers; 0 for the paper's 2 N_t N_a,
            which the last layer always has.

    Returns:
        Encoder, decoder and autoencoder of whole sequences.

    Raises:
        ValueError: a size is not usable.

    Deviations: slot 1 has its own FC and RefineNets, and no RefineNet stack has
    CsiNet's output convolution and sigmoid, since the LSTM follows (the sources name
    neither). The last LSTM's output in (-1, 1) is mapped to (0, 1), so that a state
    of zero is a channel of zero. M2 defaults to 128, a quarter of M1. Features are
    flattened channels-last.
    """
    shape = check_sequence_sizes(csi_shape, codeword_dim)
    if not isinstance(first_dim, int) or first_dim < 1:
        raise ValueError(
            f"first_dim is {first_dim!r}, expected a positive integer such as 512"
        )
    units = lstm_units or flat_size(shape[1:])
    if not isinstance(units, int) or units < 1:
        raise ValueError(
            f"lstm_units is {lstm_units!r}, expected a positive integer, or 0 for "
            "2 N_t N_a"
        )
    encoder = _encoder(shape, codeword_dim, first_dim)
    return connect(encoder, _decoder(shape, codeword_dim, first_dim, units))


def _encoder(csi_shape, codeword_dim: int, first_dim: int) -> Model:
    csi = csi_input(csi_shape)
    codewords = []
    for name, start, stop, units in (
        ("first", 0, 1, first_dim),
        ("later", 1, csi_shape[0], codeword_dim),
    ):
        x = SlotRange(start, stop, name=f"{name}_slots")(csi)
        x = activate(slot_conv_bn(x, 2, (1, 3, 3), name))
        x = layers.Reshape((stop - start, -1), name=f"{name}_flatten")(x)
        x = layers.Dense(units, name=f"{name}_codeword")(x)
        codewords.append(layers.Flatten(name=f"{name}_entries")(x))
    codeword = layers.Concatenate(name="codeword")(codewords)
    return Model(csi, codeword, name="csinet_lstm_encoder")


def _decoder(csi_shape, codeword_dim: int, first_dim: int, lstm_units: int) -> Model:
    slots, size = csi_shape[0], flat_size(csi_shape[1:])
    length = first_dim + (slots - 1) * codeword_dim
    codeword = codeword_input(length)
    first = SlotRange(0, first_dim, name="first")(codeword)
    later = SlotRange(first_dim, length, name="later")(codeword)
    later = layers.Reshape((slots - 1, codeword_dim), name="later_codewords")(later)
    again = layers.RepeatVector(slots - 1, name="first_repeated")(first)
    later = layers.Concatenate(name="first_and_later")([again, later])
    first = layers.Reshape((1, first_dim), name="first_codeword")(first)
    estimates = [
        _estimate(first, csi_shape, "first"),
        _estimate(later, csi_shape, "later"),
    ]
    x = layers.Concatenate(axis=1, name="estimates")(estimates)
    x = layers.Reshape((slots, size), name="flatten")(x)
    for i, units in enumerate((lstm_units, lstm_units, size)):
        x = LSTM(units, name=f"lstm{i + 1}")(x)
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    csi_hat = layers.Rescaling(0.5, 0.5, dtype="float32", name="csi_hat")(x)
    return Model(codeword, csi_hat, name="csinet_lstm_decoder")


def _estimate(codewords, csi_shape, name: str):
    """FC and two RefineNets: `[batch, n, M]` to `[batch, n, N_t, N_a, 2]`."""
    slots = codewords.shape[1]
    x = layers.Dense(flat_size(csi_shape[1:]), name=f"{name}_expand")(codewords)
    x = layers.Reshape((slots, *csi_shape[1:]), name=f"{name}_unflatten")(x)
    for i in range(2):
        block, y = f"{name}_refine{i + 1}", x
        y = activate(slot_conv_bn(y, 8, (1, 3, 3), f"{block}_1"))
        y = activate(slot_conv_bn(y, 16, (1, 3, 3), f"{block}_2"))
        y = slot_conv_bn(y, 2, (1, 3, 3), f"{block}_3")
        x = activate(layers.Add(name=f"{block}_skip")([x, y]))
    return x


SPEC = ModelSpec(
    name="csinet_lstm",
    build=build_csinet_lstm,
    paper="Wang, Wen, Jin, Li: Deep Learning-based CSI Feedback Approach for "
    "Time-varying Massive MIMO Channels, IEEE Wireless Communications Letters 8(2), "
    "2019, https://arxiv.org/abs/1807.11673",
    licence="none stated",
    codeword_dims=(128, 64, 32),  # of the later slots, well below the first's 512
    csi_shape=(10, 32, 32, 2),
    fitted_start="",
)
