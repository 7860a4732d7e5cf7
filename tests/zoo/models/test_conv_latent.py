"""Networks with convolutional codewords against counts and formulas in NumPy."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import assert_reloads, in_bfloat16
from tests.zoo.models.test_model_counts import COUNTS
from zoo.keras_compat import Model, keras, layers
from zoo.layers.conv_latent import from_latent, to_latent
from zoo.metrics import complexity
from zoo.models import acrnet, cllwcsinet, conv_latent, crnet, csinet
from zoo.models.spec import RATIOS
from zoo.training.fused import FusedNetwork

NETWORKS = {spec.name: spec for spec in (cllwcsinet.SPEC, *conv_latent.SPECS)}
ORIGINALS = {
    "cl_csinet": (csinet.build_csinet, 1e-3),  # builder, batch norm epsilon
    "cl_crnet": (crnet.build_crnet, 1e-5),
    "cl_acrnet": (acrnet.build_acrnet, 1e-5),
}
ALIKE = [  # what the slow ones add to their originals, cl_csinet adds to CsiNet
    pytest.param(name, marks=pytest.mark.slow) if name in ("cl_crnet", "cl_acrnet")
    else name
    for name in NETWORKS
]  # fmt: skip
SHAPE = (4, 6, 2)
M = 4 * 6


def make_network(name, codeword_dim=M, shape=SHAPE):
    return NETWORKS[name].build(shape, codeword_dim)


def make_csi(n=3):
    return np.random.default_rng(1).random((n, *SHAPE), np.float32)


@functools.cache
def random_network(name, codeword_dim=M):
    """A network that nobody changes and its random weights by `layer/name`."""
    model, rng, values = make_network(name, codeword_dim), np.random.default_rng(2), {}
    for w in (*model.encoder.weights, *model.decoder.weights):
        fan_in = math.prod(w.shape[:-1]) if len(w.shape) > 1 else 4
        value = rng.standard_normal(w.shape) / math.sqrt(fan_in)
        positive = w.path.endswith(("gamma", "variance"))
        w.assign(0.5 + np.abs(value) if positive else value)
        values["/".join(w.path.split("/")[-2:])] = np.asarray(w)
    return model, values


def leaky(x):
    return np.where(x > 0, x, 0.3 * x)


def conv_bn(x, w, name, epsilon=1e-3):
    """`[n, channels, N_t, N_a]`, as PyTorch has it; a sequence has N_t = 1."""
    kernel = w[f"{name}_conv/kernel"]
    rows, cols = kernel.shape[:2]
    padded = np.pad(x, [(0, 0), (0, 0), (rows // 2,) * 2, (cols // 2,) * 2])
    shape = (rows, cols)
    windows = np.lib.stride_tricks.sliding_window_view(padded, shape, axis=(2, 3))
    y = np.einsum("ncabij,ijco->noab", windows, kernel)
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    gamma, beta, mean, variance = (
        w[f"{name}_bn/{part}"][:, None, None] for part in parts
    )
    bias = w.get(f"{name}_conv/bias", np.zeros(kernel.shape[3]))[:, None, None]
    return gamma * (y + bias - mean) / np.sqrt(variance + epsilon) + beta


def channels_first(x):
    return np.asarray(x).transpose(0, 3, 1, 2)


def flat(codeword):
    """`[n, k, 1, N_a]` to the zoo's `[n, M]`."""
    return codeword[:, :, 0].transpose(0, 2, 1).reshape(len(codeword), -1)


@pytest.mark.golden
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("codeword_dim", [512, 256, 128])
def test_published_counts_and_batch_norm(name, codeword_dim):
    model = make_network(name, codeword_dim, (32, 32, 2))
    s = complexity.summary(model)
    counts = s["ue_params"], s["bs_params"], s["ue_macs"], s["bs_macs"]
    assert counts == COUNTS[name][codeword_dim]
    published = NETWORKS[name].published
    assert {RATIOS[ratio] for ratio in published} == set(COUNTS[name])
    norms = {
        (layer.momentum, layer.epsilon)
        for part in model[:2]
        for layer in part.layers
        if isinstance(layer, layers.BatchNormalization)
    }
    keras_family = name in ("cllwcsinet", "cl_csinet")
    assert norms == {(0.99, 1e-3) if keras_family else (0.9, 1e-5)}


