"""What an experiment measures beside the results row of a run."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import tensorflow as tf

from zoo.codeword import channel_noise
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.experiments import codewords
from zoo.keras_compat import Model
from zoo.layers.unfolding import Block
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training.trainer import Trainer

BATCH = 500
WARM_UP, ROUNDS = 3, 10
T = TypeVar("T")


@functools.cache
def per_block_db(run: RunDirectory) -> list[float]:
    """NMSE [dB] on the test split of the estimate after each block of a decoder."""
    h, *estimates = per_block(run)
    return [accuracy.nmse_db(h, h_hat) for h_hat in estimates]


def per_block(run: RunDirectory, num_test: int = 0) -> list[np.ndarray]:
    """Test CSI, and its estimate after each block of a decoder.

    Args:
        run: of an unfolded network.
        num_test: the first test CSI only; 0: all of the run's.

    Returns:
        Zero-centred truth and estimates, `[n, N_t, N_a, 2]` float32.
    """
    test = splits.load_split(run.config(), "test", num_test)
    model = run.load(test.csi.shape[1:])
    blocks = [x.output for x in model.decoder.layers if isinstance(x, Block)]
    between = Model(model.decoder.input, blocks)
    codeword = model.encoder.predict(test.csi, batch_size=BATCH, verbose=0)
    estimates = between.predict(codeword, batch_size=BATCH, verbose=0)
    return [test.h, *(x.reshape(test.h.shape) for x in estimates)]


@functools.cache
def bypassed_db(run: RunDirectory, snr_db: float) -> float:
    """NMSE [dB] of CLLWCsiNet when the noise spares its main path.

    As in the paper's public code: branch E takes the codeword before the channel, G the
    noisy one, and the noise has one power, that of the whole split.
    """
    model, test, codeword = codewords.tested(run)
    e, g = model.decoder.get_layer("denoised").input
    given = model.decoder.get_layer("noise1_conv").input
    behind = Model([e, g], model.decoder.output)
    key = [channel_noise.KEY, run.config().seed]
    unit = np.random.default_rng(key).standard_normal(codeword.shape, np.float32)
    power = np.square(codeword).mean() * 10 ** (-snr_db / 10)
    noisy = (codeword + np.sqrt(power) * unit).reshape(-1, *given.shape[1:])
    branches = [
        part.predict(x, batch_size=BATCH, verbose=0)
        for part, x in (
            (Model(model.decoder.input, e), codeword),
            (Model(given, g), noisy),
        )
    ]
    csi = behind.predict(branches, batch_size=BATCH, verbose=0)
    return accuracy.nmse_db(test.h, csi - np.float32(0.5))


def l1_norm(run: RunDirectory) -> float:
    """Mean over the test split of ||x_hat||_1, real and imaginary parts apart."""
    test = splits.load_split(run.config(), "test")
    model = run.load(test.csi.shape[1:])
    csi_hat = model.autoencoder.predict(test.csi, batch_size=BATCH, verbose=0)
    return float(np.abs(csi_hat - np.float32(0.5)).sum(axis=(1, 2, 3)).mean())


def step_and_test(
    settings: ExperimentConfig, csi_shape=(32, 32, 2)
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A training step and the test of a batch, as functions that end when it is done.

    Args:
        settings: network and batch size.
        csi_shape: (N_t, N_a, 2).
    """
    trainer = Trainer(settings, tf.distribute.get_strategy(), csi_shape, 1000)
    rng = np.random.default_rng(0)
    csi = tf.constant(
        rng.uniform(0.45, 0.55, (settings.batch_size, *csi_shape)), tf.float32
    )

    def test():
        return trainer.receive(trainer.transmit(csi)).numpy()

    return lambda: float(trainer.step(csi)), test


def seconds_of(calls: dict[T, Callable[[], object]]) -> dict[T, float]:
    """Median seconds of some calls, taken in turns."""
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    times: dict = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: float(np.median(own)) for name, own in times.items()}
