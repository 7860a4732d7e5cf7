"""One-bit weights: the fully connected layer, BCsiNet and BACRNet."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import assert_reloads, in_bfloat16, run_tflite
from tests.zoo.models.test_csinet_family import (
    SHAPE,
    conv_bn,
    counts,
    leaky,
    random_csi,
    randomise,
    sigmoid,
)
from zoo.keras_compat import Model, keras
from zoo.layers.binary import BinaryDense, binary_dense
from zoo.metrics import complexity
from zoo.models.acrnet import build_acrnet
from zoo.models.bacrnet import build_bacrnet
from zoo.models.bcsinet import build_bcsinet

RNG = np.random.default_rng(0)
INPUTS, UNITS = 9, 7
# Build, options, (UE params, BS params, UE MACs, BS MACs) at M = 128;
# BACRNet has ACRNet's.
COUNTS = {
    "A2": (build_bcsinet, {}, (262_312, 267_504, 299_008, 3_543_040)),
    "B3": (
        build_bcsinet,
        {"head": "B", "blocks": 3},
        (262_352, 269_140, 335_872, 5_165_056),
    ),
    "bacrnet": (build_bacrnet, {}, (262_546, 266_550, 512_000, 2_560_000)),
}


def _layer(kernel=None):
    layer = BinaryDense(UNITS, name="binary")
    layer.build((None, INPUTS))
    if kernel is not None:
        layer.kernel.assign(kernel)
    return layer


def _kernel():
    """Latent weights on both sides of 1, with a zero of either sign."""
    kernel = RNG.normal(0, 0.8, (INPUTS, UNITS)).astype(np.float32)
    kernel[0, 0], kernel[1, 1] = 0.0, -0.0
    assert np.abs(kernel).max() > 1
    return kernel


def _binarised(kernel):
    return np.abs(kernel).mean() * np.where(kernel >= 0, 1, -1)


def _input(n=4):
    return RNG.standard_normal((n, INPUTS)).astype(np.float32)


def test_forward():
    """One alpha for the whole matrix, two values in it, zeros go up."""
    kernel, x = _kernel(), _input()
    layer = _layer(kernel)
    w_b = np.asarray(layer.binary_kernel())
    np.testing.assert_allclose(w_b, _binarised(kernel), rtol=1e-6)
    assert len(np.unique(w_b)) == 2 and w_b[0, 0] > 0 and w_b[1, 1] > 0
    expected = x @ _binarised(kernel) + np.asarray(layer.bias)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_binarised_weights_are_a_fixed_point():
    layer, x = _layer(_kernel()), _input()
    y = layer(x)
    layer.kernel.assign(layer.binary_kernel())
    np.testing.assert_allclose(layer(x), y, atol=1e-5)


def test_gradient_is_the_straight_through_one():
    """dL/dW = x^T dL/dy, also where |W| > 1 and with no share through alpha."""
    kernel, x = _kernel(), tf.constant(_input())
    layer, upstream = _layer(kernel), RNG.standard_normal((4, UNITS))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * upstream)
    gradients = tape.gradient(loss, [*layer.trainable_weights, x])
    expected = [
        x.numpy().T @ upstream,
        upstream.sum(0),
        upstream @ _binarised(kernel).T,
    ]
    for gradient, value in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, value, atol=1e-5)


def test_training_finds_a_binary_matrix():
    """Gradient descent on the latent weights flips all wrong signs."""
    signs = RNG.choice([-1.0, 1.0], (INPUTS, UNITS))
    x = _input(64)
    target, layer = x @ (0.4 * signs), _layer()
    before = np.mean(np.sign(layer.kernel) == signs)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(x) - target))
        for w, g in zip(
            layer.trainable_weights,
            tape.gradient(loss, layer.trainable_weights),
            strict=True,
        ):
            w.assign(w - 0.6 * g)
    assert before < 0.8
    np.testing.assert_array_equal(np.sign(layer.kernel), signs)
    alpha = np.abs(np.asarray(layer.kernel)).mean()
    assert alpha == pytest.approx(0.4, rel=0.2)


def test_initialisation_and_counts():
    """Glorot weights, PyTorch's bias; a bit and a MAC per weight."""
    keras.utils.set_random_seed(0)
    layer = BinaryDense(40)
    layer.build((None, 100))
    for w, bound in ((layer.kernel, (6 / 140) ** 0.5), (layer.bias, 0.1)):
        assert 0.8 * bound < np.abs(np.asarray(w)).max() <= bound
    assert layer.macs() == 4000 and layer.kernel_bits == 1
    model = _model()
    assert complexity.count_macs(model) == INPUTS * UNITS
    assert complexity.count_params(model) == INPUTS * UNITS + UNITS


