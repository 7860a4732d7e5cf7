"""Quantisers with learned scale and zero point, against eq. 31-33 of LORA's paper."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import bitstream
from zoo.codeword.codeword_path import QUANTIZERS, make_quantizer
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.keras_compat import keras
from zoo.layers.affine_quantizer import AffineGrid, AffineQuantizer
from zoo.training.freezing import freeze
from zoo.training.trainer import Trainer

LEARNED = ("qat", "lsq", "lszq")
FITTED = (*LEARNED, "ssq")


def _codeword(rng, count=400, entries=6):
    return (0.3 * rng.standard_normal((count, entries)) + 0.1).astype(np.float32)


def _fitted(kind="lszq", bits=4, per_entry=False):
    layer = AffineQuantizer(bits, kind, per_entry)
    layer.build((None, 6))
    layer.fit(_codeword(np.random.default_rng(0)))
    return layer


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10])
def test_forward_against_numpy(bits):
    rng = np.random.default_rng(1)
    r, s, z = rng.standard_normal((50, 6)), 0.11, -0.2
    n, p = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    q = np.round(np.clip((r - z) / s, n, p))
    grid = AffineGrid(bits, np.float32(s), np.float32(z))
    r = r.astype(np.float32)
    np.testing.assert_array_equal(grid.indices(r), q - n)
    np.testing.assert_allclose(grid.dequantize(grid.indices(r)), s * q + z, atol=1e-5)
    np.testing.assert_allclose(grid.quantise(r), s * q + z, atol=1e-5)


def test_gradients_are_equations_32_and_33():
    bits, s, z = 3, 0.5, 0.2
    n, p = -4.0, 3.0
    u = np.array([-9.0, -4.2, -3.7, -1.2, 0.3, 2.6, 3.4, 8.0], np.float32)
    r, scale, zero = tf.constant(s * u + z), tf.Variable(s), tf.Variable(z)
    inside = (u > n) & (u < p)
    for i in range(len(u)):
        with tf.GradientTape() as tape:
            tape.watch(r)
            r_hat = AffineGrid(bits, scale, zero).quantise(r)[i]
        by_r, by_s, by_z = tape.gradient(r_hat, [r, scale, zero])
        expected = np.round(u[i]) - u[i] if inside[i] else np.clip(u[i], n, p)
        assert float(by_s) == pytest.approx(expected, abs=1e-5)
        assert float(by_z) == pytest.approx(0.0 if inside[i] else 1.0, abs=1e-6)
        assert float(by_r[i]) == (1.0 if inside[i] else 0.0)


@pytest.mark.parametrize("u", [-7.3, -2.2, 0.4, 1.7, 5.1])
def test_gradients_by_finite_differences(u):
    """Exact where the code clips; inside, with the rounding error held constant."""
    bits, s, z, step = 3, 0.5, 0.2, 1e-3
    r = s * u + z

    def value(s, z, held=None):
        clipped = np.clip((r - z) / s, -4, 3)
        q = np.round(clipped) if held is None else clipped + held
        return s * q + z

    held = None
    if -4 < u < 3:
        held = np.round(u) - u  # straight through: d round(u) = d u
    scale, zero = tf.Variable(s), tf.Variable(z)
    with tf.GradientTape() as tape:
        r_hat = AffineGrid(bits, scale, zero).quantise(tf.constant([r], tf.float32))
    by_s, by_z = tape.gradient(r_hat, [scale, zero])
    slope_s = (value(s + step, z, held) - value(s - step, z, held)) / (2 * step)
    slope_z = (value(s, z + step, held) - value(s, z - step, held)) / (2 * step)
    assert float(by_s) == pytest.approx(slope_s, abs=1e-3)
    assert float(by_z) == pytest.approx(slope_z, abs=1e-3)


def test_parameters_chain_to_scale_and_zero():
    layer = _fitted()
    layer.log_gain.assign(0.2)
    layer.shift.assign(-0.7)
    first, zero = float(layer.first_scale), float(layer.first_zero)
    _, s, z = layer.frozen()
    assert s == pytest.approx(first * np.exp(0.2), rel=1e-6)
    assert z == pytest.approx(zero - 0.7 * first, rel=1e-5)
    r = tf.constant(_codeword(np.random.default_rng(2), 5))
    scale, offset = tf.Variable(s), tf.Variable(z)
    with tf.GradientTape(persistent=True) as tape:
        own = tf.reduce_sum(tf.square(layer(r) - 1))
        same = tf.reduce_sum(tf.square(AffineGrid(4, scale, offset).quantise(r) - 1))
    by_s, by_z = tape.gradient(same, [scale, offset])
    by_gain, by_shift = tape.gradient(own, [layer.log_gain, layer.shift])
    assert float(by_gain) == pytest.approx(float(by_s) * s, rel=1e-4)
    assert float(by_shift) == pytest.approx(float(by_z) * first, rel=1e-4)


@pytest.mark.parametrize("per_entry", [False, True])
def test_gradients_of_a_layer_whose_scale_is_trained_itself(per_entry):
    """Sums of eq. 32 and 33 over a batch, in NumPy, times the loss's derivative."""
    bits, s, z = 3, 0.07, 0.05
    layer = AffineQuantizer(bits, per_entry=per_entry, scale=s, zero=z, direct=True)
    layer.build((None, 6))
    r = _codeword(np.random.default_rng(3), 200)
    layer.fit(r)
    with tf.GradientTape() as tape:
        tape.watch(given := tf.constant(r))
        loss = tf.reduce_sum(tf.square(layer(given) - 0.3))
    names = [w.name.split(":")[0] for w in layer.trainable_weights]
    assert [name.split("/")[-1] for name in names] == ["scale", "zero"]
    by_s, by_z, by_r = tape.gradient(loss, [*layer.trainable_weights, given])
    u = (r.astype(np.float64) - z) / s
    inside = (u > -4) & (u < 3)
    assert 0.2 < inside.mean() < 0.9
    q = np.round(np.clip(u, -4, 3))
    outer = 2 * (s * q + z - 0.3)
    axis = 0 if per_entry else None
    expected = (outer * np.where(inside, np.round(u) - u, q)).sum(axis)
    np.testing.assert_allclose(by_s, expected, rtol=2e-4, atol=2e-3)
    np.testing.assert_allclose(by_z, (outer * ~inside).sum(axis), rtol=2e-4)
    np.testing.assert_allclose(by_r, outer * inside, atol=1e-4)


