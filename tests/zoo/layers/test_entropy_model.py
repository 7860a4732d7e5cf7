"""Learned symbol model against formulas and an arithmetic coder."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from zoo.keras_compat import keras
from zoo.layers.entropy_model import EntropyBottleneck

RNG = np.random.default_rng(0)


def _bottleneck(channels=3, length=6, rate_weight=0.5, scale=0.5):
    """Layer with random densities."""
    layer = EntropyBottleneck(channels, rate_weight)
    layer.build((None, length))
    for w in layer.weights:
        w.assign(np.asarray(w) + scale * RNG.standard_normal(w.shape))
    return layer


def _cumulative(layer, x, channel):
    """C of one channel at a number, float64, unit by unit."""
    weights = [np.asarray(w, np.float64)[channel] for w in layer.weights]
    values, k = [float(x)], 0
    for last in (False, False, False, True):
        matrix, bias = np.log1p(np.exp(weights[k])), weights[k + 1]
        values = [
            sum(m * v for m, v in zip(row, values, strict=True)) + b[0]
            for row, b in zip(matrix, bias, strict=True)
        ]
        k += 2
        if not last:
            factor = np.tanh(weights[k])[:, 0]
            values = [v + a * math.tanh(v) for v, a in zip(values, factor, strict=True)]
            k += 1
    return 1 / (1 + math.exp(-values[0]))


def _bits(layer, values):
    """-log2(C(v + 1/2) - C(v - 1/2)) of each entry of `[batch, M]`."""
    bits = np.zeros(values.shape)
    for (n, m), v in np.ndenumerate(values):
        c = m % layer.channels
        share = _cumulative(layer, v + 0.5, c) - _cumulative(layer, v - 0.5, c)
        bits[n, m] = -math.log2(share)
    return bits


def test_rounding_and_bits():
    layer = _bottleneck()
    codeword = (3 * RNG.standard_normal((4, 6))).astype(np.float32)
    rounded = np.round(codeword)
    np.testing.assert_array_equal(layer(codeword), rounded)
    symbols = np.asarray(layer.symbols(codeword))
    assert symbols.dtype == np.int32 and (symbols == rounded).all()
    expected = _bits(layer, rounded).sum(axis=1)
    np.testing.assert_allclose(layer.bits(codeword), expected, rtol=1e-4)


def test_training_adds_noise_and_rate():
    layer = _bottleneck(channels=2, length=40, rate_weight=0.25)
    codeword = tf.constant(RNG.standard_normal((5, 40)), tf.float32)
    noise = RNG.uniform(-0.5, 0.5, (5, 40)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(codeword)
        noisy, rate = layer.with_noise(codeword, noise)
        total = tf.reduce_sum(noisy) + tf.reduce_sum(rate)
    np.testing.assert_array_equal(noisy, codeword + noise)
    expected = 0.25 * _bits(layer, np.asarray(noisy, np.float64)).mean(axis=1)
    np.testing.assert_allclose(rate, expected, rtol=1e-4)
    gradients = tape.gradient(total, [codeword, *layer.trainable_weights])
    # The noise passes gradients unchanged; the rate adds a little.
    assert 0 < np.abs(gradients[0] - 1).max() < 0.1
    assert all(np.abs(g).max() > 0 for g in gradients[1:])


def test_probabilities_sum_to_one_and_tails_are_finite():
    layer = _bottleneck(channels=2, length=2)
    values = np.arange(-400, 401, dtype=np.float32)[:, None].repeat(2, axis=1)
    share = 2.0 ** -np.asarray(layer._code_length(values), np.float64)
    np.testing.assert_allclose(share.sum(axis=0), 1, atol=1e-4)
    far = tf.constant([[-1e4, 1e4]])
    with tf.GradientTape() as tape:
        tape.watch(far)
        bits = layer.bits(far) + tf.reduce_sum(layer._code_length(far))
    gradient = np.asarray(tape.gradient(bits, far))
    assert np.isfinite(bits).all() and np.isfinite(gradient).all()
    assert gradient[0, 0] < 0 < gradient[0, 1]  # outliers are drawn in


def test_density_learns_the_entropy():
    """Code length of rounded Gaussians comes down to their entropy."""
    tf.random.set_seed(0)
    layer = EntropyBottleneck(1, 1.0)
    layer.build((None, 1))
    z = tf.constant(1 + 2 * RNG.standard_normal((4000, 1)), tf.float32)
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build(layer.trainable_weights)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            noise = tf.random.uniform(z.shape, -0.5, 0.5)
            loss = tf.reduce_mean(layer.with_noise(z, noise)[1])
        gradients = tape.gradient(loss, layer.trainable_weights)
        optimizer.apply_gradients(zip(gradients, layer.trainable_weights, strict=True))

    before = float(tf.reduce_mean(layer.bits(z)))
    for _ in range(300):
        step()
    _, counts = np.unique(np.round(z), return_counts=True)
    entropy = -np.sum(counts / 4000 * np.log2(counts / 4000))
    after = float(tf.reduce_mean(layer.bits(z)))
    assert before > entropy + 0.3
    assert entropy <= after < entropy + 0.05


def _encode(symbols, tables, total):
    """Shortest dyadic number in the arithmetic coder's interval: its bits."""
    low, width = Fraction(0), Fraction(1)
    for symbol, table in zip(symbols, tables, strict=True):
        low += width * Fraction(int(table[symbol]), total)
        width *= Fraction(int(table[symbol + 1] - table[symbol]), total)
    bits = 0
    while Fraction(math.ceil(low * 2**bits) + 1, 2**bits) > low + width:
        bits += 1
    return math.ceil(low * 2**bits), bits


def _decode(number, bits, tables, total):
    point, symbols = Fraction(number, 2**bits), []
    for table in tables:
        symbol = int(np.searchsorted(table, math.floor(point * total), "right")) - 1
        share = Fraction(int(table[symbol + 1] - table[symbol]), total)
        point = (point - Fraction(int(table[symbol]), total)) / share
        symbols.append(symbol)
    return symbols


def test_tables_drive_an_arithmetic_coder():
    layer = _bottleneck(channels=3, length=30, scale=0.3)
    low, high = -40, 40
    cdf = layer.cdf(low, high, 2**16)
    assert cdf.shape == (3, 82) and cdf.dtype == np.int64
    assert (cdf[:, 0] == 0).all() and (cdf[:, -1] == 2**16).all()
    assert (np.diff(cdf, axis=1) > 0).all()
    codeword = (3 * RNG.standard_normal((1, 30))).astype(np.float32)
    symbols = np.asarray(layer.symbols(codeword))[0] - low
    tables = [cdf[m % 3] for m in range(30)]
    number, bits = _encode(symbols, tables, 2**16)
    assert _decode(number, bits, tables, 2**16) == list(symbols)
    ideal = float(layer.bits(codeword)[0])
    assert ideal - 1 < bits < 1.01 * ideal + 2
    assert (layer.cdf(5, 5, 2**16) == [0, 2**16]).all()
    for empty in ((1, 0), (0, 2**16)):
        with pytest.raises(ValueError, match="expected 1 to 65536 symbols"):
            layer.cdf(*empty, 2**16)


def test_refused_length():
    with pytest.raises(ValueError, match="multiple of the channels"):
        EntropyBottleneck(4, 1.0).build((None, 6))
