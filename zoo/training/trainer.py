"""A network, its optimiser and the compiled training step."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf

from zoo.codeword import channel_noise
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import estimation_noise, splits, training_source
from zoo.data.batches import in_batches
from zoo.keras_compat import keras
from zoo.metrics import accuracy
from zoo.models.autoencoder import CsiAutoencoder
from zoo.training import distribution, losses
from zoo.training.freezing import freeze, trained_part
from zoo.training.fused import use_fused
from zoo.training.link import Link
from zoo.training.optimizer import Adam
from zoo.training.schedules import make_schedule
from zoo.training.statistics import Statistics


def build_network(
    settings: ExperimentConfig, strategy: tf.distribute.Strategy, csi_shape: tuple
) -> CsiAutoencoder:
    """Network of a configuration, its untrained parts frozen; needs no data.

    Args:
        settings: the experiment.
        strategy: owner of the variables.
        csi_shape: (N_t, N_a, 2), or (T, N_t, N_a, 2) of sequences.

    Raises:
        ValueError: the network refuses an option or a value.
    """
    with strategy.scope():
        network = build_autoencoder(settings, csi_shape)
        freeze(network, trained_part(settings))
    return network


class Trainer:
    """A network, its optimiser and the compiled training step.

    Args:
        settings: the experiment.
        strategy: tf.distribute strategy that owns the variables.
        csi_shape: (N_t, N_a, 2).
        steps_per_epoch: for the learning-rate schedule.
        noise_ratio: E||noise||^2 / ||h||^2 of the step's input.
        network: made by `build_network`; None: made here.
    """

    def __init__(
        self,
        settings: ExperimentConfig,
        strategy: tf.distribute.Strategy,
        csi_shape: tuple[int, int, int],
        steps_per_epoch: int,
        noise_ratio: float = 0.0,
        network: CsiAutoencoder | None = None,
    ):
        self.settings, self.strategy = settings, strategy
        self.noise_ratio = noise_ratio
        self.model = network or build_network(settings, strategy, csi_shape)
        network = self.model.trained
        with strategy.scope():
            self.schedule = make_schedule(settings, steps_per_epoch)
            self._adam = optimizer = Adam(
                self.schedule,
                settings.dense_rate,
                settings.optimizer == "lamb",
                settings.ema,
                epsilon=settings.adam_epsilon,
            )
            self.scaled = settings.precision == "mixed_float16"
            if self.scaled:
                optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
            optimizer.build(network.trainable_variables)
        self.optimizer = optimizer
        self.variables = [*network.variables, *optimizer.variables]
        self._statistics = None
        self._synchronise = distribution.average_over_replicas(
            strategy, network.non_trainable_variables
        )
        fused = use_fused(settings)
        self._link = Link(self.model, fused)
        self._distance = losses.LOSSES[settings.loss]
        self._apply = self._apply_gradients
        if fused:
            self._apply = tf.function(self._apply_gradients, jit_compile=True)
        self._replica = tf.function(self._update, jit_compile=settings.xla or None)
        self.step = tf.function(self._step)
        self.transmit = tf.function(self.model.transmit)
        self.receive = tf.function(self.model.receive)

    def _update(self, batch):
        """One replica's update; returns its share of the global mean loss."""
        draw = self._draw()
        with tf.GradientTape() as tape:
            per_sample = self._losses(*training_source.parts(batch), draw=draw)
            loss = tf.reduce_sum(per_sample) / self.settings.batch_size
            target = self.optimizer.scale_loss(loss) if self.scaled else loss
        self._apply(tape.gradient(target, self.model.trained.trainable_variables))
        return loss

    def _losses(self, csi, *uplink, draw):
        """Loss of each example `[batch]`."""
        settings = self.settings
        noisy = csi
        if self.noise_ratio:
            noisy = estimation_noise.fresh(csi, self.noise_ratio, settings.seed, draw)
        if self.model.joint is not None:
            rates = tf.stack(self._link.joint(noisy), 1)
            return self._distance(csi[:, None], rates)
        codeword = self._link.encode(noisy)
        arrived, rate = self._link.send(codeword, settings.seed, draw)
        if channel_noise.is_noisy(settings):
            arrived = channel_noise.fresh(arrived, settings, draw)
        repaired = self._link.repair(arrived)
        if settings.loss == "codeword":
            return self._distance(tf.stop_gradient(codeword), repaired) + rate
        csi_hat, penalty = self._link.decode(repaired, csi, *uplink)
        return self._distance(csi, csi_hat) + (rate + penalty)

    def estimate_statistics_on(self, batches: tf.data.Dataset) -> None:
        """Estimate batch-norm statistics on these batches before each validation."""

        def forward(batch):
            self._losses(*training_source.parts(batch), draw=self._draw())

        self._statistics = Statistics(
            self.strategy, self.model.trained.variables, forward, batches
        )

    def settle(self) -> None:
        """Make the network what is validated and kept, until `go_on`.

        Replicas become equal, weights their average where a run takes one, batch-norm
        statistics those of these weights where they are estimated.
        """
        self._synchronise()
        if self.settings.ema:
            weights = self.model.trained.trainable_variables
            self._own = [np.array(weight) for weight in weights]
            self._adam.finalize_variable_values(weights)
        if self._statistics is not None:
            self._statistics.estimate()

    def go_on(self) -> None:
        """Give the network the weights back that it trains."""
        if self.settings.ema:
            weights = self.model.trained.trainable_variables
            with self.strategy.scope():
                for weight, value in zip(weights, self._own, strict=True):
                    weight.assign(value)

    def set_dense_rate(self, share: float) -> None:
        """Change the share of the rate that matrices take; before the first step."""
        self._adam.dense_rate = share

    def damped(self) -> str:
        """A warning if Adam's epsilon holds most weights back, else nothing."""
        return self._adam.damped()

    def _draw(self):
        """Number of this update and replica: the same again in a resumed run."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        step = tf.cast(self.optimizer.iterations, tf.int64)
        return step * self.strategy.num_replicas_in_sync + tf.cast(replica, tf.int64)

    def _apply_gradients(self, gradients):
        variables = self.model.trained.trainable_variables
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

    def _step(self, batch):
        losses = self.strategy.run(self._replica, args=(batch,))
        return self.strategy.reduce("SUM", losses, axis=None)

    def validate(self, split: splits.Split) -> tuple[float, np.ndarray]:
        """Error of a split in dB, see `Split`, and its recovered CSI, zero-centred."""
        settings = self.settings
        sent = in_batches(self.transmit, split.csi)
        arrived = channel_noise.received(
            sent,
            settings.feedback_snr_db,
            settings.seed,
            "validation",
            settings.feedback_snr_low_db,
        )
        csi_hat = in_batches(self.receive, arrived, *split.side)
        h_hat = accuracy.frames(csi_hat) - np.float32(0.5)
        return split.error_db(h_hat), h_hat

    def codewords(self, csi: np.ndarray) -> np.ndarray:
        """What the encoder makes of `[n, N_t, N_a, 2]`, before the quantiser."""
        encoder = self.model.encoder
        encode = tf.function(lambda x: encoder(x, training=False))
        return in_batches(encode, csi)

    def rate(self) -> float:
        """Learning rate of the next update, logged at the end of each epoch."""
        if callable(self.schedule):
            return float(self.schedule(self.optimizer.iterations))
        return self.schedule

    def weights_sha256(self) -> str:
        """Hash of all weights, equal on workers that agree."""
        digest = hashlib.sha256()
        for variable in self.model.trained.variables:
            digest.update(np.ascontiguousarray(variable).tobytes())
        return digest.hexdigest()
