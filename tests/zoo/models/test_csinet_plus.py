"""CsiNet+ and its multiple-rate versions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.network_checks import in_bfloat16
from tests.zoo.models.test_csinet_family import (
    DIMS,
    RATES,
    SHAPE,
    conv_bn,
    leaky,
    random_csi,
    randomise,
    sigmoid,
)
from zoo.metrics import complexity
from zoo.models.csinet_plus import build_csinet_plus
from zoo.models.csinet_plus_rates import build_csinet_plus_pm, build_csinet_plus_sm


@pytest.mark.golden
def test_saved_parameters_of_the_multiple_rate_encoders():
    """One encoder for four rates at the UE: -37.9 % and -46.7 %."""
    single = sum(
        complexity.count_params(build_csinet_plus(codeword_dim=m).encoder)
        for m in (512, 256, 128, 64)
    )
    serial = build_csinet_plus_sm(codeword_dim=64)  # the whole chain
    parallel = build_csinet_plus_pm(codeword_dim=512)  # all pieces
    for model, saved in ((serial, 37.9), (parallel, 46.7)):
        share = 1 - complexity.count_params(model.encoder) / single
        assert round(100 * share, 1) == saved


def _numpy_front_end(w, csi):
    x = leaky(conv_bn(w, csi, "encoder1", 1e-3))
    return leaky(conv_bn(w, x, "encoder2", 1e-3)).reshape(len(csi), -1)


@pytest.mark.parametrize("codeword", ["linear", "tanh"])
def test_csinet_plus_against_numpy(codeword):
    model, csi = build_csinet_plus(SHAPE, 7, codeword=codeword), random_csi()
    w = randomise(model.encoder)
    z = _numpy_front_end(w, csi) @ w["codeword/kernel"] + w["codeword/bias"]
    z = np.tanh(z) if codeword == "tanh" else z
    np.testing.assert_allclose(model.encoder(csi), z, atol=2e-5)
    w = randomise(model.decoder)
    x = (z @ w["expand/kernel"] + w["expand/bias"]).reshape(-1, *SHAPE)
    x = sigmoid(conv_bn(w, x, "head", 1e-3))
    for i in range(1, 6):
        y = leaky(conv_bn(w, x, f"block{i}_1", 1e-3))
        y = leaky(conv_bn(w, y, f"block{i}_2", 1e-3))
        x = x + np.tanh(conv_bn(w, y, f"block{i}_3", 1e-3))
    assert x.min() < 0 < x.max()  # the last ReLU has something to cut
    np.testing.assert_allclose(model.decoder(z), np.maximum(x, 0), atol=5e-5)


def _serial(w, x, m):
    """Each rate's codeword is a linear function of the next longer one."""
    for rate, dim in zip((4, 8, 16, 32), DIMS, strict=True):
        x = x @ w[f"codeword_cr{rate}/kernel"] + w[f"codeword_cr{rate}/bias"]
        if dim == m:
            return x


def _parallel(w, x, m):
    """Each rate sends the first of eight pieces."""
    indices = range(1, m // DIMS[-1] + 1)
    pieces = [x @ w[f"piece{i}/kernel"] + w[f"piece{i}/bias"] for i in indices]
    return np.concatenate(pieces, axis=1)


@pytest.mark.parametrize(("name", "codeword"), [("sm", _serial), ("pm", _parallel)])
def test_multiple_rates(name, codeword, tmp_path):
    """All rates against NumPy codewords; one weights file for longest and shortest."""
    csi, path = random_csi(), tmp_path / "joint.weights.h5"
    first, last = (RATES[name](SHAPE, m) for m in (DIMS[0], DIMS[-1]))
    w = randomise(first.joint)
    first.joint.save_weights(path)
    shapes = [w.shape for w in first.joint.weights]
    assert (
        shapes == [w.shape for w in last.joint.weights] and first.trained is first.joint
    )
    last.joint.load_weights(path)
    outputs, codewords = first.joint(csi), []
    for rate, m, out in zip((4, 8, 16, 32), DIMS, outputs, strict=True):
        codewords.append(codeword(w, _numpy_front_end(w, csi), m))
        assert codewords[-1].shape == (3, m)
        decoder = first.joint.get_layer(f"csinet_plus_decoder_cr{rate}")
        np.testing.assert_allclose(decoder(codewords[-1]), out, atol=1e-4)
    for model, i in ((first, 0), (last, -1)):
        np.testing.assert_allclose(model.encoder(csi), codewords[i], atol=2e-5)
        np.testing.assert_allclose(model.autoencoder(csi), outputs[i], atol=1e-6)
    assert np.abs(outputs[0] - outputs[3]).max() > 0.01  # own decoders


def test_half_floats_keep_the_image():
    """Silent blocks hand on what the head gives, finer than bfloat16 at 0.5."""
    full = build_csinet_plus(SHAPE, 4).decoder
    half = in_bfloat16(lambda: build_csinet_plus(SHAPE, 4).decoder)
    for i in range(1, 6):
        full.get_layer(f"block{i}_3_bn").gamma.assign([0.0, 0.0])
    full.get_layer("head_bn").gamma.assign([0.1, 0.1])
    half.set_weights(full.get_weights())
    z = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    expected = np.asarray(full(z))
    assert expected.std() < 0.02
    error = np.sqrt(np.mean((half(z) - expected) ** 2))
    assert error < 0.03 * expected.std()
