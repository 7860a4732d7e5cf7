"""Layers over time slots against formulas written out in NumPy and Keras' own."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import randomise
from zoo.keras_compat import Model, keras, layers
from zoo.layers.recurrent import LSTM, ConvLSTM
from zoo.layers.slots import SeparableConv3D, SlotDropout, SlotRange

RNG = np.random.default_rng(0)
SHAPE = (3, 6, 8, 2)  # slots, angle, delay, parts
LAYERS = {
    "lstm": lambda x: LSTM(4)(layers.Reshape((3, -1))(x)),
    "conv_lstm": lambda x: ConvLSTM(3, (3, 5))(x),
    "separable": lambda x: SeparableConv3D(5, (3, 5, 3))(x),
    "range": lambda x: SlotRange(1, 3)(SlotDropout(0.3)(x)),
}


def _layer_model(name):
    x = keras.Input(SHAPE)
    return Model(x, LAYERS[name](x))


def random_input(batch=2, shape=SHAPE):
    return RNG.random((batch, *shape), np.float32)


def convolve(x, kernel):
    """Same-padded `[n, T, N_t, N_a, c]` by `[t, rows, cols, c, f]`, tap by tap."""
    size = kernel.shape[:3]
    padded = np.pad(x, [(0, 0), *[(k // 2,) * 2 for k in size], (0, 0)])
    out = np.zeros((*x.shape[:4], kernel.shape[4]))
    for tap in np.ndindex(size):
        window = [slice(i, i + n) for i, n in zip(tap, x.shape[1:4], strict=True)]
        out += padded[(slice(None), *window)] @ kernel[tap]
    return out


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def leaky(x):
    return np.where(x > 0, x, 0.3 * x)


def recur(gates, recurrent):
    """The LSTM equations with zero initial state."""
    i, f, g, o = (slice(k, None, 4) for k in range(4))
    gates = gates.reshape(*gates.shape[:-1], 4, -1).swapaxes(-1, -2)
    gates = gates.reshape(*gates.shape[:-2], -1)  # gate is now the fastest index
    h = c = np.zeros((*gates[:, 0].shape[:-1], gates.shape[-1] // 4))
    states = []
    for t in range(gates.shape[1]):
        more = recurrent(h)
        more = more.reshape(*more.shape[:-1], 4, -1).swapaxes(-1, -2)
        z = gates[:, t] + more.reshape(gates[:, t].shape)
        c = _sigmoid(z[..., f]) * c + _sigmoid(z[..., i]) * np.tanh(z[..., g])
        h = _sigmoid(z[..., o]) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


def test_lstm():
    """Written out, and Keras' layer with the same weights."""
    model, x = _layer_model("lstm"), random_input()
    kernel, recurrent, bias = randomise(model, RNG, 0.4).values()
    flat = x.reshape(2, 3, -1)
    expected = recur(flat @ kernel + bias, lambda h: h @ recurrent)
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    theirs = layers.LSTM(4, return_sequences=True)
    theirs.build(flat.shape)
    theirs.set_weights([kernel, recurrent, bias])
    np.testing.assert_allclose(model(x), theirs(flat), atol=1e-5)
    assert model.layers[-1].macs() == 3 * 96 * 16 + 2 * 4 * 16


def test_conv_lstm():
    """Written out, and Keras' layer with the same weights."""
    model, x = _layer_model("conv_lstm"), random_input()
    kernel, recurrent, bias = randomise(model, RNG, 0.4).values()
    gates = convolve(x, kernel[None]) + bias
    expected = recur(gates, lambda h: convolve(h[:, None], recurrent[None])[:, 0])
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    theirs = layers.ConvLSTM2D(
        3,
        (3, 5),
        padding="same",
        return_sequences=True,
        recurrent_activation="sigmoid",
    )
    theirs.build(x.shape)
    theirs.set_weights([kernel, recurrent, bias])
    np.testing.assert_allclose(model(x), theirs(x), atol=1e-5)
    assert model.layers[-1].macs() == 48 * 15 * 12 * (3 * 2 + 2 * 3)


@pytest.mark.parametrize("name", ["lstm", "conv_lstm"])
def test_recurrent_initialisation(name):
    """Orthogonal recurrent kernel and a forget gate that starts open."""
    kernel, recurrent, bias = _layer_model(name).layers[-1].get_weights()
    n = len(bias) // 4
    np.testing.assert_array_equal(bias, [0] * n + [1] * n + [0] * 2 * n)
    recurrent = recurrent.reshape(-1, 4 * n)
    square = min(recurrent.shape)
    gram = recurrent @ recurrent.T if square < 4 * n else recurrent.T @ recurrent
    np.testing.assert_allclose(gram, np.eye(square), atol=1e-5)
    assert kernel.std() > 0


def test_separable_convolution():
    """A filter per channel written out, then the pointwise sum; the gradient."""
    model, x = _layer_model("separable"), random_input()
    depthwise, pointwise, bias = randomise(model, RNG, 0.4).values()
    maps = [convolve(x[..., [c]], depthwise[..., [c], None]) for c in range(2)]
    expected = np.concatenate(maps, axis=-1) @ pointwise + bias
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x))
    gradient = tape.gradient(loss, model.trainable_weights)[0]
    # Tap (0, 2, 1) sees all slots but the last, and everything else.
    expected = x[:, :-1].sum(axis=(0, 1, 2, 3)) * pointwise.sum(axis=1)
    np.testing.assert_allclose(gradient[0, 2, 1], expected, rtol=1e-4)
    assert model.layers[-1].macs() == 3 * 48 * (45 * 2 + 2 * 5)


def test_slot_range():
    x = random_input()
    np.testing.assert_array_equal(_layer_model("range")(x), x[:, 1:])


def test_dropout():
    tf.random.set_seed(0)
    dropout, x = SlotDropout(0.3), np.ones((100, 100), np.float32)
    np.testing.assert_array_equal(dropout(x), x)
    dropped = np.asarray(dropout(x, training=True))
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs(np.mean(dropped == 0) - 0.3) < 0.02
