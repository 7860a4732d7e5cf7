"""CsiNet-LSTM and ConvLSTM-CsiNet: wiring, counts and export."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import (
    assert_gradients,
    assert_reloads,
    in_bfloat16,
    randomise,
    run_tflite,
)
from tests.zoo.layers.test_layers_slots import (
    RNG,
    SHAPE,
    convolve,
    leaky,
    random_input,
    recur,
)
from zoo.keras_compat import Model, keras
from zoo.metrics import complexity
from zoo.models.convlstm_csinet import VARIANTS, build_convlstm_csinet, features
from zoo.models.csinet_lstm import build_csinet_lstm

BUILDS = {
    "csinet_lstm": lambda: build_csinet_lstm(SHAPE, 5, first_dim=9, lstm_units=7),
    **{
        f"convlstm_{v}": lambda v=v: build_convlstm_csinet(SHAPE, 5, variant=v)
        for v in VARIANTS
    },
}


def _part(values, start):
    return {k.split("/", 1)[1]: v for k, v in values.items() if k.startswith(start)}


def _batch_norm(x, w):
    x = (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + 1e-3)
    return w["gamma"] * x + w["beta"]


def _conv_bn_act(x, values, name):
    w = _part(values, f"{name}_conv/")
    x = convolve(x, w["kernel"]) + w["bias"]
    return leaky(_batch_norm(x, _part(values, f"{name}_bn/")))


@pytest.mark.parametrize("variant", VARIANTS)
def test_pseudo_3d_blocks(variant):
    inputs = keras.Input(SHAPE)
    model, x = Model(inputs, features(inputs, variant)), random_input()
    values = randomise(model, RNG, 0.4)
    if variant == "3d":
        w = _part(values, "features_conv/")
        expected = convolve(x, w["kernel"]) + w["bias"]
    else:
        space = _conv_bn_act(x, values, "space")
        time = _conv_bn_act(x if variant == "b" else space, values, "time")
        expected = x + time + (0 if variant == "a" else space)
    np.testing.assert_allclose(model(x), expected, atol=1e-4)


def test_csinet_lstm_encoder():
    """Slot 1 by its own weights, slots 2 to T by shared ones; order of the entries."""
    model, csi = BUILDS["csinet_lstm"](), random_input()
    values = randomise(model.encoder, RNG, 0.4)
    parts = []
    for name, x in (("first", csi[:, :1]), ("later", csi[:, 1:])):
        x = _conv_bn_act(x, values, name).reshape(*x.shape[:2], -1)
        w = _part(values, f"{name}_codeword/")
        parts.append((x @ w["kernel"] + w["bias"]).reshape(2, -1))
    assert [part.shape[1] for part in parts] == [9, 10]
    expected = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(model.encoder(csi), expected, atol=1e-4)


def test_csinet_lstm_decoder_is_causal():
    """Slot t sees the codewords up to t; the first codeword enters every estimate."""
    decoder = BUILDS["csinet_lstm"]().decoder
    codeword = RNG.standard_normal((1, 19)).astype(np.float32)
    outputs = Model(
        decoder.input, [decoder.get_layer("estimates").output, *decoder.outputs]
    )

    def changed(entry):
        """Slots that differ in (estimates, output) when one entry moves."""
        other = codeword.copy()
        other[0, entry] += 1
        pairs = zip(outputs(codeword), outputs(other), strict=True)
        return [
            list(np.abs(np.asarray(a - b)).max(axis=(0, 2, 3, 4)) > 1e-7)
            for a, b in pairs
        ]

    assert changed(0) == [[True] * 3, [True] * 3]
    assert changed(9) == [[False, True, False], [False, True, True]]
    assert changed(18) == [[False, False, True], [False, False, True]]
    zero = Model(decoder.get_layer("lstm3").output, decoder.output)
    np.testing.assert_array_equal(zero(np.zeros((1, 3, 96))), np.full((1, *SHAPE), 0.5))


def test_convlstm_bottleneck_sums_fc_and_lstm():
    model, csi = BUILDS["convlstm_3d"](), random_input()
    encoder = model.encoder
    values = randomise(encoder, RNG, 0.4)
    flat = np.asarray(Model(encoder.input, encoder.get_layer("flatten").output)(csi))
    fc, lstm = _part(values, "compress_fc/"), _part(values, "compress_lstm/")
    gates = flat @ lstm["kernel"] + lstm["bias"]
    expected = recur(gates, lambda h: h @ lstm["recurrent_kernel"])
    expected += flat @ fc["kernel"] + fc["bias"]
    np.testing.assert_allclose(encoder(csi), expected.reshape(2, -1), atol=1e-4)


@pytest.mark.parametrize("name", BUILDS)
def test_network(name, tmp_path):
    """Shapes, range, gradients, configuration, weights file and bfloat16."""
    model, csi = BUILDS[name](), random_input()
    randomise(model.encoder, RNG, 0.2)
    randomise(model.decoder, RNG, 0.2)
    out = np.asarray(model.autoencoder(csi))
    assert out.shape == csi.shape and out.min() >= 0 and out.max() <= 1
    codeword = model.encoder(csi)
    np.testing.assert_allclose(model.decoder(codeword), out, atol=1e-6)
    # Batch norm takes the biases before it away.
    assert_gradients(
        lambda: tf.reduce_mean((model.autoencoder(csi, training=True) - csi) ** 2),
        model.autoencoder.trainable_variables,
        constant=("_conv/bias",),
    )
    for part, x in ((model.encoder, csi), (model.decoder, codeword)):
        assert not any(isinstance(layer, Model) for layer in part.layers)
        assert len(part.weights) == len(part.variables)
        assert_reloads(part, x, tmp_path)
    out = model.autoencoder(csi)
    half = in_bfloat16(BUILDS[name]).autoencoder
    half.set_weights(model.autoencoder.get_weights())
    assert half(csi).dtype == tf.float32
    np.testing.assert_allclose(half(csi), out, atol=0.05)


@pytest.mark.tflite
@pytest.mark.parametrize("name", ["convlstm_c"])
def test_tflite_encoder(name):
    encoder, csi = BUILDS[name]().encoder, random_input(1)
    randomise(encoder, RNG, 0.4)
    np.testing.assert_allclose(run_tflite(encoder, csi), encoder(csi), atol=1e-4)


def _zero_orthogonal(monkeypatch):
    """Full-size recurrent kernels without their slow initialisation."""
    monkeypatch.setattr(
        keras.initializers.Orthogonal,
        "__call__",
        lambda self, shape, dtype=None, **_: tf.zeros(shape, dtype or "float32"),
    )


@pytest.mark.golden
def test_csinet_lstm_counts(monkeypatch):
    """CsiNet's two encoders and decoders and 3 x 33,562,624 of the LSTM layers."""
    _zero_orthogonal(monkeypatch)
    model = build_csinet_lstm(codeword_dim=32)
    lstm = [model.decoder.get_layer(f"lstm{i}").count_params() for i in (1, 2, 3)]
    assert lstm == [33_562_624] * 3
    s = complexity.summary(model)
    assert s["ue_params"] == 1_114_740 and s["bs_params"] == 102_861_304
    # CsiNet's MACs (its output convolution apart), nine times for the later slots.
    later = 36_864 + 2048 * 32
    assert s["ue_macs"] == 1_085_440 + 9 * later
    estimate = 4_329_472 - 36_864
    lstm = 3 * (10 + 9) * 2048 * 8192
    assert s["bs_macs"] == 10 * estimate + 9 * 32 * 2048 + lstm


