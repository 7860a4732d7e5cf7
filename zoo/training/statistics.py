"""Batch-norm statistics of the weights as they are, instead of moving averages.

A moving average of momentum 0.99 holds what the layers gave some hundred steps ago. In
a short training the weights have left that behind: the network is validated, and its
best epoch chosen, with the statistics of another one. Here they are estimated again
from a fixed set of training batches (Wu, Johnson, "Rethinking 'Batch' in BatchNorm",
2021, https://arxiv.org/abs/2105.07576).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from zoo.config import ExperimentConfig
from zoo.data import training_source

LONG = 2000  # steps of an epoch in which a moving average has settled
FEWEST, MOST = 500, 4000  # examples that are enough, if a tenth of an epoch has them
LARGE = 1e6  # a variance beside which that of a batch is nothing


def are_estimated(settings: ExperimentConfig, steps_per_epoch: int) -> bool:
    """Whether a run estimates its statistics before each validation."""
    if settings.bn_statistics == "auto":
        return steps_per_epoch < LONG
    return settings.bn_statistics == "estimated"


def fixed_batches(settings: ExperimentConfig, steps_per_epoch: int) -> tf.data.Dataset:
    """First training examples, a tenth of an epoch within limits, in batches.

    Args:
        settings: data and batch size apply.
        steps_per_epoch: of the training.
    """
    size = settings.batch_size
    fewest, most = -(-FEWEST // size), -(-MOST // size)
    count = min(max(steps_per_epoch // 10, fewest), most, steps_per_epoch)
    return training_source.first_batches(settings, count)


class Statistics:
    """Estimates the statistics of all batch norms that training updates.

    Statistics that begin at zero are, after one batch, a known share of that batch's.
    So nothing but the variables' names is needed of a layer, wherever it is nested.

    Args:
        strategy: owner of the variables.
        variables: of the network.
        forward: training-mode pass of one replica's part of a batch.
        batches: the same ones every time, `[batch, ...]` over all replicas.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        variables: Sequence,
        forward: Callable[[tf.Tensor], object],
        batches: tf.data.Dataset,
    ):
        self._strategy, self._forward = strategy, forward
        self._batches = strategy.experimental_distribute_dataset(batches)
        self._means, self._variances = (
            [v for v in variables if v.name.partition(":")[0].endswith(name)]
            for name in ("moving_mean", "moving_variance")
        )
        self._after = tf.function(self._pass)
        self._now = tf.function(self._read)
        if self._means:
            self._keep_updated()
        if self._means:
            self._share = self._share_of_a_batch()

    def estimate(self) -> None:
        """Set means and variances to those over all examples of all batches."""
        if not self._means:
            return
        sums, count, nothing = 0.0, 0, np.zeros(len(self._share), np.float32)
        for batch in self._batches:
            state = self._after(batch, nothing, nothing).numpy()
            mean, variance = state / self._share  # float64: a mean may be far from 0
            sums, count = sums + np.stack([mean, variance + mean**2]), count + 1
        mean, square = sums / count
        self._write(mean, np.maximum(square - mean**2, 0))

    def _keep_updated(self) -> None:
        """Leave out what a pass does not change: the statistics of frozen layers."""
        before = self._now().numpy()
        after = self._after(next(iter(self._batches)), *before).numpy()
        self._write(*before)
        ends = np.cumsum([v.shape[0] for v in self._means])[:-1]
        parts = np.split(np.any(before != after, axis=0), ends)
        kept = [i for i, changed in enumerate(parts) if changed.any()]
        self._means = [self._means[i] for i in kept]
        self._variances = [self._variances[i] for i in kept]
        self._after, self._now = tf.function(self._pass), tf.function(self._read)

    def _share_of_a_batch(self) -> np.ndarray:
        """1 - momentum of each channel; of a layer that is called twice accordingly."""
        before, batch = self._now().numpy(), next(iter(self._batches))
        nothing = np.zeros_like(before[0])
        large = self._after(batch, nothing, nothing + np.float32(LARGE))
        kept = (large - self._after(batch, nothing, nothing)).numpy()[1]
        self._write(*before)
        return 1 - np.round(kept.astype(np.float64) / LARGE, 5)

    def _pass(self, batch, mean, variance) -> tf.Tensor:
        """State after a pass that begins with means and variances `[channels]`."""
        self._write(mean, variance)
        self._strategy.run(self._forward, args=(batch,))
        return self._read()

    def _read(self) -> tf.Tensor:
        """Means and variances of all channels `[2, channels]`, over the replicas."""

        def state():
            kinds = self._means, self._variances
            return tf.stack(
                [tf.concat([tf.identity(v) for v in kind], 0) for kind in kinds]
            )

        return self._strategy.reduce("MEAN", self._strategy.run(state), axis=None)

    def _write(self, mean, variance) -> None:
        sizes = [v.shape[0] for v in self._means]
        with self._strategy.scope():
            for kind, state in ((self._means, mean), (self._variances, variance)):
                parts = tf.split(tf.cast(state, tf.float32), sizes)
                for variable, part in zip(kind, parts, strict=True):
                    variable.assign(part)
