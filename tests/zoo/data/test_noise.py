"""Noise on the CSI: its power against closed forms, seeds, flags, training step."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from tfds_builders import transforms
from zoo.config import ExperimentConfig
from zoo.data import estimation_noise, splits, training_source
from zoo.metrics import accuracy, klt_line
from zoo.training import evaluation
from zoo.training.trainer import Trainer

N_T, N_A, N_C = 8, 4, 64
RATIO = 0.1


def _csi(count: int, seed: int = 0) -> np.ndarray:
    """CSI around 0.5 whose samples have very different norms."""
    rng = np.random.default_rng(seed)
    size = 10 ** rng.uniform(-3, -1, (count, 1, 1, 1))
    h = size * rng.standard_normal((count, N_T, N_A, 2))
    return (0.5 + h).astype(np.float32)


def _relative(noisy, clean) -> np.ndarray:
    """Complex noise `[n, N_t, N_a]` of samples scaled to unit norm."""
    norm = np.linalg.norm((clean - 0.5).reshape(len(clean), -1), axis=1)
    return accuracy.to_complex(noisy - clean) / norm[:, None, None]


def _ratio(kind: str, snr_db: float) -> float:
    settings = ExperimentConfig(csi_noise=kind, test_snr_db=snr_db)
    return estimation_noise.ratio(settings, "test", N_A, N_C)


@pytest.mark.parametrize("make", ["stored", "fresh"])
@pytest.mark.parametrize(
    ("kind", "snr_db", "variance"),
    [
        ("awgn", 10.0, 0.1 / (N_A * N_T)),
        ("awgn", -3.0, 10**0.3 / (N_A * N_T)),
        ("ls", 5.0, 10**-0.5 / (N_C * N_T)),
    ],
)
def test_noise_is_white_with_the_closed_form_variance(make, kind, snr_db, variance):
    csi, ratio = _csi(4000), _ratio(kind, snr_db)
    if make == "stored":
        noisy = estimation_noise.stored(csi, ratio, 0, "test")
    else:
        noisy = estimation_noise.fresh(
            tf.constant(csi), ratio, 0, tf.constant(0, tf.int64)
        )
        noisy = noisy.numpy()
    assert noisy.dtype == np.float32
    z = _relative(noisy, csi)
    # 128,000 complex entries: one deviation of these estimates is below 0.5 percent.
    assert np.mean(z.real**2) == pytest.approx(variance / 2, rel=0.02)
    assert np.mean(z.imag**2) == pytest.approx(variance / 2, rel=0.02)
    assert abs(np.mean(z.real * z.imag)) < 0.02 * variance
    flat = z.reshape(len(z), -1)
    covariance = flat.T @ flat.conj() / len(z) / variance
    np.testing.assert_allclose(covariance, np.eye(N_T * N_A), atol=0.1)
    # Each sample has the SNR, weak or strong: its noise is chi square, 64 degrees.
    energy = np.sum(np.abs(flat) ** 2, axis=1) / (variance * N_T * N_A)
    assert np.std(energy) == pytest.approx(math.sqrt(2 / 64), rel=0.05)


def test_shortcut_of_ls_is_least_squares_in_spatial_frequency():
    snr_db, count, symbols = 5.0, 1500, 12
    rng = np.random.default_rng(1)
    h = accuracy.to_complex(_csi(count) - np.float32(0.5))
    h /= np.linalg.norm(h, axis=(1, 2), keepdims=True)
    channel = transforms.to_spatial_frequency(h, N_C)
    pilots = transforms.orthogonal_pilots(N_T, symbols)
    z = rng.standard_normal((count, N_C, symbols, 2)).view(np.complex128)[..., 0]
    # Z X^H has N_c N_t entries with the variance of Z: the SNR fixes it.
    z *= math.sqrt(10 ** (-snr_db / 10) / (N_C * N_T) / 2)
    estimate = transforms.ls_estimate(channel @ pilots + z, pilots)
    error = transforms.truncate(transforms.to_angular_delay(estimate), N_A) - h
    shortcut = _relative(
        estimation_noise.stored(_csi(count), _ratio("ls", snr_db), 0, "test"),
        _csi(count),
    )
    power, expected = (np.mean(np.abs(x) ** 2) for x in (error, shortcut))
    assert power == pytest.approx(expected, rel=0.02)
    per_entry = np.mean(np.abs(error) ** 2, axis=0)
    np.testing.assert_allclose(per_entry, power, rtol=0.15)


def test_stored_noise_depends_on_seed_and_split_only():
    csi = _csi(estimation_noise.CHUNK + 500)
    whole = estimation_noise.stored(csi, RATIO, 3, "test")
    part = csi[: estimation_noise.CHUNK + 7]
    np.testing.assert_array_equal(
        estimation_noise.stored(part, RATIO, 3, "test"), whole[:1007]
    )
    z = _relative(whole, csi).ravel()
    for seed, split in ((4, "test"), (3, "validation")):
        other = _relative(estimation_noise.stored(csi, RATIO, seed, split), csi).ravel()
        assert abs(np.vdot(z, other)) < 0.03 * np.vdot(z, z).real
    assert estimation_noise.stored(csi, 0.0, 3, "test") is csi
    assert estimation_noise.stored(csi, RATIO, 3, "train") is csi


def test_fresh_noise_depends_on_seed_and_draw_only():
    csi = tf.constant(_csi(300))

    def z(seed, draw):
        noisy = estimation_noise.fresh(csi, RATIO, seed, tf.constant(draw, tf.int64))
        return _relative(noisy.numpy(), csi.numpy()).ravel()

    first = z(1, 5)
    np.testing.assert_array_equal(first, z(1, 5))
    for other in (z(1, 6), z(2, 5), z(0, 6)):
        assert abs(np.vdot(first, other)) < 0.06 * np.vdot(first, first).real


def test_splits_have_noisy_input_and_clean_truth(tiny_config, tmp_path):
    clean = tiny_config(tmp_path)
    snr = {"train_snr_db": 10.0, "test_snr_db": 0.0}
    for kind, gain in (("awgn", 1.0), ("ls", 32 / 1024)):
        noisy = dataclasses.replace(clean, csi_noise=kind, **snr)
        for split, power in (("train", 0), ("validation", 0.1), ("test", 1)):
            expected = splits.load_split(clean, split)
            assert expected.csi_clean is expected.csi
            got = splits.load_split(noisy, split)
            np.testing.assert_array_equal(got.csi_clean, expected.csi)
            np.testing.assert_array_equal(got.h, expected.h)
            ratios = accuracy.nmse(got.h, got.csi - np.float32(0.5))
            assert np.mean(ratios) == pytest.approx(gain * power, rel=0.02)
        got = splits.load_fine_tuning(noisy, 20)
        np.testing.assert_array_equal(got.h, splits.load_split(clean, "train", 20).h)
        ratios = accuracy.nmse(got.h, got.h_seen)
        assert np.mean(ratios) == pytest.approx(gain * 0.1, rel=0.05)
        examples = training_source.training_examples(noisy, 9)
        np.testing.assert_array_equal(
            examples, training_source.training_examples(clean, 9)
        )


def test_configuration_with_noise_is_strict_json():
    settings = ExperimentConfig(csi_noise="ls", test_snr_db=-5.0)
    text = json.dumps(settings.to_json(), allow_nan=False)
    assert json.loads(text)["train_snr_db"] is None
    assert ExperimentConfig.from_json(json.loads(text)) == settings
    assert "--train_snr_db=inf" in settings.to_flags().splitlines()
    json.dumps(ExperimentConfig().to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_snr_db": 10.0}, "--csi_noise=none, --train_snr_db=10.0.*do not fit"),
        ({"test_snr_db": 10.0}, "--csi_noise=none.*--test_snr_db=10.0 do not fit"),
        ({"csi_noise": "awgn"}, "--csi_noise=awgn.*inf do not fit: give awgn or ls"),
        ({"csi_noise": "pink", "test_snr_db": 1.0}, "--csi_noise=pink.*none, awgn, ls"),
        ({"csi_noise": "ls", "test_snr_db": math.nan}, "--test_snr_db=nan"),
        ({"csi_noise": "ls", "train_snr_db": -math.inf}, "--train_snr_db=-inf.*-100"),
    ],
)
def test_wrong_flags(changes, words):
    with pytest.raises(ValueError, match=words):
        ExperimentConfig(**changes)


def test_all_components_of_the_klt_leave_the_noise():
    h = _csi(600) - np.float32(0.5)
    noisy = estimation_noise.stored(
        h + np.float32(0.5), _ratio("awgn", 10.0), 0, "test"
    )
    line = klt_line.nmse_db(h, h, 2 * N_T * N_A, noisy - np.float32(0.5))
    assert line == pytest.approx(-10, abs=0.1)
    assert klt_line.nmse_db(h, h, 2 * N_T * N_A) < -80


def test_override_needs_noise_and_snr():
    clean = ExperimentConfig()
    with pytest.raises(ValueError, match="--csi_noise=none.*test_snr_db=3.0 do not"):
        evaluation.with_noise(clean, None, 3.0)
    with pytest.raises(ValueError, match="--csi_noise=ls.*do not fit"):
        evaluation.with_noise(clean, "ls", None)
    noisy = evaluation.with_noise(clean, "ls", 3.0)
    assert (noisy.csi_noise, noisy.test_snr_db) == ("ls", 3.0)
    assert evaluation.with_noise(noisy, "none", None) == clean
    assert evaluation.with_noise(noisy, None, None) == noisy
    with pytest.raises(ValueError, match="--csi_noise=none"):
        evaluation.with_noise(noisy, "none", 3.0)


STEP = {"model": "crnet", "codeword_dim": 12, "batch_size": 6, "schedule": "constant"}


def _trainer(noise_ratio, **changes) -> Trainer:
    settings = ExperimentConfig(**{**STEP, **changes})
    return Trainer(
        settings, tf.distribute.get_strategy(), (N_T, N_A, 2), 1, noise_ratio
    )


def _random_ops(trainer, csi) -> set[str]:
    graph = trainer.step.get_concrete_function(csi).graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return {node.op for node in nodes if "Random" in node.op}


@pytest.mark.parametrize(
    "cpu_step", ["native", pytest.param("fused", marks=pytest.mark.slow)]
)
def test_step_sees_noisy_input_and_clean_target(cpu_step):
    csi, draws = tf.constant(_csi(6)), (0, 1)
    trainer = _trainer(1.0, cpu_step=cpu_step, seed=7)
    assert "StatelessRandomNormalV2" in _random_ops(trainer, csi)
    reference = _trainer(0.0, cpu_step="native")
    assert not _random_ops(reference, csi)
    for draw in draws:
        reference.model.autoencoder.set_weights(trainer.model.autoencoder.get_weights())
        noisy = estimation_noise.fresh(csi, 1.0, 7, tf.constant(draw, tf.int64))
        csi_hat = reference.model.autoencoder(noisy, training=True)
        expected = np.mean((csi_hat.numpy() - csi.numpy()) ** 2)
        assert float(trainer.step(csi)) == pytest.approx(expected, rel=1e-3)


MIRRORED = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
from tests.zoo.data.test_noise import STEP, _csi
from zoo.config import ExperimentConfig
from zoo.data import estimation_noise
from zoo.training.trainer import Trainer
settings = ExperimentConfig(**STEP, cpu_step="native")
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
trainer = Trainer(settings, strategy, (8, 4, 2), 1, 0.1)
csi = tf.constant(_csi(3))
noisy = lambda x: estimation_noise.fresh(x, 0.1, 0, trainer._draw())
replica = tf.function(noisy)  # nested as in the step
step = tf.function(lambda x: strategy.run(replica, args=(x,)))
seen = []
for _ in range(2):
    seen += strategy.experimental_local_results(step(csi))
    trainer.optimizer.iterations.assign_add(1)
draws = [
    estimation_noise.fresh(csi, 0.1, 0, tf.constant(d, tf.int64)).numpy()
    for d in range(4)
]
order = [[np.allclose(x, d, atol=1e-6) for d in draws].index(True) for x in seen]
print("draws", order)
"""


@pytest.mark.slow
def test_replicas_and_steps_draw_different_noise():
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED], cwd=ROOT, capture_output=True, text=True
    )
    assert "draws [0, 1, 2, 3]" in done.stdout, done.stderr[-2000:]