@pytest.mark.golden
def test_convlstm_counts(monkeypatch):
    _zero_orthogonal(monkeypatch)
    s = complexity.summary(build_convlstm_csinet(codeword_dim=32))
    assert s["ue_params"] == 332_346 and s["bs_params"] == 17_117_108
    conv_lstm = (4 + 3) * 9 * 2 * 8 * 1024
    bottleneck = 4 * 2048 * 32 + 4 * 2048 * 128 + 3 * 32 * 128
    assert s["ue_macs"] == conv_lstm + 4 * 1024 * 27 * 4 + bottleneck
    block = 27 * (2 + 8 + 16) + 2 * 8 + 8 * 16 + 16 * 2
    separable = 4 * 1024 * (2 * block + 27 * 2 + 4)
    bottleneck = 4 * 32 * 2048 + 4 * 32 * 8192 + 3 * 2048 * 8192
    assert s["bs_macs"] == bottleneck + separable


@pytest.mark.parametrize(
    ("build", "args", "word"),
    [
        (build_csinet_lstm, {"csi_shape": (32, 32, 2)}, "T, N_t, N_a"),
        (build_csinet_lstm, {"csi_shape": (1, 8, 8, 2)}, "two time slots"),
        (build_csinet_lstm, {"codeword_dim": 0}, "codeword_dim is 0"),
        (build_csinet_lstm, {"first_dim": 0}, "first_dim is 0"),
        (build_csinet_lstm, {"lstm_units": -1}, "lstm_units is -1"),
        (build_convlstm_csinet, {"csi_shape": (4, 8, 8, 1)}, "T, N_t, N_a"),
        (build_convlstm_csinet, {"variant": "d"}, "3d, a, b, c"),
        (build_convlstm_csinet, {"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_refused(build, args, word):
    with pytest.raises(ValueError, match=word):
        build(**args)
