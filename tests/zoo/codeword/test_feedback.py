"""The codeword's way: quantisers, feedback noise, receivers, training in stages."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import run_command, tiny_flags
from zoo import train_stages
from zoo.codeword import channel_noise
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.exporting import exporter
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session
from zoo.training.freezing import freeze
from zoo.training.trainer import Trainer

SHAPE = (8, 8, 2)
NOISY = {"quantizer": "none", "bits": 0, "feedback_snr_db": 10.0}


def _codewords(count: int = 500, size: int = 128) -> np.ndarray:
    """Codewords whose powers are very different."""
    rng = np.random.default_rng(0)
    scale = 10 ** rng.uniform(-3, 2, (count, 1))
    return (scale * rng.standard_normal((count, size))).astype(np.float32)


def _noise_ratio(received, sent) -> np.ndarray:
    """Power of the noise over that of the codeword, per sample."""
    return np.mean((received - sent) ** 2, 1) / np.mean(sent**2, 1)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0, 25.0, 40.0])
def test_noise_power_is_each_samples_own_within_one_percent(snr_db):
    sent = _codewords()
    settings = ExperimentConfig(feedback_snr_db=snr_db)
    draws = channel_noise.fresh(tf.constant(sent), settings, tf.constant(3, tf.int64))
    for received in (draws.numpy(), channel_noise.received(sent, snr_db, 0, "test")):
        ratio = _noise_ratio(received, sent)
        assert received.dtype == np.float32
        assert ratio.mean() == pytest.approx(10 ** (-snr_db / 10), rel=0.01)
        # chi-square over 128 entries: a spread of sqrt(2 / 128), whatever the power
        assert ratio.std() / ratio.mean() == pytest.approx(math.sqrt(2 / 128), rel=0.15)


def test_noise_is_a_function_of_seed_and_draw_and_of_the_own_sample():
    sent, settings = _codewords(8), ExperimentConfig(feedback_snr_db=5.0)

    def fresh(values, draw, seed=0):
        own = ExperimentConfig(feedback_snr_db=5.0, seed=seed)
        return channel_noise.fresh(values, own, tf.constant(draw, tf.int64)).numpy()

    np.testing.assert_array_equal(fresh(sent, 1), fresh(sent, 1))
    assert not np.array_equal(fresh(sent, 1), fresh(sent, 2))
    assert not np.array_equal(fresh(sent, 1), fresh(sent, 1, seed=1))
    louder = np.concatenate([sent[:1], 100 * sent[1:]])
    np.testing.assert_array_equal(fresh(louder, 1)[0], fresh(sent, 1)[0])
    stored = channel_noise.received(sent, 5.0, 0, "test")
    np.testing.assert_array_equal(
        channel_noise.received(sent[:3], 5.0, 0, "test"), stored[:3]
    )
    assert not np.array_equal(
        channel_noise.received(sent, 5.0, 0, "validation"), stored
    )
    assert channel_noise.received(sent, math.inf, 0, "test") is sent
    assert channel_noise.is_noisy(settings) and not channel_noise.is_noisy(
        ExperimentConfig()
    )


def test_stored_split_with_an_snr_of_its_own_each():
    """Even in dB over the range; a single SNR is what it was without one."""
    sent = np.random.default_rng(0).standard_normal((2000, 256)).astype(np.float32)
    arrived = channel_noise.received(sent, 20.0, 0, "validation", -5.0)
    error = np.mean((arrived - sent) ** 2, axis=1)
    snr_db = 10 * np.log10(np.mean(sent**2, axis=1) / error)
    shares = np.quantile(snr_db, [0.01, 0.25, 0.5, 0.75, 0.99])
    np.testing.assert_allclose(shares, [-5, 1.25, 7.5, 13.75, 20], atol=1.0)
    np.testing.assert_allclose(
        channel_noise.received(sent, 20.0, 0, "validation", 20.0),
        channel_noise.received(sent, 20.0, 0, "validation"),
        rtol=1e-5,
    )


def test_random_snr_is_even_in_db():
    sent = np.ones((4000, 256), np.float32)
    settings = ExperimentConfig(feedback_snr_db=40.0, feedback_snr_low_db=-5.0)
    received = channel_noise.fresh(sent, settings, tf.constant(0, tf.int64)).numpy()
    snr_db = -10 * np.log10(_noise_ratio(received, sent))
    expected = np.linspace(-5, 40, 4000)
    assert np.abs(np.sort(snr_db) - expected).max() < 1.5


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"feedback_snr_db": 5.0, "bits": 6, "quantizer": "uniform"}, "real-valued"),
        ({"feedback_snr_low_db": 5.0}, "--feedback_snr_low_db=5.0"),
        ({"feedback_snr_db": 5.0, "feedback_snr_low_db": 6.0}, "expected less"),
        ({"feedback_snr_db": -101.0}, "-100 or more"),
        ({"receiver": "dnnnet"}, "nothing to repair"),
        ({"train_part": "decoder"}, "--weights"),
        ({"loss": "codeword", "weights": "x"}, "need a receiver"),
        (
            {"loss": "codeword", "weights": "x", "receiver": "offset", **NOISY},
            "--train_part=receiver",
        ),
        ({"quantizer": "sign", "bits": 2}, "sends 1"),
        ({"model": "csinet_plus_sm", **NOISY}, "several rates"),
    ],
)
def test_configurations_that_do_not_fit(change, word):
    with pytest.raises(ValueError, match=word):
        build_autoencoder(ExperimentConfig(codeword_dim=32, **change), SHAPE)


@pytest.mark.parametrize("cpu_step", ["native", "fused"])
def test_frozen_parts_keep_weights_and_statistics(cpu_step, tiny_config, tmp_path):
    settings = tiny_config(
        tmp_path, **NOISY, receiver="dnnnet", train_part="receiver", loss="codeword",
        weights="elsewhere", cpu_step=cpu_step, schedule="constant", lr=1e-2,
    )  # fmt: skip
    strategy = tf.distribute.get_strategy()
    trainer = Trainer(settings, strategy, (8, 8, 2), 10)
    before = {k: part.get_weights() for k, part in trainer.model.parts.items()}
    csi = np.random.default_rng(0).random((20, 8, 8, 2), np.float32)
    losses = [float(trainer.step(csi)) for _ in range(3)]
    assert np.isfinite(losses).all()
    for name, part in trainer.model.parts.items():
        equal = [
            np.array_equal(a, b)
            for a, b in zip(part.get_weights(), before[name], strict=True)
        ]
        assert all(equal) != (name == "receiver")


def test_epochs_are_chosen_with_the_noise_of_the_training(tiny_config, tmp_path):
    """A training over a range of SNR is not judged at the best of them."""
    settings = tiny_config(tmp_path, **NOISY)
    trainer = Trainer(settings, tf.distribute.get_strategy(), (8, 8, 2), 10)
    csi = np.random.default_rng(0).random((50, 8, 8, 2), np.float32)
    split, found = splits.Split(csi, csi, None, 32), []
    for noise in ({}, {"feedback_snr_low_db": 9.999}, {"feedback_snr_low_db": -30.0}):
        trainer.settings = dataclasses.replace(settings, **noise)
        found.append(trainer.validate(split)[1])
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)
    assert np.mean((found[2] - found[0]) ** 2) > 1e-4


def test_decoder_stage_trains_receiver_and_decoder():
    settings = ExperimentConfig(codeword_dim=8, **NOISY, receiver="offset")
    model = build_autoencoder(settings, SHAPE)
    freeze(model, "decoder")
    names = {w.path for w in model.autoencoder.trainable_weights}
    assert not any("codeword/" in name for name in names)
    assert any("offset1" in name for name in names)
    assert any("expand" in name for name in names)


LINK = "--receiver=dnnnet --feedback_snr_db=0"
STAGES = [
    "--epochs=1",
    f"{LINK} --train_part=receiver --loss=codeword --epochs=3 --lr=3e-3",
    f"{LINK} --epochs=1 --lr=1e-4",
]
FLOAT = {"model": "csinet", "quantizer": "none", "bits": 0}


@pytest.fixture(scope="module")
def staged(data_dir, tmp_path_factory) -> list[RunDirectory]:
    """CsiNet without noise, then the denoiser alone, then both."""
    path = tmp_path_factory.mktemp("stages")
    args = [*tiny_flags(data_dir, path, **FLOAT), *(f"--stage={x}" for x in STAGES)]
    return [session.train(s) for s in train_stages.stage_settings(args)]


def test_stages_hand_their_weights_on(staged):
    first, second, third = staged
    one, two = first.load(), second.load()
    for name in ("encoder", "decoder"):
        for a, b in zip(one.parts[name].weights, two.parts[name].weights, strict=True):
            np.testing.assert_array_equal(a, b)
    start, after = second.read_metrics()[0], third.read_metrics()[0]
    assert start["epoch"] == after["epoch"] == 0  # the weights that were handed on
    assert after["val_nmse_db"] == min(r["val_nmse_db"] for r in second.read_metrics())


@pytest.mark.slow
def test_command_trains_all_stages_and_given_again_none(data_dir, tmp_path):
    stages = [f"--stage={text}" for text in STAGES]
    args = [*tiny_flags(data_dir, tmp_path, **FLOAT), *stages]
    for complete in (0, 3):
        done = run_command("zoo.train_stages", *args)
        assert done.returncode == 0, done.stderr[-2000:]
        assert f"trained in 3 stages: {tmp_path / 'stage3'}" in done.stdout
        assert done.stdout.count("complete: ") == complete


@pytest.mark.parametrize(
    ("stages", "word"),
    [([], "--stage is missing"), (["--epoch=3"], "epoch"), (["3"], "not flags")],
)
def test_bad_stages(stages, word):
    with pytest.raises(ValueError, match=word):
        train_stages.stage_settings([f"--stage={text}" for text in stages])


def test_evaluation_over_the_snr_of_the_feedback(staged):
    run = staged[2]
    rows = {s: evaluation.evaluate(run, feedback_snr_db=s)[0] for s in (-5.0, math.inf)}
    own = evaluation.evaluate(run)[0]
    assert (own["feedback_snr_db"], own["receiver"]) == (0.0, "dnnnet")
    assert rows[math.inf]["feedback_snr_db"] is None
    assert rows[-5.0]["nmse_db"] != own["nmse_db"] != rows[math.inf]["nmse_db"]


def test_bits_take_no_noise(tiny_run):
    with pytest.raises(ValueError, match="sends bits"):
        evaluation.evaluate(tiny_run, feedback_snr_db=3.0)


@pytest.mark.slow
def test_offset_network_and_mu_law_are_exported(tiny_config, tmp_path):
    settings = tiny_config(
        tmp_path / "run", quantizer="mu_law", bits=4, receiver="offset", epochs=1
    )
    run = session.train(settings)
    codec = exporter.export(run, tmp_path / "export")  # verifies every artefact
    assert codec["quantizer"]["name"] == "mu_law"
    row, _, _ = evaluation.evaluate(run)
    assert row["quantizer"] == "mu_law" and row["feedback_bits"] == 32 * 4


def test_weights_of_another_network_are_refused(tiny_run, tiny_config, tmp_path):
    settings = tiny_config(tmp_path / "run", model="csinet", weights=str(tiny_run.path))
    with pytest.raises(ValueError, match="its encoder is of another network"):
        session.train(settings)
