"""DNNNet's denoiser and CsiNet+'s offset network."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from zoo.keras_compat import keras
from zoo.metrics import complexity
from zoo.models.receivers import RECEIVERS, build_dnnnet, build_offset


@pytest.mark.parametrize(
    ("codeword_dim", "params"),
    [(512, 1_050_112), (256, 1_313_024), (128, 1_378_944), (64, 1_399_680)],
)
def test_dnnnet_counts(codeword_dim, params):
    assert complexity.count_params(build_dnnnet(codeword_dim)) == params


def test_offset_count():
    assert complexity.count_params(build_offset(512)) == 787_968


@pytest.mark.parametrize("name", RECEIVERS)
def test_receivers_start_at_the_identity_and_can_leave_it(name):
    receiver = RECEIVERS[name].build(32)
    codeword = np.random.default_rng(0).standard_normal((5, 32), np.float32)
    np.testing.assert_allclose(receiver(codeword), codeword, rtol=1e-6)
    rng = np.random.default_rng(1)
    for w in receiver.weights:
        w.assign(rng.standard_normal(w.shape) * 0.3)
    repaired = np.asarray(receiver(codeword))
    assert np.abs(repaired - codeword).max() > 0.01
    x = codeword
    for layer in receiver.layers[1:-1]:
        if hasattr(layer, "kernel"):
            x = x @ np.asarray(layer.kernel) + np.asarray(layer.bias)
        if name == "dnnnet" and layer.name != "noise":
            x = 1 / (1 + np.exp(-x))
        if name == "offset" and not hasattr(layer, "kernel"):
            x = np.where(x > 0, x, 0.3 * x)
    expected = codeword - x if name == "dnnnet" else codeword + x
    np.testing.assert_allclose(repaired, expected, rtol=1e-3, atol=1e-4)


def test_denoiser_learns():
    """Codewords of four dimensions in noise of their own power."""
    rng = np.random.default_rng(0)
    basis, denoiser = rng.standard_normal((4, 512)), build_dnnnet(512)
    optimizer, losses = keras.optimizers.Adam(3e-3), []

    @tf.function
    def step(received, sent):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((denoiser(received, training=True) - sent) ** 2)
        variables = denoiser.trainable_variables
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    for _ in range(120):
        sent = rng.standard_normal((64, 4)) @ basis
        received = sent + rng.standard_normal(sent.shape)
        losses.append(float(step(received.astype("f"), sent.astype("f"))))
    assert np.mean(losses[-20:]) < 0.75 < np.mean(losses[:20])
