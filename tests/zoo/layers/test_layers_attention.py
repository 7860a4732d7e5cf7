"""Layers of CLNet and ACRNet against formulas written out in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import randomise
from zoo.keras_compat import Model, keras, layers
from zoo.layers.activations import HardSigmoid, prelu
from zoo.layers.attention import (
    ChannelStatistics,
    spatial_attention,
    squeeze_excitation,
)
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.models import clnet

RNG = np.random.default_rng(0)
SHAPE = (6, 5, 4)
BLOCKS = {
    "hard_sigmoid": lambda x: HardSigmoid()(x),
    "prelu": lambda x: prelu("slopes")(x),
    "statistics": lambda x: ChannelStatistics()(x),
    "squeeze_excitation": lambda x: squeeze_excitation(x, 2, "se"),
    "spatial_attention": lambda x: spatial_attention(x, "spatial"),
    "grouped": lambda x: GroupedConv2D(6, (3, 5), groups=2, name="conv")(x),
}


def _model(name, dtype="float32"):
    previous = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(dtype)
    x = keras.Input(SHAPE)
    model = Model(x, BLOCKS[name](x))
    keras.mixed_precision.set_global_policy(previous)
    return model


def _input(scale=1.0):
    return scale * RNG.standard_normal((3, *SHAPE)).astype(np.float32)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _convolve(x, kernel):
    rows, cols = kernel.shape[:2]
    padded = np.pad(x, [(0, 0), (rows // 2,) * 2, (cols // 2,) * 2, (0, 0)])
    out = np.zeros((*x.shape[:3], kernel.shape[3]))
    for i in range(rows):
        for j in range(cols):
            out += padded[:, i : i + x.shape[1], j : j + x.shape[2]] @ kernel[i, j]
    return out


def test_hard_sigmoid():
    x = np.array([-9, -3, -1.5, 0, 2, 3, 9], np.float32)
    expected = [0, 0, 0.25, 0.5, 5 / 6, 1, 1]
    np.testing.assert_allclose(HardSigmoid()(x), expected, atol=1e-7)
    points = tf.constant([-4.0, 1.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(points)
        y = HardSigmoid()(points)
    np.testing.assert_allclose(tape.gradient(y, points), [0, 1 / 6, 0], atol=1e-7)


def test_prelu():
    model, x = _model("prelu"), _input()
    np.testing.assert_allclose(model(x), np.where(x > 0, x, 0.3 * x), atol=1e-6)
    slope = randomise(model, RNG)["slopes/alpha"]
    assert slope.size == SHAPE[-1]
    np.testing.assert_allclose(model(x), np.where(x > 0, x, slope * x), atol=1e-6)


def test_squeeze_excitation():
    model, x = _model("squeeze_excitation"), _input()
    w = randomise(model, RNG)
    hidden = np.maximum(x.mean(axis=(1, 2)) @ w["se_squeeze/kernel"], 0)
    scale = _sigmoid(hidden @ w["se_excite/kernel"])
    np.testing.assert_allclose(model(x), x * scale[:, None, None], atol=1e-5)


def test_spatial_attention():
    model, x = _model("spatial_attention"), _input()
    w = randomise(model, RNG)
    maps = np.stack([x.max(axis=-1), x.mean(axis=-1)], axis=-1)
    np.testing.assert_allclose(ChannelStatistics()(x), maps, atol=1e-6)
    z = _convolve(maps, w["spatial_conv/kernel"]) - w["spatial_bn/moving_mean"]
    z /= np.sqrt(w["spatial_bn/moving_variance"] + 1e-5)
    scale = _sigmoid(w["spatial_bn/gamma"] * z + w["spatial_bn/beta"])
    np.testing.assert_allclose(model(x), x * scale, atol=1e-5)


def test_grouped_convolution():
    """Each group on its own; Keras' layer with the same kernel; the gradient."""
    model, x = _model("grouped"), _input()
    kernel = randomise(model, RNG)["conv/kernel"]
    assert kernel.shape == (3, 5, 2, 6)
    groups = [
        _convolve(x[..., 2 * g : 2 * g + 2], kernel[..., 3 * g : 3 * g + 3])
        for g in range(2)
    ]
    expected = np.concatenate(groups, axis=-1)
    np.testing.assert_allclose(model(x), expected, atol=1e-4)
    theirs = layers.Conv2D(6, (3, 5), padding="same", groups=2, use_bias=False)
    theirs.build(x.shape)
    theirs.kernel.assign(kernel)
    np.testing.assert_allclose(theirs(x), expected, atol=1e-4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x))
    (gradient,) = tape.gradient(loss, model.trainable_weights)
    # The middle tap sees every position, tap (0, 0) all but the last rows and columns.
    for tap, seen in (((1, 2), x), ((0, 0), x[:, :-1, :-2])):
        sums = seen.sum(axis=(0, 1, 2)).reshape(2, 2)  # group, channel of the group
        for column in range(6):
            np.testing.assert_allclose(
                gradient[(*tap, slice(None), column)], sums[column // 3], atol=1e-4
            )


@pytest.mark.parametrize(
    ("channels", "filters", "groups"), [(20, 10, 5), (24, 12, 6), (8, 8, 8), (9, 6, 1)]
)
def test_groups_are_taken_together_in_blocks(channels, filters, groups):
    """Groups of 4 channels by one and by two, 8 of 1, and a plain convolution."""
    layer = GroupedConv2D(filters, (3, 3), groups=groups)
    x = RNG.standard_normal((2, 5, 4, channels)).astype(np.float32)
    layer.build(x.shape)
    kernel = RNG.standard_normal(layer.kernel.shape).astype(np.float32)
    layer.kernel.assign(kernel)
    own = zip(np.split(x, groups, -1), np.split(kernel, groups, -1), strict=True)
    expected = np.concatenate([_convolve(*one) for one in own], axis=-1)
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)