def test_a_scale_that_is_driven_below_zero_stays_a_scale():
    layer = AffineQuantizer(4, scale=0.1, zero=0.0, direct=True)
    layer.build((None, 6))
    r = _codeword(np.random.default_rng(0))
    layer.fit(r)
    before = np.asarray(layer(r))
    layer.first_scale.assign(-0.1)
    np.testing.assert_array_equal(layer(r), before)
    assert layer.agreed()["scale"] == pytest.approx(0.1)


@pytest.mark.parametrize(("kind", "trained"), [("qat", 0), ("lsq", 1), ("lszq", 2)])
@pytest.mark.parametrize("per_entry", [False, True])
@pytest.mark.parametrize("direct", [False, True])
def test_what_is_trained(kind, trained, per_entry, direct):
    layer = AffineQuantizer(4, kind, per_entry, direct=direct)
    layer.build((None, 6))
    layer.fit(_codeword(np.random.default_rng(0)))
    assert len(layer.trainable_weights) == trained
    assert {tuple(w.shape) for w in layer.weights} == {(6,) if per_entry else ()}


@pytest.mark.parametrize("per_entry", [False, True])
@pytest.mark.parametrize("bits", [1, 4, 9])
def test_fit_tiles_the_range(bits, per_entry):
    codeword = _codeword(np.random.default_rng(0)) * np.float32([1, 2, 3, 4, 5, 0])
    layer = AffineQuantizer(bits, per_entry=per_entry)
    layer.build((None, 6))
    assert layer.needs_fit
    layer.fit(codeword)
    assert not layer.needs_fit
    low, high = codeword.min(), codeword.max()
    indices = np.asarray(layer.indices(codeword))
    assert indices.min() == 0 and indices.max() == 2**bits - 1
    error = np.abs(np.asarray(layer(codeword)) - codeword).max()
    assert error <= (high - low) / 2**bits / 2 * 1.001
    if per_entry:  # an entry that never changes is kept as it is
        np.testing.assert_allclose(np.asarray(layer(codeword))[:, 5], 0, atol=1e-5)


