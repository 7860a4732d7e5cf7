"""Training batches of a configuration, from memory or from a simulator."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import tensorflow as tf

from zoo.config import ExperimentConfig
from zoo.data import exchange, mixture, scaling, splits, stream
from zoo.data.batches import steps_per_epoch


def parts(batch: tf.Tensor | tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
    """CSI `[..., 2]` of a training batch and, where there is one, uplink `[..., 1]`.

    Of a side that trains apart the CSI and its codeword `[..., M]`.
    """
    if isinstance(batch, tuple):
        return batch
    csi, uplink = batch[..., :2], batch[..., 2:]
    return (csi, uplink) if batch.shape[-1] > 2 else (csi,)


def training_batches(
    csi: np.ndarray | tuple[np.ndarray, ...],
    batch_size: int,
    seed: int,
    start_epoch: int = 0,
) -> tf.data.Dataset:
    """Endless shuffled batches `[batch_size, N_t, N_a, 2]`, epoch after epoch.

    The order of epoch e depends on (seed, e) only, so that a resumed run sees what an
    uninterrupted one does. Incomplete batches are dropped.

    Args:
        csi: `[n, N_t, N_a, 2]` float32, or a tuple of arrays `[n, ...]`, of which each
            batch is then a tuple.
        batch_size: examples per batch, at most n.
        seed: of the order.
        start_epoch: first epoch delivered.

    Raises:
        ValueError: fewer examples than one batch.
    """
    count = len(tf.nest.flatten(csi)[0])
    steps = steps_per_epoch(count, batch_size)
    with tf.device("CPU"):
        examples = tf.nest.map_structure(tf.constant, csi)
    indices = tf.range(steps * batch_size)

    def order(epoch):
        key = [tf.constant(seed, tf.int64), epoch]
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=key)
        return tf.data.Dataset.from_tensor_slices(tf.gather(order, indices))

    def chosen(places):
        return tf.nest.map_structure(lambda x: tf.gather(x, places), examples)

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max)
    batches = (
        epochs.flat_map(order)
        .batch(batch_size, drop_remainder=True)
        .map(chosen, num_parallel_calls=1)
        .prefetch(4)
    )
    return _sharded(batches)


def first_batches(config: ExperimentConfig, count: int) -> tf.data.Dataset:
    """The first training examples in batches `[batch_size, N_t, N_a, 2]`, once.

    Of a stream those of the stored training split, and at least one batch of them.
    """
    size = config.batch_size
    examples = _examples(config, count * size)
    whole = max(size, len(tf.nest.flatten(examples)[0]) // size * size)
    first = tf.nest.map_structure(lambda x: x[:whole], examples)
    return _sharded(tf.data.Dataset.from_tensor_slices(first).batch(size))


def _sharded(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Batches that workers share example by example."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    options.autotune.enabled = False  # can stall after the last in-memory batch
    return batches.with_options(options)


def _examples(config: ExperimentConfig, at_most: int = 0):
    """CSI `[n, ..., 2]` and behind it, where there is one, the uplink.

    Of a side that trains apart the CSI and its codewords, as a tuple.
    """
    if config.exchange:
        return exchange.examples(config, "train", at_most)
    split = splits.load_split(config, "train", at_most)
    if not split.side:
        return split.csi
    return np.concatenate([split.csi, *split.side], axis=-1)


def num_train(config: ExperimentConfig, builder) -> int:
    """Training examples per epoch; of a stream, fresh ones in each."""
    if config.mix:
        parts = mixture.parts(config)
        found = [splits.open_builder(x.dataset, x.data_dir) for x in parts]
        return sum(map(num_train, parts, found))
    return config.num_train or builder.info.splits["train"].num_examples


BatchesFrom = Callable[[int], AbstractContextManager[tf.data.Dataset]]


def training_source(config: ExperimentConfig) -> tuple[int, BatchesFrom]:
    """Training batches of a configuration, from memory or from a simulator.

    Returns:
        Batches per epoch, and a function of the first epoch to deliver. Its context
        gives endless batches `[batch_size, N_t, N_a, 2]` float32.

    Raises:
        ValueError: unusable data, fewer examples than one batch, or a stream over
            several machines.
    """
    size, seed = config.batch_size, config.seed
    if stream.parse(config.dataset)[1]:
        builder = splits.open_builder(config.dataset, config.data_dir)
        stream.check(config, builder.info.features["csi"].shape)
        scale = (
            float(scaling.global_scale(builder)) if config.scaling == "global" else None
        )
        drops = stream.open_stream(config, builder.builder_config.simulation, scale)
        steps = steps_per_epoch(num_train(config, builder), size)
        return steps, functools.partial(stream.batches, drops, size, steps)
    examples = _examples(config)

    def batches(start_epoch):
        return contextlib.nullcontext(
            training_batches(examples, size, seed, start_epoch)
        )

    return steps_per_epoch(len(tf.nest.flatten(examples)[0]), size), batches


def training_examples(config: ExperimentConfig, count: int) -> np.ndarray:
    """First training examples, for what is fitted to them before training.

    Returns:
        CSI float32 `[count or as many as there are, N_t, N_a, 2]` in [0, 1]; of a
        stream, those of the stored training split.
    """
    return splits.load_split(config, "train", count).csi
