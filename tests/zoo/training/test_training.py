"""Schedules, quantiser, data pipeline, options and bad input of training."""

from __future__ import annotations

import json
import math
import os
import random

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import assert_one_line_error, run_command, tiny_flags
from tfds_builders import locks
from zoo.config import ExperimentConfig
from zoo.config_checks import parse_object
from zoo.data import split_reader, splits, training_source
from zoo.layers.quantizers import UniformQuantizer
from zoo.run_directory import RunDirectory
from zoo.training import session
from zoo.training.schedules import WarmUpCosine


def _cosine(t, lr_max=2e-3, lr_min=5e-5, warmup=30, total=1000):
    """CRNet eq. 5 written out, t in epochs."""
    if t < warmup:
        return lr_max * t / warmup
    phase = math.pi * (t - warmup) / (total - warmup)
    return lr_min + 0.5 * (lr_max - lr_min) * (1 + math.cos(phase))


@pytest.mark.parametrize("step", [0, 1, 20, 7_499, 15_000, 123_456, 499_999])
def test_warm_up_cosine_per_iteration(step):
    schedule = WarmUpCosine(2e-3, 5e-5, 30, 1000, 500)
    assert float(schedule(step)) == pytest.approx(_cosine(step / 500), rel=1e-5)


def test_warm_up_cosine_facts():
    schedule = WarmUpCosine(2e-3, 5e-5, 30, 1000, 500)
    assert float(schedule(0)) == 0
    # The public CLNet log shows 2.67e-6 at iteration 20.
    assert float(schedule(20)) == pytest.approx(2.67e-6, rel=2e-3)
    assert float(schedule(15_000)) == pytest.approx(2e-3)
    assert float(schedule(10**6)) == pytest.approx(5e-5)