def test_lszq_recovers_a_known_affine_code():
    """Codewords on a grid s q + z: from a wrong start training finds s and z."""
    rng, bits, s, z = np.random.default_rng(0), 3, 0.21, 0.4
    q = rng.integers(-4, 4, (512, 6))
    r = tf.constant((s * q + z).astype(np.float32))
    layer = AffineQuantizer(bits, scale=0.9 * s, zero=z - 0.4 * s)
    layer.build((None, 6))
    layer.fit(r.numpy())
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(layer.trainable_weights)

    @tf.function
    def update():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(r) - r))
        gradients = tape.gradient(loss, layer.trainable_weights)
        optimizer.apply_gradients(zip(gradients, layer.trainable_weights, strict=True))
        return loss

    first = float(update())
    for _ in range(600):
        last = float(update())
    _, found_s, found_z = layer.frozen()
    assert last < 1e-3 * first
    assert found_s == pytest.approx(s, rel=0.01)
    assert found_z == pytest.approx(z, abs=0.02 * s)


@pytest.mark.parametrize("name", LEARNED)
def test_configuration_and_bits(name):
    layer = make_quantizer(name, 5, {"per_entry": True, "direct": name == "lsq"})
    layer.build((None, 6))
    codeword = _codeword(np.random.default_rng(0))
    layer.fit(codeword)
    again = type(layer).from_config(layer.get_config())
    again.build((None, 6))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(codeword), layer(codeword))
    indices = np.asarray(layer.indices(codeword))
    sent = bitstream.unpack(bitstream.pack(indices, 5), 6, 5)
    np.testing.assert_allclose(layer.dequantize(sent), layer(codeword), atol=1e-6)
    frozen = layer.frozen()
    np.testing.assert_array_equal(frozen.indices(codeword), indices)


def test_values_by_hand():
    layer = make_quantizer("qat", 4, {"scale": 0.05, "zero": 0})
    layer.build((None, 6))
    layer.fit(_codeword(np.random.default_rng(0)))
    assert layer.agreed() == {"scale": pytest.approx(0.05), "zero": 0.0}


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("lsq", {"scale": 0}, "scale is 0, expected more than 0"),
        (
            "lsq",
            {"per": True},
            "lsq has no option per; it has direct, per_entry, scale, zero",
        ),
        ("uniform", {"scale": 1}, "uniform has no option scale; it has none"),
    ],
)
def test_unusable_options_are_refused(name, args, message):
    with pytest.raises(ValueError, match=message):
        make_quantizer(name, 4, args)


OTHERS = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("acrnet", "bcsinet", "cllwcsinet", "csinet", "csinet_plus", "transnet")
]


POLAR = {"polar", "mdpq"}  # for magnitudes and phases, see test_polar and test_dualnet


@pytest.mark.parametrize("name", sorted(set(QUANTIZERS) - POLAR))
@pytest.mark.parametrize("model", ["lora", *OTHERS])
def test_any_network_takes_any_quantiser(model, name):
    """One update of every combination moves the network and keeps the loss finite."""
    settings = ExperimentConfig(
        model=model, codeword_dim=64, quantizer=name, bits=1 if name == "sign" else 3,
        batch_size=6, schedule="constant", lr=1e-3, cpu_step="native",
        normaliser="none" if name in FITTED else "tanh",
    )  # fmt: skip
    trainer = Trainer(settings, tf.distribute.get_strategy(), (16, 16, 2), 10)
    csi = np.random.default_rng(0).random((6, 16, 16, 2), np.float32)
    if name in FITTED:
        trainer.model.quantizer.fit(trainer.codewords(csi))
    before = [np.array(w) for w in trainer.model.encoder.trainable_weights]
    assert np.isfinite(float(trainer.step(csi)))
    after = trainer.model.encoder.trainable_weights
    assert any(np.any(a != b) for a, b in zip(after, before, strict=True))


def test_the_quantiser_alone_is_trained():
    config = ExperimentConfig(
        model="lora", codeword_dim=16, quantizer="lszq", bits=4, normaliser="none",
        weights="a_run", train_part="quantizer",
    )  # fmt: skip
    model = build_autoencoder(config, (8, 8, 2))
    freeze(model, config.train_part)
    trained = {w.name for w in model.trained.trainable_weights}
    assert trained == {"log_gain", "shift"}
    freeze(build_autoencoder(config, (8, 8, 2)), "all")
    with pytest.raises(ValueError, match="qat has nothing to train"):
        ExperimentConfig(
            quantizer="qat", bits=4, weights="a_run", train_part="quantizer"
        )
