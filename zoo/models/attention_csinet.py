"""Attention-CsiNet: CsiNet with LSTM modules and attention over feature maps."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from zoo.keras_compat import KERAS_BN, Model, keras, layers, leaky_relu
from zoo.layers.attention import squeeze_excitation
from zoo.layers.conv import conv_bn
from zoo.layers.transformer import linear
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
    flat_size,
)
from zoo.models.spec import ModelSpec

SLOPE = 0.3
UNITS = 128
REDUCTION = 4


@keras.utils.register_keras_serializable(package="zoo")
class ResidualLSTM(layers.Layer):
    """LSTM over the rows of one example, projected back and added to its input.

    The arithmetic of Keras' LSTM (gates i, f, c, o; sigmoid and tanh; bias 1 of the
    forget gate; orthogonal recurrent kernel) followed by y = x + h W_out + b_out. It is
    a layer of its own, unrolled, because it then converts to TFLite's builtin
    operations and has the same weights in both Keras versions (Keras 3's LSTM adds the
    state of a random generator).

    Args:
        units: size of the state.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        """Create the weights for rows `[batch, T, d]`."""
        self.steps, width = tuple(input_shape)[1:]
        gates = 4 * self.units
        self.tensors = {
            name: self.add_weight(name=name, shape=shape, initializer=initializer)
            for name, shape, initializer in (
                ("kernel", (width, gates), "glorot_uniform"),
                ("recurrent_kernel", (self.units, gates), "orthogonal"),
                ("bias", (gates,), _forget_bias),
                ("output_kernel", (self.units, width), "glorot_uniform"),
                ("output_bias", (width,), "zeros"),
            )
        }
        super().build(input_shape)

    def call(self, x):
        """Add to `[batch, T, d]` what the LSTM makes of the rows so far."""
        w = self.tensors
        rows = tf.unstack(linear(x, w["kernel"], w["bias"]), axis=1)
        state = cell = tf.zeros_like(rows[0][:, : self.units])
        states = []
        for row in rows:
            gates = row + tf.matmul(state, w["recurrent_kernel"])
            i, f, c, o = tf.split(gates, 4, axis=-1)
            cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(c)
            state = tf.sigmoid(o) * tf.tanh(cell)
            states.append(state)
        y = tf.stack(states, axis=1)
        return x + linear(y, w["output_kernel"], w["output_bias"])

    def macs(self) -> int:
        """Multiply-accumulates of one example: every matrix once per row."""
        sizes = [math.prod(w.shape) for w in self.tensors.values() if len(w.shape) > 1]
        return self.steps * sum(sizes)

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units}


