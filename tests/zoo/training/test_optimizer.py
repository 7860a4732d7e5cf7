"""The share of the rate that fully connected layers take; epsilon and gradients."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.experiments.comparison_plan import Case, Plan
from zoo.keras_compat import keras, set_precision
from zoo.training import session
from zoo.training.optimizer import Adam
from zoo.training.trainer import Trainer

SHAPES = {"matrix": (5, 4), "kernel": (3, 3, 2, 4), "bias": (4,)}
SHARE = 0.03


def updated(optimizer, compiled: bool) -> list[np.ndarray]:
    """Weights of `SHAPES` after three updates with fixed gradients."""
    rng = np.random.default_rng(0)
    weights = [tf.Variable(np.float32(rng.normal(size=s))) for s in SHAPES.values()]
    optimizer.build(weights)

    def apply(gradients):
        optimizer.apply_gradients(zip(gradients, weights, strict=True))

    run = tf.function(apply, jit_compile=True) if compiled else apply
    for _ in range(3):
        run([tf.constant(rng.normal(size=w.shape), tf.float32) for w in weights])
    return [w.numpy() for w in weights]


def check_share(compiled: bool) -> None:
    """Matrices move as at the smaller rate, all else as at the whole."""
    whole = updated(keras.optimizers.Adam(0.1), compiled)
    small = updated(keras.optimizers.Adam(0.1 * SHARE), compiled)
    got = updated(Adam(0.1, SHARE), compiled)
    for actual, expected in zip(got, [small[0], *whole[1:]], strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert np.abs(whole[0] - small[0]).max() > 0.1


@pytest.mark.parametrize("compiled", [False, True])
def test_matrices_take_their_share(compiled):
    check_share(compiled)


def check_relative(compiled: bool) -> None:
    """Steps of kernels and matrices in Adam's direction, as long as rate times norm."""
    rng, rate = np.random.default_rng(0), 0.01
    weights = [np.float32(rng.normal(size=shape)) for shape in SHAPES.values()]
    weights.append(np.zeros((2, 3), np.float32))
    variables = [tf.Variable(w) for w in weights]
    optimizer = Adam(rate, relative=True)
    optimizer.build(variables)
    gradients = [np.float32(rng.normal(size=w.shape)) for w in weights]

    def apply():
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    (tf.function(apply, jit_compile=True) if compiled else apply)()
    for before, gradient, after in zip(weights, gradients, variables, strict=True):
        direction = np.sign(gradient)  # Adam's first step
        length = rate * np.linalg.norm(before) / np.sqrt(before.size)
        expected = length if before.ndim > 1 and before.any() else rate
        np.testing.assert_allclose(
            after.numpy() - before, -expected * direction, rtol=1e-3, atol=1e-6
        )


@pytest.mark.parametrize("compiled", [False, True])
def test_relative_steps(compiled):
    check_relative(compiled)


def check_median_gradient() -> None:
    """Root mean square as Adam weighs it, of the weights that have gradients."""
    rng, steps = np.random.default_rng(0), 5
    optimizer = Adam(1e-3, epsilon=1e-8)
    weights = [tf.Variable(tf.zeros(50)), tf.Variable(tf.zeros((10, 6)))]
    optimizer.build(weights)
    assert np.isnan(optimizer.median_gradient()) and optimizer.damped() == ""
    gradients = 10.0 ** rng.uniform(-12, -6, (steps, 110)).astype(np.float32)
    gradients[:, 70:] = 0
    for row in gradients:
        parts = tf.constant(row[:50]), tf.reshape(row[50:], (10, 6))
        optimizer.apply_gradients(zip(parts, weights, strict=True))
    share = 0.999 ** np.arange(steps)[::-1]
    mean_square = share @ np.square(gradients[:, :70].astype(float)) / share.sum()
    expected = np.median(np.sqrt(mean_square))
    assert optimizer.median_gradient() == pytest.approx(expected, rel=1e-3)


