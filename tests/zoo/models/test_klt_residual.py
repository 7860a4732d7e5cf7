"""klt_residual: counts, what its branches do, and options."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import (
    assert_gradients,
    assert_reloads,
    randomise,
)
from zoo.metrics import flops
from zoo.models.klt_residual import build_klt_residual

SHAPE, M, N = (8, 6, 2), 16, 96


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_counts():
    """By hand, at M = 128: kernels, and biases of all but the encoder's FC."""
    counts = flops.summary(build_klt_residual(codeword_dim=128))
    fc, entries = 2048 * 128, 1024
    branch = 9 * 2 * 8 + 9 * 8 * 2
    trunk = 9 * (2 * 32 + 2 * 32 * 32 + 32 * 2)
    assert counts["ue_params"] == fc + branch + 8 + 2
    assert counts["ue_macs"] == fc + entries * branch
    assert counts["bs_params"] == fc + 2048 + trunk + 3 * 32 + 2
    assert counts["bs_macs"] == fc + entries * trunk


def test_a_linear_encoder_is_one_matrix(rng):
    model = build_klt_residual(SHAPE, M, encoder_channels=0)
    csi = rng.random((3, *SHAPE)).astype(np.float32)
    (kernel,) = model.encoder.get_weights()
    expected = (csi.reshape(3, N) - 0.5) * N**0.5 @ kernel
    np.testing.assert_allclose(model.encoder(csi), expected, atol=1e-4)


def test_before_the_first_update_there_are_two_matrices_alone(rng):
    model = build_klt_residual(SHAPE, M, blocks=2)
    csi = rng.random((3, *SHAPE)).astype(np.float32)
    unit = (csi.reshape(3, N) - 0.5) * N**0.5
    expand = model.decoder.get_layer("expand").kernel
    linear = unit @ model.encoder.get_layer("codeword").kernel @ expand
    got = np.asarray(model.autoencoder(csi)).reshape(3, N)
    np.testing.assert_allclose(got, linear / N**0.5 + 0.5, atol=1e-5)


def test_branches_add_to_what_passes_them(rng):
    """Written out with one channel and kernels of one entry."""
    model = build_klt_residual(SHAPE, M, 1, 1, 1, 1)
    weights = randomise(model.autoencoder, rng)
    csi = rng.random((3, *SHAPE)).astype(np.float32)

    def conv(x, name):
        return x @ weights[f"{name}/kernel"][0, 0] + weights[f"{name}/bias"]

    x = (csi - 0.5) * N**0.5
    y = conv(x, "branch1")
    x = x + conv(np.where(y > 0, y, 0.1 * y), "branch2")
    z = x.reshape(3, N) @ weights["codeword/kernel"]
    np.testing.assert_allclose(model.encoder(csi), z, rtol=1e-4, atol=1e-3)
    x = (z @ weights["expand/kernel"] + weights["expand/bias"]).reshape(3, *SHAPE)
    y = head = conv(x, "head")
    for name in ("block1_conv1", "block1_conv2"):
        y = conv(np.maximum(y, 0), name)
    x = x + conv(np.maximum(head + y, 0), "residual")
    got = np.asarray(model.decoder(z))
    np.testing.assert_allclose(got, x / N**0.5 + 0.5, rtol=1e-4, atol=1e-3)


def test_gradients_reach_every_weight(rng, tmp_path):
    model = build_klt_residual(SHAPE, M)
    randomise(model.autoencoder, rng, scale=0.1)
    csi = tf.constant(rng.random((4, *SHAPE)), tf.float32)
    assert_gradients(
        lambda: tf.reduce_mean((model.autoencoder(csi) - csi) ** 2),
        model.autoencoder.trainable_variables,
    )
    assert_reloads(model.encoder, csi, tmp_path)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"channels": 0}, "channels is 0, expected a positive integer"),
        ({"kernel": 1.5}, "kernel is 1.5, expected a positive integer"),
        ({"blocks": -1}, "blocks is -1, expected an integer of 0 or more"),
        ({"encoder_channels": -1}, "encoder_channels is -1, expected an integer"),
    ],
)
def test_options_are_checked(option, expected):
    with pytest.raises(ValueError, match=expected):
        build_klt_residual(SHAPE, M, **option)