def test_grouped_convolution_refuses_uneven_groups():
    with pytest.raises(ValueError, match="multiples of the number of groups"):
        GroupedConv2D(6, (3, 3), groups=3).build((None, *SHAPE))


@pytest.mark.parametrize("name", BLOCKS)
def test_serialisation_and_precision(name):
    model, x = _model(name), _input()
    w = randomise(model, RNG)
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)
    half = _model(name, "mixed_bfloat16")
    assert half.count_params() == sum(value.size for value in w.values())
    half.set_weights(model.get_weights())
    out = half(x)
    assert out.dtype == tf.bfloat16 and out.shape == model(x).shape
    scale = np.abs(model(x)).max()
    np.testing.assert_allclose(tf.cast(out, "float32"), model(x), atol=0.05 * scale)


@pytest.mark.tflite
def test_tflite():
    """All layers in one converted graph, builtin operations only."""
    from ai_edge_litert.interpreter import Interpreter

    x = keras.Input(SHAPE, batch_size=1)
    y = x
    for name in ("squeeze_excitation", "spatial_attention", "prelu", "grouped"):
        y = BLOCKS[name](y)
    model = Model(x, HardSigmoid()(y))
    randomise(model, RNG)
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    csi = _input()[:1]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], csi)
    interpreter.invoke()
    out = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(out, model(csi), atol=1e-5)


def test_clnet_output_and_initialisation():
    """Float32 hard sigmoid at the end; both FC layers start within 1/sqrt(2048)."""
    model = clnet.build_clnet(codeword_dim=32)
    last = model.decoder.layers[-1]
    assert isinstance(last, HardSigmoid) and last.dtype == "float32"
    for part, name in ((model.encoder, "codeword"), (model.decoder, "expand")):
        for w in part.get_layer(name).get_weights():
            assert 0.8 < np.abs(w).max() * math.sqrt(2048) <= 1