def test_matrices_and_moments_on_tf_keras():
    code = (
        "from tests.zoo.training.test_optimizer import *\n"
        "from zoo.keras_compat import LEGACY\n"
        "assert LEGACY\n"
        "for compiled in (False, True): check_share(compiled)\n"
        "for compiled in (False, True): check_relative(compiled)\n"
        "with pytest.raises(ValueError, match='tf_keras averages'):\n"
        "    Adam(1e-3, ema=0.9)\n"
        "check_median_gradient()"
    )
    env = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_run_is_validated_and_kept_with_averaged_weights(precision):
    """Their exponential average over updates, from the first on; then it goes on."""
    share, csi = 0.8, np.float32(np.random.default_rng(0).uniform(size=(4, 8, 8, 2)))
    settings = ExperimentConfig(
        model="csinet", codeword_dim=8, batch_size=4, schedule="constant", lr=1e-2,
        cpu_step="native", ema=share, precision=precision,
    )  # fmt: skip
    set_precision(precision)
    try:
        trainer = Trainer(settings, tf.distribute.get_strategy(), (8, 8, 2), 10)
        weights = trainer.model.trained.trainable_variables
        mean = None
        for _ in range(4):
            trainer.step(tf.constant(csi))
            own = [np.array(weight) for weight in weights]
            mean = (
                own
                if mean is None
                else [
                    share * m + (1 - share) * w for m, w in zip(mean, own, strict=True)
                ]
            )
        trainer.settle()
        for weight, expected in zip(weights, mean, strict=True):
            np.testing.assert_allclose(weight, expected, atol=1e-6)
        trainer.go_on()
        for weight, expected in zip(weights, own, strict=True):
            np.testing.assert_array_equal(weight, expected)
        assert max(np.abs(m - w).max() for m, w in zip(mean, own, strict=True)) > 1e-3
    finally:
        set_precision("float32")


def weights_after(run) -> dict[str, np.ndarray]:
    """All trained weights of a run by path, from its checkpoint's best epoch."""
    network = run.load().trained
    return {w.path: np.asarray(w) for w in network.trainable_weights}


def test_matrices_of_a_run_take_their_share(tiny_config, tmp_path):
    """Fused step included; another share is another run."""
    changes = {"model": "csinet", "dense_rate": 1e-6, "epochs": 1}
    run = session.train(tiny_config(tmp_path / "run", **changes))
    moved = weights_after(run)
    keras.utils.set_random_seed(run.config().seed)
    start = registry.build("csinet", run.csi_shape(), run.config().codeword_dim)
    for weight in start.trained.trainable_weights:
        change = np.abs(moved[weight.path] - np.asarray(weight)).max()
        assert (change < 1e-6) == (len(weight.shape) == 2), weight.path
    with pytest.raises(ValueError, match="--dense_rate: 1e-06 -> 0.5"):
        session.train(tiny_config(tmp_path / "run", **changes | {"dense_rate": 0.5}))


def test_a_share_as_large_as_the_error_of_the_start(tiny_config, tmp_path, monkeypatch):
    """The same when the run goes on after its first epoch; matrices move by it."""
    taken, trainers, whole = [], [], Trainer.set_dense_rate

    def matrices(trainer):
        weights = trainer.model.trained.trainable_weights
        return np.concatenate([np.ravel(w) for w in weights if len(w.shape) == 2])

    def spied(trainer, share, used=None):
        taken.append(share)
        trainers.append((trainer, matrices(trainer)))
        whole(trainer, used or share)

    monkeypatch.setattr(Trainer, "set_dense_rate", spied)
    flags = {"model": "klt_residual", "init": "klt", "dense_rate": 0.0}
    flags |= {"schedule": "constant", "num_train": 160, "adam_epsilon": 1e-8}
    run = session.train(tiny_config(tmp_path / "run", **flags, epochs=1))
    start = run.read_metrics()[0]
    assert start["epoch"] == 0 and start["val_nmse_db"] < -1
    edit = files.read_json(run.path / "config.json") | {"epochs": 2}
    files.write_json(run.path / "config.json", edit)
    session.train(tiny_config(tmp_path / "run", **flags, epochs=2))
    share = float(f"{10 ** (start['val_nmse_db'] / 20):.2g}")
    assert taken == [share] * 2
    all_of_it = functools.partialmethod(spied, used=1.0)
    monkeypatch.setattr(Trainer, "set_dense_rate", all_of_it)
    session.train(tiny_config(tmp_path / "whole", **flags, epochs=1))
    moved = [np.linalg.norm(matrices(trainer) - begin) for trainer, begin in trainers]
    assert (
        min(moved) > 0 and moved[:2] == [pytest.approx(share * moved[2], rel=0.1)] * 2
    )


