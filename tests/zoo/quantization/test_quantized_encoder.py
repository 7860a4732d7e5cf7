"""Folded, equalised, fake-quantised and fine-tuned encoders, before any file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import nmse
from zoo import registry
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.keras_compat import keras, layers
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.quantization import mixed, qat
from zoo.quantization.fold import Folder
from zoo.quantization.kernels import LARGE
from zoo.quantization.mixed import accurate_encoder, nmse_db
from zoo.quantization.nodes import LINEAR
from zoo.quantization.qat import QatOptions, fine_tune
from zoo.quantization.quantized_encoder import QuantizedEncoder
from zoo.quantization.scales import equalise

SHAPE, M = (16, 16, 2), 16
FOLDED = ("acrnet", "clnet", "klt_residual")
FOLDED_SLOWLY = ("crnet", "csinet", "lora", "bcsinet", "cs_csinet")
SLOWLY = [pytest.param(name, marks=pytest.mark.slow) for name in FOLDED_SLOWLY]


def sparse_csi(count: int, shape=SHAPE) -> np.ndarray:
    rng = np.random.default_rng(3)
    h = rng.standard_normal((count, *shape)) * (rng.random((count, *shape)) < 0.1)
    return (0.5 * h / np.abs(h).max()).astype(np.float32)


def disturbed(name: str, **args):
    """Network whose batch norms and slopes are not those of the start."""
    keras.utils.set_random_seed(0)
    model = registry.build(name, args.pop("shape", SHAPE), args.pop("m", M), args)
    rng = np.random.default_rng(5)
    for variable in model.encoder.variables:
        kind = variable.name.rsplit("/")[-1]
        if kind in ("gamma", "moving_variance", "alpha"):
            variable.assign(rng.uniform(0.3, 1.5, variable.shape))
        elif kind in ("beta", "moving_mean", "bias"):
            variable.assign(rng.uniform(-0.2, 0.2, variable.shape))
    return model


def as_split(h: np.ndarray, seen: np.ndarray | None = None) -> splits.Split:
    seen = h if seen is None else seen
    return splits.Split(seen + np.float32(0.5), h + np.float32(0.5), None, 1024)


@pytest.mark.parity
@pytest.mark.parametrize("name", [*FOLDED, *SLOWLY])
def test_folded_and_equalised_encoder_is_the_network(name, monkeypatch):
    monkeypatch.setattr(QuantizedEncoder, "_calibrate", lambda self, h: None)
    model, h = disturbed(name), sparse_csi(8)
    got = QuantizedEncoder(model.encoder, h).run(h, exact=True)
    expected = np.asarray(model.encoder(h + 0.5))
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(got, expected, atol=2e-5 * scale)


def test_equalised_only_where_a_tensor_is_int8():
    encoder = disturbed("csinet").encoder

    def kernels(is_int8):
        nodes = Folder(encoder, 0.5).nodes
        linear = [node for node in nodes if node.kind in LINEAR]
        sizes = {x.name: 1.0 + np.arange(x.weights["kernel"].shape[-1]) for x in linear}
        before = [node.weights["kernel"].copy() for node in linear]
        equalise(nodes, sizes, is_int8)
        return before, [node.weights["kernel"] for node in linear]

    before, after = kernels(lambda name: name == "h")
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    before, after = kernels(lambda name: True)
    assert not np.array_equal(before[0], after[0])
    assert not np.array_equal(before[-1], after[-1])


def test_folded_grouped_convolution(monkeypatch):
    monkeypatch.setattr(QuantizedEncoder, "_calibrate", lambda self, h: None)
    csi = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(csi)
    x = GroupedConv2D(6, (3, 3), groups=2)(x)
    x = layers.Dense(M)(layers.Flatten()(x))
    model, h = keras.Model(csi, x), sparse_csi(8)
    got = QuantizedEncoder(model, h).run(h, exact=True)
    np.testing.assert_allclose(got, model(h + 0.5), atol=1e-5)


@pytest.mark.parametrize("name", ["csinet", SLOWLY[2]])
def test_fake_quantisers_cost_little(name):
    model, h = disturbed(name), sparse_csi(8)
    expected = np.asarray(model.encoder(h + 0.5))
    error = np.asarray(QuantizedEncoder(model.encoder, h)(h)) - expected
    assert 0 < np.sqrt(np.mean(error**2) / np.mean(expected**2)) < 0.1


def test_tensors_without_quantiser():
    """Only the released ones stop costing; the last layer's never are released."""
    model, h = disturbed("csinet"), sparse_csi(8)
    plain = QuantizedEncoder(model.encoder, h)
    costs = plain.costs(h)
    assert costs and "h" not in costs and plain.nodes[-1].name not in costs
    mixture = QuantizedEncoder(model.encoder, h, set(costs))
    assert set(mixture.ranges) < set(plain.ranges) and not mixture.costs(h)
    linear = [node for node in plain.nodes if node.kind in LINEAR]
    large = {x.name for x in linear if x.weights["kernel"].size >= LARGE}
    assert set(mixture.scales) == large < set(plain.scales)
    exact = np.asarray(model.encoder(h + 0.5))
    errors = [np.mean(np.square(encoder(h) - exact)) for encoder in (mixture, plain)]
    assert 0 < errors[0] < errors[1]


