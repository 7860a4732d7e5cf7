"""TFDS data sets in memory and the tf.data pipelines of training."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfds_builders import build
from zoo import metrics, noise, registry, scaling, stream
from zoo.config import ExperimentConfig


@dataclass(frozen=True)
class Split:
    """One split in memory.

    Attributes:
        csi: the network's input, float32 `[n, N_t, N_a, 2]` (of sequences
            `[n, T, N_t, N_a, 2]`, here and below), 0.5 is zero; noisy where
            the configuration says so ('train' gets its noise in the step).
        csi_clean: the truth in [0, 1]; without noise the same array.
        csi_freq: complex64 `[snapshots, N_t angle, 125 subcarriers]`, zero-centred
            truth before delay truncation; None where the data set has none.
        num_subcarriers: N_c; 1024 where the data set does not say.
        last_taps: of the N_a delays, those that are the last of all N_c.
    """

    csi: np.ndarray
    csi_clean: np.ndarray
    csi_freq: np.ndarray | None
    num_subcarriers: int
    last_taps: int = 0

    @property
    def h(self) -> np.ndarray:
        """Zero-centred truth, float32 `[snapshots, N_t, N_a, 2]`."""
        return metrics.frames(self.csi_clean) - np.float32(0.5)

    @property
    def h_seen(self) -> np.ndarray:
        """What the network sees of `h`: with noise, where there is some."""
        return metrics.frames(self.csi) - np.float32(0.5)


def open_builder(dataset: str, data_dir: str = "", manual_dir: str = ""):
    """Find a TFDS builder by 'name/config[:stream]' and make sure its data exist.

    Raises:
        ValueError: unknown data set or configuration.
        FileNotFoundError: published files are missing from `manual_dir`.
        OSError: simulating failed; the next call takes up what is staged.
    """
    dataset, _ = stream.parse(dataset)
    builder = build.find_builder(dataset, data_dir)
    build.prepare(builder, manual_dir=manual_dir)
    return builder


def load_split(config: ExperimentConfig, split: str, at_most: int = 0) -> Split:
    """Read one split of a configuration's data set into memory.

    Args:
        config: dataset, scaling, noise and num_<split> apply; for a stream, num_train
            is the length of its epochs instead.
        split: 'train', 'validation' or 'test'.
        at_most: read only so many; 0: no limit.

    Raises:
        ValueError: too few examples, NaN or infinity in them, or sequences.
    """
    builder = open_builder(config.dataset, config.data_dir, config.manual_dir)
    available = builder.info.splits[split].num_examples
    fresh = split == "train" and stream.parse(config.dataset)[1]
    wanted = available if fresh else getattr(config, f"num_{split}") or available
    if wanted > available:
        raise ValueError(
            f"--num_{split}={wanted}: {config.dataset} has {available} {split} examples"
        )
    _check_sequences(config, builder.info.features["csi"].shape)
    wanted = min(wanted, at_most or wanted)
    with_freq = split == "test" and "csi_freq" in builder.info.features
    csi, scale, csi_freq = _read(builder, f"{split}[:{wanted}]", wanted, with_freq)
    if not np.isfinite(csi).all():
        raise ValueError(f"{config.dataset}, split {split}: NaN or infinity in csi")
    csi = scaling.rescale(csi, scale, config.scaling, builder)
    if config.num_frames:
        csi = csi[:, : config.num_frames]
        csi_freq = None if csi_freq is None else csi_freq[:, : config.num_frames]
    if csi_freq is not None:
        csi_freq = csi_freq.reshape(-1, *csi_freq.shape[-2:])
    metadata = builder.info.metadata or {}
    grid = int(metadata.get("num_subcarriers", 1024))
    ratio = noise.ratio(config, split, csi.shape[-2], grid)
    noisy = noise.stored(csi, ratio, config.seed, split)
    return Split(noisy, csi, csi_freq, grid, int(metadata.get("last_taps", 0)))


def _check_sequences(config: ExperimentConfig, shape: tuple[int, ...]) -> None:
    """Refuse sequences for a network of single snapshots, and the other way round."""
    wanted, frames = registry.get(config.model).takes_sequences, config.num_frames
    if wanted != (len(shape) == 4):
        have = f"sequences {shape}" if len(shape) == 4 else f"single snapshots {shape}"
        fix = "with" if wanted else "without"
        raise ValueError(
            f"{config.dataset} has {have}, which --model={config.model} does not take: "
            f"choose a data set {fix} '_track'"
        )
    if frames and not (wanted and 2 <= frames <= shape[0]):
        most = f"2 to {shape[0]}" if wanted else "0, there are no sequences"
        raise ValueError(f"--num_frames={frames}: expected {most}")


def _read(builder, split: str, count: int, with_freq: bool):
    csi = np.empty((count, *builder.info.features["csi"].shape), np.float32)
    scale = np.empty(count, np.float32)
    freq = []
    decoders = None if with_freq else tfds.decode.PartialDecoding({"csi", "scale"})
    options = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
    examples = builder.as_dataset(split=split, decoders=decoders, read_config=options)
    start = 0
    for batch in examples.batch(500).as_numpy_iterator():
        stop = start + len(batch["csi"])
        csi[start:stop], scale[start:stop] = batch["csi"], batch["scale"]
        if with_freq:
            freq.append(batch["csi_freq"][..., 0] + 1j * batch["csi_freq"][..., 1])
        start = stop
    return csi, scale, np.concatenate(freq).astype(np.complex64) if freq else None


def steps_per_epoch(num_train: int, batch_size: int) -> int:
    """Whole batches in an epoch.

    Raises:
        ValueError: fewer examples than one batch.
    """
    if num_train < batch_size:
        raise ValueError(
            f"{num_train} training examples are less than --batch_size={batch_size}"
        )
    return num_train // batch_size


def training_batches(
    csi: np.ndarray, batch_size: int, seed: int, start_epoch: int = 0
) -> tf.data.Dataset:
    """Endless shuffled batches `[batch_size, N_t, N_a, 2]`, epoch after epoch.

    The order of epoch e depends on (seed, e) only, so that a resumed run sees what an
    uninterrupted one does. Incomplete batches are dropped.

    Args:
        csi: `[n, N_t, N_a, 2]` float32.
        batch_size: examples per batch, at most n.
        seed: of the order.
        start_epoch: first epoch delivered.

    Raises:
        ValueError: fewer examples than one batch.
    """
    steps = steps_per_epoch(len(csi), batch_size)
    with tf.device("CPU"):
        examples = tf.constant(csi)
    indices = tf.range(steps * batch_size)

    def order(epoch):
        key = [tf.constant(seed, tf.int64), epoch]
        order = tf.random.experimental.stateless_shuffle(tf.range(len(csi)), seed=key)
        return tf.data.Dataset.from_tensor_slices(tf.gather(order, indices))

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    options.autotune.enabled = False  # can stall after the last in-memory batch
    return (
        epochs.flat_map(order)
        .batch(batch_size, drop_remainder=True)
        .map(lambda i: tf.gather(examples, i), num_parallel_calls=1)
        .prefetch(4)
        .with_options(options)
    )


def num_train(config: ExperimentConfig, builder) -> int:
    """Training examples per epoch; of a stream, fresh ones in each."""
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
        builder = open_builder(config.dataset, config.data_dir)
        if len(builder.info.features["csi"].shape) != 3:
            raise ValueError(
                f"--dataset={config.dataset}: sequences are not streamed, drop "
                f"':{stream.SUFFIX}'"
            )
        scale = (
            float(scaling.global_scale(builder)) if config.scaling == "global" else None
        )
        drops = stream.open_stream(config, builder.builder_config.simulation, scale)
        steps = steps_per_epoch(num_train(config, builder), size)
        return steps, functools.partial(stream.batches, drops, size, steps)
    csi = load_split(config, "train").csi

    def batches(start_epoch):
        return contextlib.nullcontext(training_batches(csi, size, seed, start_epoch))

    return steps_per_epoch(len(csi), size), batches


def training_examples(config: ExperimentConfig, count: int) -> np.ndarray:
    """First training examples, for what is fitted to them before training.

    Returns:
        CSI float32 `[count or as many as there are, N_t, N_a, 2]` in [0, 1]; of a
        stream, those of the stored training split.
    """
    return load_split(config, "train", count).csi