@pytest.mark.parametrize("units", [0, 2.0])
def test_refused_units(units):
    with pytest.raises(ValueError, match="positive integer"):
        BinaryDense(units)


def _model():
    x = keras.Input((INPUTS,))
    return Model(x, binary_dense(x, UNITS, "binary"))


def test_serialisation(tmp_path):
    model = _model()
    model.get_layer("binary").kernel.assign(_kernel())
    assert_reloads(model, _input(), tmp_path)


def test_mixed_precision():
    model, half, x = _model(), in_bfloat16(_model), _input()
    half.set_weights(model.get_weights())
    assert half.get_layer("binary").kernel.dtype == "float32"
    out = half(x)
    assert out.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(out, "float32"), model(x), atol=0.03)


@pytest.mark.tflite
def test_tflite():
    """Signs and alpha with builtin operations only."""
    model, x = _model(), _input(1)
    model.get_layer("binary").kernel.assign(_kernel())
    np.testing.assert_allclose(run_tflite(model, x), model(x), atol=1e-5)


@pytest.mark.golden
@pytest.mark.parametrize("row", COUNTS)
def test_counts(row):
    build, args, expected = COUNTS[row]
    assert counts(build(codeword_dim=128, **args)) == expected


@pytest.mark.golden
@pytest.mark.parametrize(
    ("build", "args", "sides", "expected"),
    [
        (build_bcsinet, {}, ("encoder",), 8_360),
        (build_bacrnet, {}, ("encoder", "decoder"), 21_192),
        (build_bacrnet, {"kappa": 10}, ("encoder", "decoder"), 41_352),
    ],
)
def test_float_equivalents(build, args, sides, expected):
    """Published sizes at 1/16 with one bit, 1/32 float, per binary weight."""
    model, total = build(codeword_dim=128, **args), 0
    for side in sides:
        part = getattr(model, side)
        total += complexity.count_params(part)
        for layer in part.layers:
            if hasattr(layer, "kernel_bits"):
                size = np.prod(layer.kernel.shape)
                total -= size - size * layer.kernel_bits / 32
    assert total == expected


@pytest.mark.parametrize("head", ["A", "B", "C"])
def test_bcsinet_against_numpy(head):
    model, csi = build_bcsinet(SHAPE, 7, head=head, blocks=3), random_csi()
    w = randomise(model.encoder)
    x = leaky(conv_bn(w, csi, "head1", 1e-5))
    if head == "B":
        x = leaky(conv_bn(w, x, "head2", 1e-5))
    if head == "C":
        y = leaky(conv_bn(w, x, "head2", 1e-5))
        x = leaky(x + conv_bn(w, y, "head3", 1e-5))
    z = x.reshape(len(x), -1) @ _binarised(w["codeword/kernel"]) + w["codeword/bias"]
    np.testing.assert_allclose(model.encoder(csi), z, atol=2e-5)
    w = randomise(model.decoder)
    x = (z @ w["expand/kernel"] + w["expand/bias"]).reshape(-1, *SHAPE)
    for i in range(1, 4):
        y = leaky(conv_bn(w, x, f"refine{i}_1", 1e-5))
        y = leaky(conv_bn(w, y, f"refine{i}_2", 1e-5))
        x = leaky(x + conv_bn(w, y, f"refine{i}_3", 1e-5))
    x = sigmoid(conv_bn(w, x, "output", 1e-5))
    np.testing.assert_allclose(model.decoder(z), x, atol=2e-5)


def test_bacrnet_is_acrnet_with_binary_matrices():
    binary, full = (b(SHAPE, 7, kappa=2) for b in (build_bacrnet, build_acrnet))
    randomise(binary.autoencoder)
    large = [(96, 7), (7, 96)]
    weights = [
        _binarised(w) if w.shape in large else w
        for w in binary.autoencoder.get_weights()
    ]
    assert sum(w.shape in large for w in weights) == 2
    full.autoencoder.set_weights(weights)
    expected = full.autoencoder(random_csi())
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(binary.autoencoder(random_csi()), expected, atol=1e-5)
