"""Circular convolution against its definition: both axes, odd and even kernels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.network_checks import assert_reloads, run_tflite
from zoo.keras_compat import Model, keras
from zoo.layers.circular import CircularPad, core_conv

RNG = np.random.default_rng(2)
SHAPE = (8, 6, 3)


def _model(size, core="circular", filters=4):
    csi = keras.Input(SHAPE)
    return Model(csi, core_conv(csi, filters, size, core, "conv"))


def _by_definition(x, kernel, bias):
    """Sum over (i, j) of x[p + i - a, q + j - b] w[i, j], indices modulo the sizes."""
    rows, columns = kernel.shape[:2]
    out = np.zeros((*x.shape[:3], kernel.shape[3])) + bias
    for i in range(rows):
        for j in range(columns):
            shift = ((rows - 1) // 2 - i, (columns - 1) // 2 - j)
            out += np.roll(x, shift, axis=(1, 2)) @ kernel[i, j]
    return out


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_against_the_definition(size):
    model = _model(size)
    x = RNG.standard_normal((2, *SHAPE)).astype(np.float32)
    conv = model.get_layer("conv")
    conv.bias.assign(RNG.standard_normal(4))
    expected = _by_definition(x, np.asarray(conv.kernel), np.asarray(conv.bias))
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


def test_a_shift_of_the_input_is_a_shift_of_the_output():
    x = RNG.standard_normal((2, *SHAPE)).astype(np.float32)
    for core, equal in (("circular", True), ("zero", False)):
        model = _model(5, core)
        y = np.asarray(model(x))
        shifted = np.asarray(model(np.roll(x, (3, -2), axis=(1, 2))))
        assert np.allclose(shifted, np.roll(y, (3, -2), (1, 2)), atol=1e-5) == equal


def test_configuration_tflite_and_refusals(tmp_path):
    model = _model(5)
    x = RNG.standard_normal((1, *SHAPE)).astype(np.float32)
    assert_reloads(model, x, tmp_path)
    np.testing.assert_allclose(run_tflite(model, x), model(x), atol=1e-5)
    with pytest.raises(ValueError, match="core is 'ring'"):
        _model(3, "ring")
    with pytest.raises(ValueError, match=r"larger than the map \(8, 6\)"):
        _model(7)
    with pytest.raises(ValueError, match="two positive integers"):
        CircularPad((3,))
