"""Attention-CsiNet and DS-NLCsiNet: their layers in NumPy, counts, export."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import randomise
from zoo.keras_compat import Model, keras, layers, set_precision
from zoo.layers.non_local import NonLocalBlock
from zoo.metrics import complexity
from zoo.models.attention_csinet import ResidualLSTM, build_attention_csinet
from zoo.models.ds_nlcsinet import build_ds_nlcsinet

RNG = np.random.default_rng(0)
BUILDS = {"attention": build_attention_csinet, "non_local": build_ds_nlcsinet}
# Odd sides: the pooling windows at the edge are cut.
SHAPES = {"lstm": (5, 6), "non_local": (5, 7, 4)}
# M: (UE params, BS params, UE MACs, BS MACs), counted from the layer lists by hand.
COUNTS = {
    "attention": {
        512: (1_156_202, 1_161_378, 4_493_312, 7_737_664),
        32: (172_682, 178_338, 3_510_272, 6_754_624),
    },
    "non_local": {
        512: (1_049_143, 1_058_751, 1_617_920, 9_654_272),
        256: (524_599, 534_463, 1_093_632, 9_129_984),
        32: (65_623, 75_711, 634_880, 8_671_232),
    },
}
ATTENTION_FLOPS = {512: 24.72e6, 32: 20.79e6}  # CLNet's Table I


def _layer(name, dtype="float32"):
    if name == "lstm":
        return ResidualLSTM(3, name=name, dtype=dtype)
    return NonLocalBlock(3, name=name, dtype=dtype)


def _model(name, dtype="float32"):
    x = keras.Input(SHAPES[name])
    layer = _layer(name, dtype)
    return Model(x, layer(x)), layer


def _input(name, batch=3):
    return RNG.standard_normal((batch, *SHAPES[name])).astype(np.float32)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parity
def test_lstm_against_numpy_and_keras():
    model, layer = _model("lstm")
    randomise(model, RNG, 0.6)
    w = {name: np.asarray(value) for name, value in layer.tensors.items()}
    x = _input("lstm")
    expected = np.zeros_like(x)
    for n, example in enumerate(x):
        h = c = np.zeros(3)
        for t, row in enumerate(example):
            gates = row @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
            i, f, candidate, o = gates.reshape(4, 3)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(candidate)
            h = _sigmoid(o) * np.tanh(c)
            expected[n, t] = row + h @ w["output_kernel"] + w["output_bias"]
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    theirs = layers.LSTM(3, return_sequences=True)
    theirs.build(x.shape)
    theirs.set_weights([w["kernel"], w["recurrent_kernel"], w["bias"]])
    expected = x + theirs(x) @ w["output_kernel"] + w["output_bias"]
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


def test_lstm_initial_values():
    """Forget gate open, orthogonal rows in the recurrent kernel."""
    _, layer = _model("lstm")
    np.testing.assert_array_equal(
        layer.tensors["bias"], [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    )
    r = np.asarray(layer.tensors["recurrent_kernel"])
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-5)


@pytest.mark.parity
def test_non_local_against_numpy():
    """Position by position, with windows of 2 x 2 cut at the edges."""
    model, layer = _model("non_local")
    randomise(model, RNG, 0.6)
    w = {name: np.asarray(value) for name, value in layer.tensors.items()}
    x = _input("non_local")
    maps = {k: x @ w[f"{k}_kernel"] + w[f"{k}_bias"] for k in ("theta", "phi", "g")}
    windows = [
        (slice(i, i + 2), slice(j, j + 2)) for i in (0, 2, 4) for j in (0, 2, 4, 6)
    ]
    expected = np.zeros_like(x)
    for n in range(len(x)):
        phi, g = (
            np.array([maps[k][n][window].max(axis=(0, 1)) for window in windows])
            for k in ("phi", "g")
        )
        for i in range(5):
            for j in range(7):
                e = np.exp(phi @ maps["theta"][n, i, j])
                y = (e / e.sum()) @ g @ w["output_kernel"] + w["output_bias"]
                expected[n, i, j] = x[n, i, j] + y
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


def test_non_local_starts_as_identity_and_learns():
    model, layer = _model("non_local")
    x = _input("non_local")
    np.testing.assert_array_equal(model(x), x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x) ** 2)
    output_kernel = layer.tensors["output_kernel"]
    index = [w is output_kernel for w in model.trainable_weights].index(True)
    assert np.abs(tape.gradient(loss, model.trainable_weights)[index]).max() > 0.1


def test_macs_of_the_layers():
    """Matrices counted one by one."""
    _, lstm = _model("lstm")
    assert lstm.macs() == 5 * (6 * 12 + 3 * 12 + 3 * 6)
    _, block = _model("non_local")
    assert block.macs() == 35 * 4 * 3 * 4 + 2 * 35 * 12 * 3


@pytest.mark.parametrize("name", SHAPES)
def test_serialisation_and_precision(name, tmp_path):
    model, layer = _model(name)
    randomise(model, RNG, 0.6)
    x = _input(name)
    again = Model.from_config(model.get_config())
    model.save_weights(tmp_path / "a.weights.h5")
    again.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(again(x), model(x))
    assert type(layer).from_config(layer.get_config()).get_config() == (
        layer.get_config()
    )
    half, _ = _model(name, "mixed_bfloat16")
    half.set_weights(model.get_weights())
    out = half(x)
    assert out.dtype == tf.bfloat16
    scale = np.abs(model(x)).max()
    np.testing.assert_allclose(tf.cast(out, "float32"), model(x), atol=0.03 * scale)


def _summary(name, codeword_dim):
    s = complexity.summary(BUILDS[name](codeword_dim=codeword_dim))
    return s["ue_params"], s["bs_params"], s["ue_macs"], s["bs_macs"]


@pytest.mark.golden
@pytest.mark.parametrize("codeword_dim", COUNTS["attention"])
def test_attention_csinet_counts(codeword_dim):
    """Two operations per MAC stay within 1.3 % of the published FLOPs."""
    counts = _summary("attention", codeword_dim)
    assert counts == COUNTS["attention"][codeword_dim]
    gap = ATTENTION_FLOPS[codeword_dim] - 2 * (counts[2] + counts[3])
    assert 0.25e6 < gap < 0.27e6


@pytest.mark.golden
@pytest.mark.parametrize("codeword_dim", COUNTS["non_local"])
def test_ds_nlcsinet_counts(codeword_dim):
    assert _summary("non_local", codeword_dim) == COUNTS["non_local"][codeword_dim]


@pytest.mark.golden
def test_ds_nlcsinet_against_published_figures():
    """2.108M and 1.059M parameters, 10.25M FLOPs."""
    totals = {m: sum(c[:2]) for m, c in COUNTS["non_local"].items()}
    assert round(totals[512] / 1e6, 3) == 2.108
    assert round(totals[256] / 1e6, 3) == 1.059
    assert sum(COUNTS["non_local"][256][2:]) == pytest.approx(10.25e6, rel=0.003)


def test_wiring():
    """What each convolution sees, and where the attention is."""
    dense = build_ds_nlcsinet((8, 6, 2), 5).decoder
    for block in ("dense1", "dense2"):
        kernels = [dense.get_layer(f"{block}_{i}_conv").kernel.shape for i in (1, 2, 3)]
        assert [tuple(k[2:]) for k in kernels] == [(2, 12), (14, 24), (38, 2)]
    refine = build_attention_csinet((8, 6, 2), 5).decoder
    for block in ("refine1", "refine2"):
        hidden = [
            tuple(refine.get_layer(f"{block}_se{i}_squeeze").kernel.shape)
            for i in (1, 2)
        ]
        assert hidden == [(8, 2), (16, 4)]


@pytest.mark.parametrize("name", BUILDS)
def test_network(name):
    """Other shape, output in [0, 1], halves agree, float32 under mixed precision."""
    full = BUILDS[name]((8, 6, 2), 5)
    set_precision("mixed_bfloat16")
    try:
        half = BUILDS[name]((8, 6, 2), 5)
    finally:
        set_precision("float32")
    randomise(full.autoencoder, RNG, 0.6)
    half.autoencoder.set_weights(full.autoencoder.get_weights())
    csi = RNG.random((3, 8, 6, 2), np.float32)
    codeword, out = full.encoder(csi), np.asarray(full.autoencoder(csi))
    assert codeword.shape == (3, 5) and out.shape == csi.shape
    assert 0 <= out.min() < 0.4 and 0.6 < out.max() <= 1
    np.testing.assert_allclose(full.decoder(codeword), out, atol=1e-6)
    assert half.autoencoder(csi).dtype == tf.float32
    close = np.abs(half.autoencoder(csi) - out)
    assert np.median(close) < 0.03 and np.any(close > 0)


def test_refused_sizes():
    for build in BUILDS.values():
        with pytest.raises(ValueError, match="csi_shape"):
            build((32, 32), 64)