@pytest.mark.parametrize("step", [0, 499, 500, 14_999, 15_000, 250_001])
def test_warm_up_cosine_per_epoch(step):
    schedule = WarmUpCosine(2e-3, 5e-5, 30, 1000, 500, time="epoch")
    assert float(schedule(step)) == pytest.approx(_cosine(step // 500), rel=1e-5)


@pytest.mark.parametrize("bits", [1, 4, 6, 8])
def test_uniform_quantizer_against_formula(bits):
    z = np.linspace(-1, 1, 1001, dtype=np.float32)[None]
    quantizer = UniformQuantizer(bits)
    levels, unit = 2**bits, (z + 1) / 2
    expected = np.clip(np.round(levels * unit - 0.5), 0, levels - 1)
    np.testing.assert_array_equal(quantizer.indices(z), expected)
    recovered = 2 * (expected + 0.5) / levels - 1
    np.testing.assert_allclose(quantizer(z), recovered, atol=1e-6)
    assert np.max(np.abs(np.asarray(quantizer(z)) - z)) <= 1 / levels + 1e-6


def test_uniform_quantizer_gradient_is_straight_through():
    z = tf.constant([[-1.0, -0.13, 0.5, 0.999, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        out = tf.reduce_sum(UniformQuantizer(3)(z) * tf.constant([1.0, 2, 3, 4, 5]))
    np.testing.assert_allclose(tape.gradient(out, z), [[1, 2, 3, 4, 5]])


@pytest.mark.parametrize("bits", [0, 17, 6.0])
def test_uniform_quantizer_refuses(bits):
    with pytest.raises(ValueError, match="1 to 16"):
        UniformQuantizer(bits)


def test_epoch_order_depends_on_seed_and_epoch_only():
    csi = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1) * np.ones((1, 2, 2, 2))

    def batches(seed, start, count):
        source = training_source.training_batches(
            csi.astype(np.float32), 4, seed, start
        )
        return [b.numpy()[:, 0, 0, 0].astype(int).tolist() for b in source.take(count)]

    three_epochs = batches(0, 0, 6)
    assert batches(0, 1, 4) == three_epochs[2:]
    assert batches(1, 0, 6) != three_epochs
    for first, second in zip(three_epochs[::2], three_epochs[1::2], strict=True):
        assert len({*first, *second}) == 8  # no example twice within an epoch
    assert three_epochs[:2] != three_epochs[2:4]


def test_scalings_differ_by_one_factor_per_sample(tiny_config, tmp_path):
    stored, per_sample, one = (
        splits.load_split(tiny_config(tmp_path, scaling=name), "train").h
        for name in ("stored", "per_sample", "global")
    )
    np.testing.assert_allclose(per_sample, stored, atol=1e-6)
    norms = np.linalg.norm(stored.reshape(len(stored), -1), axis=1)
    assert norms.max() < 0.9 + 1e-5 and np.median(norms) > 0.89
    directions = [
        h / np.linalg.norm(h.reshape(len(h), -1), axis=1)[:, None, None, None]
        for h in (stored, one)
    ]
    np.testing.assert_allclose(*directions, atol=1e-5)
    assert np.abs(one).max() <= 0.5


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("value", "words"),
    [(np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (0.5, "zeros")],
)
def test_bad_examples_are_named(
    tiny_config, tmp_path, monkeypatch, split, value, words
):
    csi = np.full((160, 32, 32, 2), 0.6, np.float32)
    csi[7], csi[31] = value, value
    stored = {"csi": csi, "scale": np.ones(160)}
    monkeypatch.setattr(split_reader, "read", lambda *args: stored)
    match = f"indoor_tiny {split}: .*{words} in csi of 2 examples, first in number 7;"
    with pytest.raises(ValueError, match=match):
        splits.load_split(tiny_config(tmp_path), split)


def test_config_round_trips():
    config = ExperimentConfig(model_args='{"head": "3x3"}', xla=True)
    assert (
        ExperimentConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    )
    older = {k: v for k, v in config.to_json().items() if "snr" not in k}
    assert ExperimentConfig.from_json(older) == config
    del older["model"]
    with pytest.raises(ValueError, match=r"missing \['model'\]"):
        ExperimentConfig.from_json(older)
    assert "--xla=true" in config.to_flags().splitlines()
    assert parse_object("model_args", config.model_args) == {"head": "3x3"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"bits": 6}, "--quantizer=uniform"),
        ({"bits": 20, "quantizer": "uniform"}, "0 to 16"),
        ({"batch_size": 0}, "--batch_size=0"),
        ({"schedule": "step"}, "constant, cosine"),
        ({"model_args": "head"}, "not JSON"),
        ({"model_args": "[1]"}, "JSON object"),
    ],
)
def test_config_refuses(change, word):
    with pytest.raises(ValueError, match=word):
        ExperimentConfig(**change)


def test_run_directory_is_complete(tiny_run):
    names = {path.name for path in tiny_run.path.iterdir()}
    assert names == {
        "config.json", "flags.cfg", "env.json", "metrics.jsonl", "tb", "ckpt",
        "best.weights.h5", "best.weights.h5.sha256", "data.json", "network.json",
    }  # fmt: skip
    records = tiny_run.read_metrics()
    assert [r["epoch"] for r in records] == [1, 2]
    assert [r["step"] for r in records] == [8, 16]
    assert all(math.isfinite(r["loss"]) for r in records)


def test_tensorboard_has_scalars_and_images(tiny_run):
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(str(tiny_run.path / "tb"))
    events.Reload()
    names = events.Tags()["tensors"]
    scalars = {"loss", "val_loss", "val_nmse_db", "lr"}
    assert {*scalars, "true and recovered |H|"} <= set(names)
    image = events.Tensors("true and recovered |H|")[0].tensor_proto.string_val[2]
    assert image.startswith(b"\x89PNG")


def test_validation_loss_is_the_mean_square_error(tiny_run):
    record = min(tiny_run.read_metrics(), key=lambda r: r["val_nmse_db"])
    split = splits.load_split(tiny_run.config(), "validation")
    model = tiny_run.load(split.csi.shape[1:])
    error = model.autoencoder.predict(split.csi, verbose=0) - split.csi
    assert record["val_loss"] == pytest.approx(np.mean(error**2), rel=1e-4)


def test_training_reduces_the_loss(tiny_run):
    losses = [r["loss"] for r in tiny_run.read_metrics()]
    assert losses[1] < 0.9 * losses[0]


def test_finished_run_is_not_trained_again(tiny_run):
    before = tiny_run.metrics.read_text()
    session.train(tiny_run.config())
    assert tiny_run.metrics.read_text() == before


def test_other_flags_refuse_the_same_directory(tiny_run, tiny_config):
    with pytest.raises(ValueError, match="--lr: 0.002 -> 0.01"):
        session.train(tiny_config(tiny_run.path, lr=0.01))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"precision": "mixed_bfloat16"}, marks=pytest.mark.slow),
        pytest.param({"precision": "mixed_float16"}, marks=pytest.mark.slow),
        pytest.param({"xla": "true", "deterministic": "true"}, marks=pytest.mark.slow),
    ],
)
def test_precision_and_execution_options(data_dir, tmp_path, tiny_run, change):
    flags = tiny_flags(data_dir, tmp_path, **change)
    done = run_command("zoo.train", *flags)
    assert done.returncode == 0, done.stderr[-2000:]
    losses = [r["loss"] for r in RunDirectory(tmp_path).read_metrics()]
    expected = [r["loss"] for r in tiny_run.read_metrics()]
    np.testing.assert_allclose(losses, expected, rtol=0.05)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "cost2100_sim/indor"}, "'indor'.*indoor_quick"),
        ({"dataset": "cost21/indoor"}, "'cost21'.*cost2100_sim"),
        ({"num_train": 999}, "--num_train=999.* 400 "),
        ({"batch_size": 161}, "160 .*--batch_size=161"),
        ({"strategy": "mirrored"}, "--logical_cpus=2"),
    ],
)
def test_bad_configuration_names_value_and_fix(tiny_config, tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        session.train(tiny_config(tmp_path / "run", **changes))


@pytest.mark.parametrize(
    ("changes", "words", "code"),
    [
        ({"model": "crnett"}, ["crnett", "did you mean crnet"], 1),
        ({"nonsense": 1}, ["nonsense"], 2),
    ],
)
def test_bad_flags_give_one_line(data_dir, tmp_path, changes, words, code):
    done = run_command("zoo.train", *tiny_flags(data_dir, tmp_path / "run", **changes))
    assert_one_line_error(done, *words, code=code)


@pytest.mark.slow
def test_corrected_command_uses_the_same_directory(tiny_config, tmp_path):
    with pytest.raises(ValueError, match="--warmup_epochs|warmup_epochs is 30"):
        session.train(tiny_config(tmp_path / "run", warmup_epochs=30.0))
    run = session.train(tiny_config(tmp_path / "run", epochs=1))
    assert len(run.read_metrics()) == 1


def test_run_directory_that_cannot_be_written(data_dir, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    done = run_command("zoo.train", *tiny_flags(data_dir, blocked / "run"))
    assert_one_line_error(done, str(blocked))
    assert blocked.read_text() == "not a directory"


def test_numbers_drawn_for_the_data_change_no_network(
    tiny_config, tmp_path, monkeypatch
):
    def weights():
        network, _ = session.check(
            tiny_config(tmp_path / "run"), tf.distribute.get_strategy()
        )
        return network.encoder.get_weights() + network.decoder.get_weights()

    def drawing(config, checked=splits.check):
        random.random(), np.random.rand(), tf.random.normal([3])
        return checked(config)

    expected = weights()
    monkeypatch.setattr(splits, "check", drawing)
    for one, other in zip(weights(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_training_that_builds_its_data_is_the_one_that_finds_them(tmp_path):
    runs = [tmp_path / "builds", tmp_path / "finds"]
    for run in runs:
        done = run_command(
            "zoo.train", "--model=crnet", "--codeword_dim=32", "--epochs=1",
            "--dataset=cost2100_sim/indoor_tiny", f"--data_dir={tmp_path / 'data'}",
            "--batch_size=20", "--deterministic", f"--run_dir={run}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    one, other = (RunDirectory(run).load().decoder.get_weights() for run in runs)
    for expected, found in zip(one, other, strict=True):
        np.testing.assert_array_equal(expected, found)


def test_two_trainings_in_one_directory(tiny_config, tmp_path):
    run = tmp_path / "run"
    with locks.alone(run):
        with pytest.raises(OSError, match=f"run is in use by process {os.getpid()}"):
            session.train(tiny_config(run, epochs=1))
    assert not run.exists()
