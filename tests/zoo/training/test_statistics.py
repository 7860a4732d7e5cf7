"""Batch-norm statistics that are those of the weights, not of weights before them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from zoo import files
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.keras_compat import Model, keras, layers
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import session, statistics
from zoo.training.statistics import Statistics
from zoo.training.trainer import Trainer

SHAPE = (6, 5, 3)


def network(calls: int = 1, momentum: float = 0.99):
    """Two batch norms that train, one nested and called so often, and a frozen one."""
    keras.utils.set_random_seed(0)
    x, inner = keras.Input(SHAPE), keras.Input(SHAPE)
    norm = layers.BatchNormalization(name="inner_bn", momentum=momentum)
    y = layers.Conv2D(3, 3, padding="same", name="first")(inner)
    for _ in range(calls):
        y = norm(y)
    nested = Model(inner, y, name="nested")
    y = layers.Conv2D(4, 1, name="second")(nested(x))
    y = layers.BatchNormalization(name="outer_bn", momentum=0.9)(y)
    frozen = layers.BatchNormalization(name="frozen_bn")
    frozen.trainable = False
    return Model(x, frozen(y))


def estimate(model, csi: np.ndarray, size: int) -> None:
    batches = tf.data.Dataset.from_tensor_slices(csi).batch(size)
    strategy = tf.distribute.get_strategy()
    Statistics(
        strategy, model.variables, lambda x: model(x, training=True), batches
    ).estimate()


def draw(n: int) -> np.ndarray:
    return np.float32(np.random.default_rng(1).normal(0.5, 0.1, (n, *SHAPE)))


def check_population() -> None:
    """Of several batches, mean and variance over all their examples."""
    model, csi = network(), draw(60)
    estimate(model, csi, 20)
    nested = model.get_layer("nested")
    seen = nested.get_layer("first")(csi).numpy().astype(float)
    norm = nested.get_layer("inner_bn")
    mean, variance = (np.asarray(v) for v in (norm.moving_mean, norm.moving_variance))
    np.testing.assert_allclose(mean, seen.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(variance, seen.var((0, 1, 2)), rtol=2e-3)


def check_one_batch() -> None:
    """Inference then is what training sees; frozen statistics stay."""
    model, csi = network(), draw(40)
    estimate(model, csi, 40)
    frozen = model.get_layer("frozen_bn")
    assert np.all(np.asarray(frozen.moving_variance) == 1)
    expected = model(csi, training=True).numpy()
    estimate(model, csi, 40)
    got = model(csi, training=False).numpy()
    np.testing.assert_allclose(got, expected, atol=5e-3 * expected.std())


def test_statistics_over_all_batches():
    check_population()


def test_one_batch_as_training_sees_it():
    check_one_batch()


def test_a_mean_far_from_zero():
    """As where a start lifts CSI: E[x^2] - E[x]^2 in float32 loses digits."""
    x = keras.Input(SHAPE)
    norm = layers.BatchNormalization(epsilon=1e-5, momentum=0.9)
    csi = np.float32(np.random.default_rng(0).normal(100, 0.5, (400, *SHAPE)))
    estimate(Model(x, norm(x)), csi, 10)
    expected = csi.reshape(-1, SHAPE[2]).var(0, dtype=float)
    np.testing.assert_allclose(norm.moving_variance, expected, rtol=5e-4)


def test_the_same_on_tf_keras():
    code = (
        "from tests.zoo.training.test_statistics import *\n"
        "check_population(); check_one_batch()"
    )
    env = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_layer_that_is_called_twice():
    """It holds both calls' statistics, weighted as its moving average would."""
    model, csi, momentum = network(calls=2, momentum=0.5), draw(40), 0.5
    estimate(model, csi, 40)
    nested = model.get_layer("nested")
    seen = nested.get_layer("first")(csi).numpy().astype(float)
    norm = nested.get_layer("inner_bn")
    first, second = seen.var((0, 1, 2)), 1 - norm.epsilon / seen.var((0, 1, 2))
    expected = (momentum * first + second) / (1 + momentum)
    np.testing.assert_allclose(norm.moving_variance, expected, rtol=2e-2)


@pytest.mark.parametrize(
    ("choice", "steps", "expected"),
    [("auto", 200, True), ("auto", 2000, False), ("moving", 200, False)]
    + [("estimated", 5000, True)],
)
def test_when_statistics_are_estimated(choice, steps, expected):
    settings = ExperimentConfig(bn_statistics=choice)
    assert statistics.are_estimated(settings, steps) == expected


