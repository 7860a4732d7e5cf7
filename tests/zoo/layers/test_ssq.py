"""Sum-of-sigmoids quantiser: the staircase, what is sent, its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import bitstream
from zoo.codeword.codeword_path import make_quantizer
from zoo.layers.ssq import SumOfSigmoidsQuantizer

RNG = np.random.default_rng(5)
CODEWORD = RNG.uniform(-0.8, 0.8, (300, 5)).astype(np.float32)


def _fitted(bits, **options):
    layer = SumOfSigmoidsQuantizer(bits, **options)
    layer.build((None, 5))
    layer.fit(CODEWORD)
    return layer


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_what_is_sent_is_hard_rounding(bits):
    layer = _fitted(bits)
    half = 2 ** (bits - 1)
    kappa = np.asarray(layer.kappa)
    level = np.clip(np.round(half * kappa * CODEWORD), -half, half - 1)
    np.testing.assert_array_equal(layer.indices(CODEWORD), level + half)
    np.testing.assert_allclose(layer(CODEWORD), level / (half * kappa), atol=1e-6)
    indices = np.asarray(layer.indices(CODEWORD))
    assert indices.min() >= 0 and indices.max() <= 2**bits - 1
    sent = bitstream.unpack(bitstream.pack(indices, bits), 5, bits)
    np.testing.assert_array_equal(layer.dequantize(sent), layer(CODEWORD))
    np.testing.assert_array_equal(layer.frozen().indices(CODEWORD), indices)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_staircase_against_the_sum(bits):
    layer = _fitted(bits, beta=11.0)
    half = 2 ** (bits - 1)
    kappa = np.asarray(layer.kappa, np.float64)
    x = (half * kappa * CODEWORD)[:, :, None]
    edges = np.arange(-half, half - 1) + 0.5
    assert len(edges) == 2**bits - 1
    total = (1 / (1 + np.exp(-11.0 * (x - edges)))).sum(-1) - half
    got = layer(CODEWORD, training=True)
    np.testing.assert_allclose(got, total / (half * kappa), atol=1e-4)


def test_staircase_is_the_rounding_away_from_its_edges():
    """At beta 25 a distance of 0.3 from an edge leaves exp(-7.5)."""
    layer = _fitted(4)
    x = 8 * np.asarray(layer.kappa) * CODEWORD
    clear = np.abs(x - np.round(x)) < 0.2
    smooth, hard = (
        np.asarray(layer(CODEWORD, training=True)),
        np.asarray(layer(CODEWORD)),
    )
    step = 1 / (8 * np.asarray(layer.kappa))
    assert (np.abs(smooth - hard) / step)[clear].max() < 2e-3


def test_gradients_by_finite_differences():
    layer = _fitted(3, beta=6.0)
    r, kappa = tf.Variable(CODEWORD[:4]), layer.kappa

    def total():
        return tf.reduce_sum(layer(r, training=True) ** 2)

    with tf.GradientTape() as tape:
        value = total()
    by_r, by_kappa = tape.gradient(value, [r, kappa])
    for variable, gradient in ((r, by_r), (kappa, by_kappa)):
        start = np.array(variable)
        flat, slopes = start.ravel(), []
        for i in range(5):
            ends = []
            for step in (1e-2, -1e-2):
                moved = flat.copy()
                moved[i] += step
                variable.assign(moved.reshape(start.shape))
                ends.append(float(total()))
            slopes.append((ends[0] - ends[1]) / 2e-2)
        variable.assign(start)
        np.testing.assert_allclose(np.ravel(gradient)[:5], slopes, rtol=0.05, atol=0.02)


def test_fit_and_options():
    layer = make_quantizer("ssq", 4, {"beta": 10.0})
    layer.build((None, 5))
    assert layer.needs_fit and layer.beta == 10.0
    layer.fit(CODEWORD)
    assert not layer.needs_fit
    assert np.asarray(layer.indices(CODEWORD)).max() == 15
    assert len(layer.agreed()["kappa"]) == 5
    again = SumOfSigmoidsQuantizer.from_config(layer.get_config())
    again.build((None, 5))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(CODEWORD), layer(CODEWORD))
    with pytest.raises(ValueError, match="bits is 11"):
        SumOfSigmoidsQuantizer(11)
