"""Codeword quantisers against formulas; their gradient is straight-through."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import bitstream
from zoo.layers.quantizers import MuLawQuantizer, SignQuantizer, UniformQuantizer


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_mu_law_against_formula(bits):
    z, mu, levels = np.linspace(-1, 1, 2001), 50.0, 2**bits
    y = np.sign(z) * np.log(1 + mu * np.abs(z)) / np.log(1 + mu)
    index = np.clip(np.round(levels * (y + 1) / 2 - 0.5), 0, levels - 1)
    y_hat = 2 * (index + 0.5) / levels - 1
    z_hat = np.sign(y_hat) * ((1 + mu) ** np.abs(y_hat) - 1) / mu
    quantizer, z = MuLawQuantizer(bits), z.astype(np.float32)[None]
    different = np.asarray(quantizer.indices(z))[0] != index
    assert different.sum() <= 2  # float32 on the edge of a step
    recovered = np.asarray(quantizer(z))[0]
    np.testing.assert_allclose(recovered[~different], z_hat[~different], atol=1e-5)
    error = np.abs(recovered - z[0])
    if bits == 8:
        assert error[np.abs(z[0]) < 0.05].max() < 2.0 / levels / 4  # finer around zero


@pytest.mark.parametrize(
    ("bits", "points"), [(1, [1 / 4, 3 / 4]), (2, [1 / 8, 3 / 8, 5 / 8, 7 / 8])]
)
def test_uniform_quantiser_is_that_of_the_work_item(bits, points):
    """Nearest points in [0, 1], of entries in [-1, 1] and beyond."""
    z = np.random.default_rng(bits).uniform(-1.2, 1.2, (50, 40)).astype(np.float32)
    quantizer = UniformQuantizer(bits)
    index = np.abs((z[..., None] + 1) / 2 - points).argmin(axis=-1)
    np.testing.assert_array_equal(quantizer.indices(z), index)
    expected = np.array(points)[index]
    np.testing.assert_allclose((quantizer(z).numpy() + 1) / 2, expected, atol=1e-6)


def test_sign_quantiser():
    z = np.array([[-0.9, -1e-9, 0.0, 0.3]], np.float32)
    np.testing.assert_array_equal(SignQuantizer()(z), [[-1, -1, 1, 1]])
    with pytest.raises(ValueError, match="sends 1"):
        SignQuantizer(2)


@pytest.mark.parametrize("make", [UniformQuantizer, MuLawQuantizer, SignQuantizer])
def test_fixed_quantisers_are_straight_through_and_serialise(make):
    quantizer = make(1)
    z = tf.constant([[-0.8, 0.1, 0.7]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        out = tf.reduce_sum(quantizer(z) * [[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(tape.gradient(out, z), [[1, 2, 3]])
    again = type(quantizer).from_config(quantizer.get_config())
    np.testing.assert_array_equal(again(z), quantizer(z))
    indices = np.asarray(quantizer.indices(z))
    sent = bitstream.unpack(bitstream.pack(indices, 1), 3, 1)
    np.testing.assert_allclose(quantizer.dequantize(sent), quantizer(z), atol=1e-6)