@pytest.mark.slow
def test_tensors_stay_float_until_the_loss_is_small(tiny_run):
    model, settings = tiny_run.load(), tiny_run.config()
    h = splits.load_split(settings, "train", 20).h
    held_out = splits.load_split(settings, "validation", 20)
    assert not accurate_encoder(model, h, held_out, limit_db=10.0).floats
    encoder = accurate_encoder(model, h, held_out, limit_db=-10.0)
    exact = nmse_db(model, lambda h: model.encoder(h + 0.5), held_out)
    assert nmse_db(model, encoder, held_out) == pytest.approx(exact, abs=0.1)


def test_most_accurate_encoder_where_none_is_within_the_limit(monkeypatch):
    tried = []

    def lost_db(encoder):
        tried.append(encoder)
        return float(len(tried))  # the first is the best, not the last

    monkeypatch.setattr(mixed, "losses", lambda *args: lost_db)
    model, h = disturbed("csinet"), sparse_csi(8)
    encoder = accurate_encoder(model, h, None, limit_db=-1.0)
    assert len(tried) > 1 and not tried[-1].costs(h)
    assert encoder is tried[0]


def test_layer_outside_the_table_is_refused():
    model = registry.build("transnet", (32, 32, 2), 32, {})
    h = np.zeros((2, 32, 32, 2), np.float32)
    with pytest.raises(ValueError, match="TransformerEncoder.*not in the table"):
        QuantizedEncoder(model.encoder, h)


def test_fine_tuning_lowers_the_loss(tiny_run):
    model = tiny_run.load()
    h = splits.load_split(tiny_run.config(), "train", 20).h
    encoder = QuantizedEncoder(model.encoder, h)

    def loss():
        sent = model.quantizer(encoder(h))
        return float(tf.reduce_mean(tf.square(model.receive(sent) - 0.5 - h)))

    before, decoder = loss(), [np.array(w) for w in model.decoder.weights]
    split = as_split(h)
    options = QatOptions(epochs=2, lr=3e-3, batch_size=10)
    fine_tune(encoder, model, split, split, options)
    assert loss() < before
    for ours, theirs in zip(model.decoder.weights, decoder, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="--qat_samples"):
        fine_tune(encoder, model, split, split, QatOptions(batch_size=50))


def test_fine_tuning_lowers_the_loss_of_the_training(capsys):
    """1 - SGCS where the network was trained by it."""
    h = sparse_csi(20) + np.float32(1e-3)  # no column of zeros
    keras.utils.set_random_seed(0)
    settings = ExperimentConfig(
        model="csinet", codeword_dim=M, quantizer="uniform", bits=4
    )
    model = build_autoencoder(settings, SHAPE)
    encoder = QuantizedEncoder(model.encoder, h)

    def loss():
        h_hat = np.asarray(model.receive(model.quantizer(encoder(h)))) - 0.5
        return 1 - nmse.sgcs(h, h_hat)

    before, split = loss(), dataclasses.replace(as_split(h), loss="sgcs")
    fine_tune(encoder, model, split, split, QatOptions(epochs=2, batch_size=10))
    least = float(capsys.readouterr().out.split("least ")[-1].split(")")[0])
    assert loss() == pytest.approx(least, rel=1e-4) and least < before


def test_fine_tuning_with_a_quantiser_that_has_a_gradient_in_training_alone():
    settings = ExperimentConfig(
        model="csinet", codeword_dim=M, quantizer="ssq", bits=4, normaliser="none"
    )
    keras.utils.set_random_seed(0)
    model, h = build_autoencoder(settings, SHAPE), sparse_csi(20)
    model.quantizer.fit(np.asarray(model.encoder(h + 0.5)))
    encoder, split = QuantizedEncoder(model.encoder, h), as_split(h)
    before = float(qat._loss(encoder, model, split.h_seen, split.h))
    fine_tune(encoder, model, split, split, QatOptions(epochs=2, batch_size=10))
    assert float(qat._loss(encoder, model, split.h_seen, split.h)) < before


def test_fine_tuning_is_judged_by_the_truth(tiny_run):
    """Epochs are chosen by the error of what is sent, not of what was received."""
    model = tiny_run.load()
    h = splits.load_split(tiny_run.config(), "train", 20).h
    encoder = QuantizedEncoder(model.encoder, h)
    noisy = h + 0.02 * np.random.default_rng(0).standard_normal(h.shape, np.float32)
    sent = model.receive(model.quantizer(encoder(noisy))) - 0.5
    expected = float(np.mean(np.square(sent - h)))
    split = as_split(h, noisy)
    found = float(qat._loss(encoder, model, split.h_seen, split.h))
    assert found == pytest.approx(expected, rel=1e-4)
    assert found != pytest.approx(float(np.mean(np.square(sent - noisy))), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("losses", [(1.0, 2.0), (2.0, 1.0)])
def test_fine_tuning_that_does_harm_is_undone(tiny_run, monkeypatch, losses):
    model = tiny_run.load()
    h = splits.load_split(tiny_run.config(), "train", 20).h
    encoder = QuantizedEncoder(model.encoder, h)
    before = encoder(h).numpy()
    held_out, real = iter(losses), qat._loss  # a step's own loss is in a graph
    monkeypatch.setattr(
        qat,
        "_loss",
        lambda *args, **kwargs: (
            next(held_out) if tf.executing_eagerly() else real(*args, **kwargs)
        ),
    )
    split = as_split(h)
    fine_tune(encoder, model, split, split, QatOptions(epochs=1, lr=0.3, batch_size=20))
    undone = np.allclose(encoder(h), before, atol=1e-5)
    assert undone == (losses[1] > losses[0])