def test_a_tenth_of_an_epoch_is_seen(tiny_config, tmp_path):
    """All of an epoch that is short."""
    settings = tiny_config(tmp_path, num_train=0, batch_size=20)
    counts = [
        len(list(statistics.fixed_batches(settings, steps))) for steps in (2, 8, 400)
    ]
    assert counts[:2] == [2, 8] and counts[2] >= 8
    stream = tiny_config(tmp_path, dataset="cost2100_sim/indoor_tiny:stream")
    first = next(iter(statistics.fixed_batches(stream, 5)))
    np.testing.assert_array_equal(first, splits.load_split(settings, "train").csi[:20])


def true_nmse_db(run: RunDirectory) -> float:
    """NMSE of validation CSI with the statistics of just these: no moving average."""
    settings = run.config()
    split = splits.load_split(settings, "validation")
    network = run.load()
    csi_hat = network.decoder(network.encoder(split.csi, training=True), training=True)
    return accuracy.nmse_db(split.h, np.asarray(csi_hat) - np.float32(0.5))


def test_a_run_validates_at_the_nmse_of_its_weights(tiny_config, tmp_path):
    """Eight steps of momentum 0.99 say nothing; the weights are the same."""
    found = {}
    for name in ("moving", "estimated"):
        changes = {"model": "csinet", "epochs": 1, "bits": 0, "quantizer": "none"}
        changes |= {"bn_statistics": name, "deterministic": True}
        run = session.train(tiny_config(tmp_path / name, **changes))
        weights = [w.numpy() for w in run.load().trained.trainable_weights]
        found[name] = run.read_metrics()[0]["val_nmse_db"], true_nmse_db(run), weights
    for one, other in zip(found["moving"][2], found["estimated"][2], strict=True):
        np.testing.assert_array_equal(one, other)
    moving, estimated = found["moving"], found["estimated"]
    assert estimated[0] == pytest.approx(estimated[1], abs=0.5)
    assert moving[1] == pytest.approx(estimated[1], abs=0.5)
    assert abs(moving[0] - moving[1]) > 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"cpu_step": "fused", "bits": 6, "quantizer": "uniform"}]
    + [{"precision": "mixed_float16"}, {"ema": 0.9, "optimizer": "lamb"}],
)
def test_a_resumed_run_is_the_uninterrupted_one(tiny_config, tmp_path, changes):
    """To the last bit of weights, statistics and optimiser."""
    flags = {"model": "csinet", "schedule": "constant", "num_train": 100}
    flags |= {"bits": 0, "quantizer": "none", "deterministic": True, **changes}
    whole = session.train(tiny_config(tmp_path / "whole", **flags, epochs=2))
    run = session.train(tiny_config(tmp_path / "run", **flags, epochs=1))
    edit = files.read_json(run.path / "config.json") | {"epochs": 2}
    files.write_json(run.path / "config.json", edit)
    session.train(tiny_config(tmp_path / "run", **flags, epochs=2))
    with np.load(whole.checkpoint) as expected, np.load(run.checkpoint) as found:
        names = [name for name in expected.files if name != "progress"]
        for name in names:
            np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.slow
def test_replicas_see_parts_of_a_batch():
    """Two of them give what one does: in a process of its own, devices are fixed."""
    code = "from tests.zoo.training.test_statistics import *; check_two_replicas()"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def check_two_replicas() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    settings = ExperimentConfig(model="csinet", codeword_dim=8, batch_size=40)
    csi = np.float32(np.random.default_rng(0).normal(0.5, 0.1, (80, 8, 8, 2)))
    batches = tf.data.Dataset.from_tensor_slices(csi).batch(40)
    states = []
    for each in (strategy, tf.distribute.OneDeviceStrategy("CPU:0")):
        keras.utils.set_random_seed(0)
        trainer = Trainer(settings, each, (8, 8, 2), 10)
        trainer.estimate_statistics_on(batches)
        trainer.settle()
        weights = trainer.model.trained.non_trainable_variables
        states.append(np.concatenate([np.ravel(v.numpy()) for v in weights]))
    np.testing.assert_allclose(*states, rtol=0.05, atol=1e-3)
    first = trainer.model.encoder.layers[1](csi).numpy().astype(float)
    np.testing.assert_allclose(states[0][:2], first.mean((0, 1, 2)), atol=1e-4)
