"""What an experiment measures beside the results row of a run."""

from __future__ import annotations

import functools
import time

import numpy as np
import tensorflow as tf

from zoo import data, metrics
from zoo.config import ExperimentConfig
from zoo.keras_compat import Model
from zoo.layers.unfolding import Block
from zoo.run_directory import RunDirectory
from zoo.trainer import Trainer

BATCH = 500
WARM_UP, STEPS = 3, 10


@functools.cache
def per_block_db(run: RunDirectory) -> list[float]:
    """NMSE [dB] on the test split of the estimate after each block of a decoder."""
    h, *estimates = per_block(run)
    return [metrics.nmse_db(h, h_hat) for h_hat in estimates]


def per_block(run: RunDirectory, num_test: int = 0) -> list[np.ndarray]:
    """Test CSI, and its estimate after each block of a decoder.

    Args:
        run: of an unfolded network.
        num_test: the first test CSI only; 0: all of the run's.

    Returns:
        Zero-centred truth and estimates, `[n, N_t, N_a, 2]` float32.
    """
    test = data.load_split(run.config(), "test", num_test)
    model = run.load(test.csi.shape[1:])
    blocks = [x.output for x in model.decoder.layers if isinstance(x, Block)]
    between = Model(model.decoder.input, blocks)
    codeword = model.encoder.predict(test.csi, batch_size=BATCH, verbose=0)
    estimates = between.predict(codeword, batch_size=BATCH, verbose=0)
    return [test.h, *(x.reshape(test.h.shape) for x in estimates)]


def l1_norm(run: RunDirectory) -> float:
    """Mean over the test split of ||x_hat||_1, real and imaginary parts apart."""
    test = data.load_split(run.config(), "test")
    model = run.load(test.csi.shape[1:])
    csi_hat = model.autoencoder.predict(test.csi, batch_size=BATCH, verbose=0)
    return float(np.abs(csi_hat - np.float32(0.5)).sum(axis=(1, 2, 3)).mean())


def seconds_per_epoch(
    settings: ExperimentConfig, num_train: int, num_test: int, csi_shape=(32, 32, 2)
) -> tuple[float, float]:
    """Seconds of an epoch of training and of a pass over the test split, from samples.

    Args:
        settings: network and batch size.
        num_train: examples of an epoch.
        num_test: examples of the test split.
        csi_shape: (N_t, N_a, 2).
    """
    steps = num_train // settings.batch_size
    trainer = Trainer(settings, tf.distribute.get_strategy(), csi_shape, steps)
    rng = np.random.default_rng(0)
    csi = tf.constant(
        rng.uniform(0.45, 0.55, (settings.batch_size, *csi_shape)), tf.float32
    )
    training = _seconds(lambda: float(trainer.step(csi)))
    testing = _seconds(lambda: trainer.receive(trainer.transmit(csi)).numpy())
    return training * steps, testing * num_test / settings.batch_size


def seconds_per_sample(recover, codeword_dim: int, batch: int = 200) -> float:
    """Seconds that a function of measurements `[batch, M]` takes per sample."""
    rng = np.random.default_rng(0)
    v = tf.constant(rng.standard_normal((batch, codeword_dim)), tf.float32)
    return _seconds(lambda: recover(v).numpy()) / batch


def _seconds(call) -> float:
    """Median seconds of a call, warmed up."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(STEPS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times))
