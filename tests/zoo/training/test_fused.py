"""The fused training step against float64 Keras networks and written-out formulas."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from zoo import registry
from zoo.config import ExperimentConfig
from zoo.keras_compat import set_precision
from zoo.models.autoencoder import in_a_row
from zoo.training import session
from zoo.training.fused import use_fused
from zoo.training.fused_norm import Form, kernel
from zoo.training.link import Link

SHAPE = (8, 6, 2)


def _reference(form: Form, x, gamma, beta, skip, slope):
    """The definition, in float64."""
    mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
    y = gamma * (x - mean) / tf.sqrt(variance + form.epsilon) + beta
    y = y if skip is None else y + skip
    slope = form.slope if slope is None else slope
    return tf.where(y > 0, y, slope * y), mean, variance


@pytest.mark.parametrize("channels", [1, 7])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("slope", [1.0, 0.3, None])
def test_kernel_and_its_gradient_against_autodiff(channels, skip, slope):
    rng = np.random.default_rng(channels)
    form = Form(6, channels, 1e-3, skip, slope)
    shape = (5, 8, 6, channels)
    arguments = [rng.normal(0.5, 2, shape), rng.normal(size=channels)]
    arguments += [rng.normal(size=channels)]
    arguments += [rng.normal(size=shape)] if skip else []
    arguments += [rng.uniform(0.1, 0.5, channels)] if slope is None else []
    upstream = rng.normal(size=shape)

    def gradients(dtype, function):
        inputs = [tf.constant(a, dtype) for a in arguments]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            results = function(inputs)
        weight = tf.constant(upstream, dtype)
        return *results, *tape.gradient(results[0], inputs, weight)

    def reference(inputs):
        x, gamma, beta, *rest = inputs
        added = rest.pop(0) if skip else None
        return _reference(form, x, gamma, beta, added, rest[0] if rest else None)

    fused = gradients(tf.float32, lambda inputs: kernel(form)(*inputs))
    for ours, expected in zip(fused, gradients(tf.float64, reference), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def _fused(model):
    link = Link(model, fused=True)

    def forward(csi, training):
        codeword = in_a_row(csi, [link.encode, link.repair])
        return link.decode(codeword, csi)[0]

    return forward


def _training_pass(network, forward, csi):
    with tf.GradientTape() as tape:
        csi_hat = forward(csi, training=True)
        loss = tf.reduce_mean(tf.square(csi_hat - tf.cast(csi, tf.float32)))
    gradients = tape.gradient(loss, network.trainable_variables)
    return csi_hat.numpy(), [g.numpy() for g in gradients], network.get_weights()


@pytest.mark.parametrize("name", ["crnet", "csinet", "clnet", "acrnet"])
def test_network_equals_the_float64_keras_network(name):
    rng = np.random.default_rng(0)
    csi = rng.random((10, *SHAPE)).astype(np.float32)
    model = registry.build(name, SHAPE, 12, {})
    weights = model.autoencoder.get_weights()
    ours = _training_pass(model.autoencoder, _fused(model), tf.constant(csi))
    set_precision("float64")
    try:
        network = registry.build(name, SHAPE, 12, {}).autoencoder
        network.set_weights(weights)
        expected = _training_pass(network, network, tf.constant(csi, tf.float64))
    finally:
        set_precision("float32")
    np.testing.assert_allclose(ours[0], expected[0], atol=1e-5)
    # A bias in front of a batch normalisation has a gradient of zero, up to rounding.
    rounding = 1e-6 * max(np.linalg.norm(reference) for reference in expected[1])
    for gradient, reference in zip(ours[1], expected[1], strict=True):
        error = np.linalg.norm(gradient - reference)
        assert error < 1e-3 * np.linalg.norm(reference) + rounding
    for weight, reference in zip(ours[2], expected[2], strict=True):
        np.testing.assert_allclose(weight, reference, atol=1e-5)


@pytest.mark.parametrize("name", ["csinet_plus_sm", "csinet_plus_pm"])
def test_all_rates_equal_those_of_the_joint_network(name):
    csi = np.random.default_rng(0).random((6, 16, 16, 2)).astype(np.float32)
    model = registry.build(name, (16, 16, 2), 64)
    outputs = model.joint(csi, training=True)
    for ours, expected in zip(Link(model, True).joint(csi), outputs, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_on_csi_it_is_closer_to_float64_than_keras_own():
    """Around 0.5, E[x^2] - E[x]^2 of Keras' batch norm cancels; two passes do not."""
    rng = np.random.default_rng(1)
    csi = (0.5 + 0.01 * rng.standard_normal((20, 32, 32, 2))).astype(np.float32)
    model = registry.build("csinet", (32, 32, 2), 32, {})
    network = model.autoencoder
    fused = _fused(model)(tf.constant(csi), training=True)
    native = network(csi, training=True)
    weights = network.get_weights()
    set_precision("float64")
    try:
        network = registry.build("csinet", (32, 32, 2), 32, {}).autoencoder
        network.set_weights(weights)
        exact = network(csi.astype(np.float64), training=True)
    finally:
        set_precision("float32")
    assert np.abs(fused - exact).max() < 1e-5
    assert np.abs(fused - exact).max() < np.abs(native - exact).max()


@pytest.mark.parametrize(
    "changes", [{"strategy": "mirrored"}, {"precision": "mixed_float16"}, {"xla": True}]
)
def test_where_the_fused_step_does_not_apply(changes):
    settings = ExperimentConfig(**changes)
    assert not use_fused(settings)
    with pytest.raises(ValueError, match=f"--{next(iter(changes))}.*--cpu_step=auto"):
        use_fused(dataclasses.replace(settings, cpu_step="fused"))
    assert use_fused(ExperimentConfig())
    assert not use_fused(ExperimentConfig(cpu_step="native"))


@pytest.mark.slow
def test_training_with_either_step_ends_alike(tiny_config, tmp_path):
    losses = []
    for step in ("native", "fused"):
        config = tiny_config(tmp_path / step, epochs=1, cpu_step=step)
        losses.append(session.train(config).read_metrics()[0]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