def test_angles_as_channels():
    x = keras.Input(SHAPE)
    sequence = to_latent(x)
    model, csi = Model(x, [sequence, from_latent(sequence)]), make_csi()
    sequence, again = model(csi)
    expected = channels_first(csi).reshape(3, 8, 1, 6)
    np.testing.assert_array_equal(channels_first(sequence), expected)
    np.testing.assert_array_equal(again, csi)


@pytest.mark.parametrize("name", ORIGINALS)
def test_two_convolutions_in_place_of_the_dense_layers(name):
    """The original, its dense layers set to the identity, gives both ends."""
    build, epsilon = ORIGINALS[name]
    (model, w), original, csi = random_network(name), build(SHAPE, 48), make_csi()
    for ours, theirs in zip(model[:2], original[:2], strict=True):
        for layer in theirs.layers:
            if isinstance(layer, layers.Dense):
                layer.set_weights([np.eye(48), np.zeros(48)])
            elif layer.weights:
                layer.set_weights(ours.get_layer(layer.name).get_weights())
    features = np.reshape(original.encoder(csi), (3, *SHAPE))
    sequence = channels_first(features).reshape(3, 8, 1, 6)
    codeword = leaky(conv_bn(sequence, w, "compress", epsilon))
    np.testing.assert_allclose(model.encoder(csi), flat(codeword), rtol=1e-4, atol=1e-4)
    extended = leaky(conv_bn(codeword, w, "extend", epsilon)).reshape(3, 2, 4, 6)
    features = extended.transpose(0, 2, 3, 1).reshape(3, -1)
    out = np.asarray(model.decoder(flat(codeword)))
    assert np.mean((out > 0.02) & (out < 0.98)) > 0.5
    np.testing.assert_allclose(out, original.decoder(features), atol=1e-4)


@pytest.mark.parametrize("name", ALIKE)
def test_serialisation(name, tmp_path):
    (model, _), csi = random_network(name), make_csi()
    assert_reloads(model.encoder, csi, tmp_path)
    assert_reloads(model.decoder, model.encoder(csi), tmp_path)


@pytest.mark.parametrize("name", ALIKE)
def test_mixed_precision(name):
    (model, _), csi = random_network(name), make_csi()
    half = in_bfloat16(lambda: make_network(name))
    half.autoencoder.set_weights(model.autoencoder.get_weights())
    assert half.encoder(csi).dtype == tf.bfloat16
    out = half.autoencoder(csi)
    assert out.dtype == tf.float32
    assert np.abs(out - model.autoencoder(csi)).mean() < 0.02


def test_fused_training_step():
    model, csi = make_network("cllwcsinet"), tf.constant(make_csi())
    fused = FusedNetwork(model.decoder)(FusedNetwork(model.encoder)(csi))
    expected = model.autoencoder(csi, training=True)
    np.testing.assert_allclose(fused, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "codeword_dim", "message"),
    [
        ("cllwcsinet", 25, "is 25, expected one of 96, 48, 24 for csi_shape"),
        ("cllwcsinet", 12, "is 12, expected one of 96, 48, 24 for csi_shape"),
        ("cl_crnet", 25, "is 25, expected a multiple of N_a = 6 such as 6 or 12"),
        ("cl_acrnet", 0, "is 0, expected a positive integer"),
    ],
)
def test_refused_codeword_lengths(name, codeword_dim, message):
    with pytest.raises(ValueError, match=message):
        make_network(name, codeword_dim)


def test_other_shape_with_one_channel():
    model = make_network("cl_crnet", 24, (16, 24, 2))
    assert model.encoder.output.shape == (None, 24)
    assert model.autoencoder.output.shape == (None, 16, 24, 2)
