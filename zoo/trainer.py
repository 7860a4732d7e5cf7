"""A network, its optimiser and the compiled training step."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf

from zoo import data, distribution, metrics, noise
from zoo.config import ExperimentConfig
from zoo.fused import fused_autoencoder, use_fused
from zoo.keras_compat import keras
from zoo.run_directory import build_autoencoder
from zoo.schedules import make_schedule

VALIDATION_BATCH = 500


class Trainer:
    """A network, its optimiser and the compiled training step.

    Args:
        settings: the experiment.
        strategy: tf.distribute strategy that owns the variables.
        csi_shape: (N_t, N_a, 2).
        steps_per_epoch: for the learning-rate schedule.
        noise_ratio: E||noise||^2 / ||h||^2 of the step's input.
    """

    def __init__(
        self,
        settings: ExperimentConfig,
        strategy: tf.distribute.Strategy,
        csi_shape: tuple[int, int, int],
        steps_per_epoch: int,
        noise_ratio: float = 0.0,
    ):
        self.settings, self.strategy = settings, strategy
        self.noise_ratio = noise_ratio
        with strategy.scope():
            self.model = build_autoencoder(settings, csi_shape)
            network = self.model.autoencoder
            self.schedule = make_schedule(settings, steps_per_epoch)
            optimizer = keras.optimizers.Adam(
                self.schedule, epsilon=settings.adam_epsilon
            )
            self.scaled = settings.precision == "mixed_float16"
            if self.scaled:
                optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
            optimizer.build(network.trainable_variables)
        self.optimizer = optimizer
        self.variables = [*network.variables, *optimizer.variables]
        self.synchronise = distribution.average_over_replicas(
            strategy, network.non_trainable_variables
        )
        fused = use_fused(settings)
        self._network = fused_autoencoder(network) if fused else network
        self._apply = self._apply_gradients
        if fused:
            self._apply = tf.function(self._apply_gradients, jit_compile=True)
        self._replica = tf.function(self._update, jit_compile=settings.xla or None)
        self.step = tf.function(self._step)
        self.predict = tf.function(lambda csi: network(csi, training=False))

    def _update(self, csi):
        """One replica's update; returns its share of the global mean loss."""
        with tf.GradientTape() as tape:
            error = tf.square(self._network(self._noisy(csi), training=True) - csi)
            per_sample = tf.reduce_mean(error, axis=(1, 2, 3))
            loss = tf.reduce_sum(per_sample) / self.settings.batch_size
            target = self.optimizer.scale_loss(loss) if self.scaled else loss
        self._apply(tape.gradient(target, self.model.autoencoder.trainable_variables))
        return loss

    def _noisy(self, csi):
        """The network's input: fresh noise, the same again in a resumed run."""
        if not self.noise_ratio:
            return csi
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        step = tf.cast(self.optimizer.iterations, tf.int64)
        draw = step * self.strategy.num_replicas_in_sync + tf.cast(replica, tf.int64)
        return noise.fresh(csi, self.noise_ratio, self.settings.seed, draw)

    def _apply_gradients(self, gradients):
        variables = self.model.autoencoder.trainable_variables
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

    def _step(self, csi):
        losses = self.strategy.run(self._replica, args=(csi,))
        return self.strategy.reduce("SUM", losses, axis=None)

    def validate(self, split: data.Split) -> tuple[float, np.ndarray]:
        """NMSE in dB of a split and its recovered CSI, zero-centred."""
        starts = range(0, len(split.csi), VALIDATION_BATCH)
        parts = [self.predict(split.csi[i : i + VALIDATION_BATCH]) for i in starts]
        h_hat = np.concatenate(parts) - np.float32(0.5)
        return metrics.nmse_db(split.h, h_hat), h_hat

    def rate(self) -> float:
        """Learning rate of the next update, logged at the end of each epoch."""
        if callable(self.schedule):
            return float(self.schedule(self.optimizer.iterations))
        return self.schedule

    def weights_sha256(self) -> str:
        """Hash of all weights, equal on workers that agree."""
        digest = hashlib.sha256()
        for variable in self.model.autoencoder.variables:
            digest.update(np.ascontiguousarray(variable).tobytes())
        return digest.hexdigest()