def _forget_bias(shape, dtype=None):
    """One for the forget gate, zero for the others."""
    return tf.constant(np.repeat([0, 1, 0, 0], shape[0] // 4), dtype)


def build_attention_csinet(
    csi_shape=(32, 32, 2), codeword_dim: int = 512
) -> CsiAutoencoder:
    """Attention-CsiNet, CsiNet with an LSTM at each FC layer and weighted maps.

    Cai, Dong, Niu, "Attention Model for Massive MIMO CSI Compression Feedback and
    Recovery", IEEE WCNC 2019.

    Rows are angles, `[batch, 32, 64]`; feature maps `[batch, 32, 32, channels]`::

        encoder (UE): csi 2 - 3x3 2 - BN - LReLU - rows +- LSTM 128 - 64 -+ + - FC M
                                                        +-----------------+
        decoder (BS): FC 2048 - rows +- LSTM 128 - 64 -+ + - RefineNet - RefineNet
                                     +-----------------+     - 3x3 2 - sigmoid

        RefineNet: x + 3x3 8 - BN - LReLU - SE - 3x3 16 - BN - LReLU - SE - 3x3 2 - BN
                   +-----------------------------------------------------------+ + LReLU

    SE is squeeze-excitation, with a quarter of the maps as hidden units. Convolutions
    have biases; LeakyReLU slope 0.3.

    NMSE [dB] and FLOPs published in CLNet's Table I (the FLOPs count FC layers twice):

    | ratio | M | indoor | outdoor | FLOPs | params | MACs |
    |---|---|---|---|---|---|---|
    | 1/4 | 512 | -20.29 | -10.43 | 24.72M | 2,317,580 | 12,230,976 |
    | 1/8 | 256 | - | - | 22.62M | 1,268,748 | 11,182,400 |
    | 1/16 | 128 | -10.16 | -6.11 | 21.58M | 744,332 | 10,658,112 |
    | 1/32 | 64 | -8.58 | -4.57 | 21.05M | 482,124 | 10,395,968 |
    | 1/64 | 32 | -6.32 | -3.27 | 20.79M | 351,020 | 10,264,896 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size is not usable.

    Deviations: layer sizes are not public and cannot be recovered, this is a
    reconstruction. Known are CsiNet's skeleton, LSTM modules at the FC layers and
    attention over the RefineNets' maps. The published FLOPs differ between ratios by
    the FC layers alone, so the LSTMs must not depend on M: here each runs beside a
    skip connection over the 32 angle rows, and its result, projected to the size of a
    row, is added before (UE) or after (BS) the FC layer. 128 units are the power of
    two for which two operations per MAC come nearest to the published FLOPs: 0.26M
    below them at every ratio (24.46M at 1/4). SE on both hidden layers and its
    reduction of 4 are chosen, too. Features are flattened channels-last.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    return connect(_encoder(shape, codeword_dim), _decoder(shape, codeword_dim))


def _encoder(csi_shape, codeword_dim: int) -> Model:
    csi = csi_input(csi_shape)
    x = leaky_relu(SLOPE)(_conv(csi, 2, "encoder"))
    x = layers.Reshape(_row_shape(csi_shape), name="rows")(x)
    x = ResidualLSTM(UNITS, name="lstm")(x)
    x = layers.Flatten(name="flatten")(x)
    codeword = layers.Dense(codeword_dim, name="codeword")(x)
    return Model(csi, codeword, name="attention_csinet_encoder")


def _decoder(csi_shape, codeword_dim: int) -> Model:
    codeword = codeword_input(codeword_dim)
    x = layers.Dense(flat_size(csi_shape), name="expand")(codeword)
    x = layers.Reshape(_row_shape(csi_shape), name="rows")(x)
    x = ResidualLSTM(UNITS, name="lstm")(x)
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    for i in range(2):
        x = _refine(x, f"refine{i + 1}")
    x = layers.Conv2D(2, (3, 3), padding="same", name="output_conv")(x)
    return Model(codeword, csi_output(x), name="attention_csinet_decoder")


def _refine(x, name: str):
    y = x
    for i, filters in enumerate((8, 16)):
        y = leaky_relu(SLOPE)(_conv(y, filters, f"{name}_{i + 1}"))
        y = squeeze_excitation(y, filters // REDUCTION, f"{name}_se{i + 1}")
    y = _conv(y, 2, f"{name}_3")
    return leaky_relu(SLOPE)(layers.Add(name=f"{name}_skip")([x, y]))


def _conv(x, filters: int, name: str):
    return conv_bn(x, filters, (3, 3), name, use_bias=True, batch_norm=KERAS_BN)


def _row_shape(csi_shape) -> tuple[int, int]:
    """(rows, values per row): one row per angle with all delays and both parts."""
    n_t, n_a, parts = csi_shape
    return n_t, n_a * parts


SPEC = ModelSpec(
    name="attention_csinet",
    build=build_attention_csinet,
    paper="Cai, Dong, Niu: Attention Model for Massive MIMO CSI Compression Feedback "
    "and Recovery, IEEE WCNC 2019",
    licence="no public code",
    published={
        "1/4": {"indoor": -20.29, "outdoor": -10.43},
        "1/16": {"indoor": -10.16, "outdoor": -6.11},
        "1/32": {"indoor": -8.58, "outdoor": -4.57},
        "1/64": {"indoor": -6.32, "outdoor": -3.27},
    },
    fitted_start="recurrent",
)