def test_median_gradient_is_that_of_the_gradients():
    check_median_gradient()


@pytest.mark.parametrize(("epsilon", "said"), [(2e-9, True), (5e-10, False)])
def test_epsilon_above_a_tenth_of_the_gradients(epsilon, said):
    """The warning names an epsilon at which it would be silent."""
    optimizer, weight = Adam(1e-3, epsilon=epsilon), tf.Variable(tf.zeros(9))
    optimizer.build([weight])
    optimizer.apply_gradients([(tf.fill([9], 1e-8), weight)])
    line = optimizer.damped()
    assert bool(line) == said and "\n" not in line
    if said:
        assert "below 1.0e-08" in line and "--adam_epsilon=2e-09" in line
        assert "take --adam_epsilon=1e-10 or less" in line
        optimizer.epsilon = 1e-10
        assert optimizer.damped() == ""


@pytest.mark.parametrize("cpu_step", ["native", "fused"])
def test_a_run_says_once_that_epsilon_is_too_large(
    cpu_step, tiny_config, tmp_path, capsys
):
    """Not once an epoch; nothing at the default."""
    flags = {"cpu_step": cpu_step, "num_train": 40}
    session.train(tiny_config(tmp_path / "run", **flags, adam_epsilon=1e-2))
    found = [x for x in capsys.readouterr().out.splitlines() if "epsilon" in x]
    assert len(found) == 1 and found[0].startswith("warning: half of the weights")
    session.train(tiny_config(tmp_path / "small", **flags))
    assert "epsilon" not in capsys.readouterr().out


def test_a_run_of_before_keeps_its_epsilon(tiny_config, tmp_path, capsys):
    """The default was 1e-8: runs that began with it go on, and say what it costs."""
    flags = {"num_train": 40, "epochs": 1}
    run = session.train(tiny_config(tmp_path / "run", **flags, adam_epsilon=1e-2))
    edit = files.read_json(run.path / "config.json") | {"epochs": 2}
    files.write_json(run.path / "config.json", edit)
    capsys.readouterr()
    session.train(tiny_config(tmp_path / "run", **flags | {"epochs": 2}))
    assert capsys.readouterr().out.count("near --adam_epsilon=0.01") == 1
    assert len(run.read_metrics()) == 2 and run.config().adam_epsilon == 1e-2
    with pytest.raises(ValueError, match="--adam_epsilon: 0.01 -> 0.001"):
        other = flags | {"epochs": 2, "adam_epsilon": 1e-3}
        session.train(tiny_config(tmp_path / "run", **other))


def test_without_a_start_there_is_no_such_share(tiny_config, tmp_path):
    with pytest.raises(ValueError, match="--dense_rate=0 is the relative error of a"):
        tiny_config(tmp_path / "run", dense_rate=0.0)


def test_a_negative_share_is_refused(tiny_config, tmp_path):
    with pytest.raises(ValueError, match="--dense_rate=-1: expected 0 or more"):
        tiny_config(tmp_path / "run", dense_rate=-1)


def test_a_comparison_takes_the_share_of_the_networks_flagfile():
    plan = Plan(("klt_residual", "crnet"), (128,), epochs=1)
    shares = [plan.overrides(Case(name, 128, 0))["dense_rate"] for name in plan.models]
    assert shares == [0.0, 1.0]
