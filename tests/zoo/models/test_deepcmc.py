"""DeepCMC: wiring, counts, training and export."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import (
    assert_gradients,
    assert_reloads,
    in_bfloat16,
    outputs_on_tf_keras,
    randomise,
)
from zoo.keras_compat import Model
from zoo.metrics import complexity
from zoo.models.deepcmc import build_deepcmc

RNG = np.random.default_rng(0)
BUILDS = {
    "deepcmc": lambda: build_deepcmc((16, 16, 2), 6, filters=4),
    "deepcmc_cut": lambda: build_deepcmc((16, 24, 2), 6, filters=4),
}


def _convolve(x, kernel, stride):
    """TensorFlow's `same`: one zero fewer before than after where they differ."""
    size, n = kernel.shape[0], x.shape[1]
    out = -(-n // stride)
    zeros = max((out - 1) * stride + size - n, 0)
    x = np.pad(x, [(0, 0), *[(zeros // 2, zeros - zeros // 2)] * 2, (0, 0)])
    result = np.zeros((len(x), out, out, kernel.shape[3]))
    for i, j in np.ndindex(out, out):
        window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
        result[:, i, j] = np.tensordot(window, kernel, axes=3)
    return result


def test_encoder_against_numpy():
    encoder = build_deepcmc((32, 32, 2), 8, filters=3).encoder
    w = randomise(encoder, RNG, 0.2)
    csi = RNG.random((1, 32, 32, 2), np.float32)
    x = 2 * csi - 1
    for i, stride in enumerate((4, 2, 2), 1):
        for name, step in ((f"stage{i}", 1), (f"down{i}", stride)):
            x = _convolve(x, w[f"{name}_conv/kernel"], step) + w[f"{name}_conv/bias"]
        mean, variance = (w[f"down{i}_bn/moving_{k}"] for k in ("mean", "variance"))
        x = w[f"down{i}_bn/gamma"] * (x - mean) / np.sqrt(variance + 1e-5)
        x = x + w[f"down{i}_bn/beta"]
        x = np.where(x > 0, x, 0.1 * x)
    assert x.shape == (1, 2, 2, 2)
    np.testing.assert_allclose(encoder(csi), x.reshape(1, -1), atol=1e-4)


def test_long_skip_goes_around_both_residuals():
    decoder = BUILDS["deepcmc"]().decoder
    names = ("residual1_skip", "residual2_skip", "long_skip")
    inner = Model(decoder.input, [decoder.get_layer(n).output for n in names])
    codeword = RNG.standard_normal((1, 6)).astype(np.float32)
    first, second, total = map(np.asarray, inner(codeword))
    for i in (1, 2):  # switch the residuals off: LeakyReLU(0) remains
        decoder.get_layer(f"residual{i}_2_bn").gamma.assign(np.zeros(4))
    start, same, double = map(np.asarray, inner(codeword))
    np.testing.assert_array_equal(start, same)
    np.testing.assert_allclose(double, 2 * start, rtol=1e-6)
    np.testing.assert_allclose(total, start + second, rtol=1e-5)
    assert np.abs(first - start).max() > 1e-3 < np.abs(second - first).max()


@pytest.mark.parametrize("name", BUILDS)
def test_network(name, tmp_path):
    model = BUILDS[name]()
    csi = RNG.random((3, *model.encoder.input.shape[1:]), np.float32)
    randomise(model.encoder, RNG, 0.2)
    randomise(model.decoder, RNG, 0.2)
    out = np.asarray(model.autoencoder(csi))
    assert out.shape == csi.shape and out.min() >= 0 and out.max() <= 1
    codeword = model.encoder(csi)
    assert codeword.shape == (3, 6)
    np.testing.assert_allclose(model.decoder(np.round(codeword)), out, atol=1e-6)
    np.testing.assert_allclose(model.receive(model.transmit(csi)), out, atol=1e-6)
    network, bottleneck = model.autoencoder, model.path[0]

    def loss():
        codeword = model.encoder(csi, training=True)
        noisy, rate = bottleneck.with_noise(codeword, 0.3 * tf.ones_like(codeword))
        csi_hat = model.decoder(noisy, training=True)
        return tf.reduce_mean((csi_hat - csi) ** 2) + tf.reduce_mean(rate)

    # Batch norm takes the biases before it away.
    assert_gradients(loss, network.trainable_variables, constant=("_conv/bias",))
    for part, x in ((model.encoder, csi), (model.decoder, codeword), (network, csi)):
        assert_reloads(part, x, tmp_path)
    half = in_bfloat16(BUILDS[name])
    half.decoder.set_weights(model.decoder.get_weights())
    assert half.autoencoder(csi).dtype == half.path[0](codeword).dtype == tf.float32
    expected = model.decoder(codeword)
    np.testing.assert_allclose(half.decoder(codeword), expected, atol=0.05)


@pytest.mark.golden
def test_counts():
    """5.09M + 11.65M parameters, as published."""
    model = build_deepcmc()
    s = complexity.summary(model)
    assert (s["ue_params"], s["bs_params"]) == (5_090_816, 11_646_722)
    assert (s["ue_macs"], s["bs_macs"]) == (223_084_544, 327_942_144)
    assert sum(math.prod(w.shape) for w in model.path[0].weights) == 11_008
    assert model.path[0].macs() == 0


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"codeword_dim": 1022}, "multiple of 4"),
        ({"filters": 0}, "filters is 0"),
        ({"rate_weight": -1.0}, "rate_weight is -1.0"),
        ({"csi_shape": (32, 32)}, "csi_shape"),
    ],
)
def test_refused(args, word):
    with pytest.raises(ValueError, match=word):
        build_deepcmc(**args)


@pytest.mark.parity
def test_same_network_on_tf_keras(tmp_path):
    networks = {"deepcmc": BUILDS["deepcmc"]().autoencoder}
    for w in networks["deepcmc"].weights:
        w.assign(np.asarray(w) + 0.2 * (RNG.random(w.shape) - 0.5))
    csi = RNG.random((2, 16, 16, 2), np.float32)
    legacy = outputs_on_tf_keras(__name__, networks, csi, tmp_path)["deepcmc"]
    assert np.mean((legacy > 0.02) & (legacy < 0.98)) > 0.5  # not saturated
    np.testing.assert_allclose(legacy, networks["deepcmc"](csi), atol=1e-5)
