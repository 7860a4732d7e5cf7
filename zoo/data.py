"""TFDS data sets in memory and the tf.data pipelines of training."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import tfds_builders
from tfds_builders import transforms
from zoo.config import ExperimentConfig


@dataclass(frozen=True)
class Split:
    """One split in memory.

    Attributes:
        csi: float32 `[n, N_t, N_a, 2]` in [0, 1], 0.5 is zero.
        csi_freq: complex64 `[n, N_t angle, 125 subcarriers]`, zero-centred truth before
            delay truncation; None where the data set has none.
    """

    csi: np.ndarray
    csi_freq: np.ndarray | None

    @property
    def h(self) -> np.ndarray:
        """Zero-centred CSI, float32 `[n, N_t, N_a, 2]`."""
        return self.csi - np.float32(0.5)


def open_builder(dataset: str, data_dir: str = "", manual_dir: str = ""):
    """Find a TFDS builder by 'name/config' and make sure its data exist.

    Raises:
        ValueError: unknown data set or configuration.
        FileNotFoundError: published files are missing from `manual_dir`.
    """
    name, _, config = dataset.partition("/")
    known = sorted(
        path.parent.name
        for path in Path(tfds_builders.__file__).parent.glob("*/*_dataset_builder.py")
    )
    if name not in known:
        raise ValueError(
            f"unknown dataset {name!r}, expected one of {', '.join(known)}"
        )
    module = importlib.import_module(f"tfds_builders.{name}.{name}_dataset_builder")
    configs = [item.name for item in module.Builder.BUILDER_CONFIGS]
    if config not in configs:
        raise ValueError(
            f"dataset {name!r} has no configuration {config!r}; write {name}/CONFIG "
            f"with one of {', '.join(configs)}"
        )
    builder = module.Builder(config=config, data_dir=data_dir or None)
    if not builder.data_path.exists():
        print(f"preparing {dataset} in {builder.data_path}", flush=True)
        if not sys.stderr.isatty():
            tfds.disable_progress_bar()
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=manual_dir or None, try_download_gcs=False
            )
        )
    return builder


def load_split(config: ExperimentConfig, split: str) -> Split:
    """Read one split of a configuration's data set into memory.

    Args:
        config: dataset, scaling and num_<split> apply.
        split: 'train', 'validation' or 'test'.

    Raises:
        ValueError: too few examples, or NaN or infinity in them.
    """
    builder = open_builder(config.dataset, config.data_dir, config.manual_dir)
    available = builder.info.splits[split].num_examples
    wanted = getattr(config, f"num_{split}") or available
    if wanted > available:
        raise ValueError(
            f"--num_{split}={wanted}: {config.dataset} has {available} {split} examples"
        )
    with_freq = split == "test" and "csi_freq" in builder.info.features
    csi, scale, csi_freq = _read(builder, f"{split}[:{wanted}]", wanted, with_freq)
    if not np.isfinite(csi).all():
        raise ValueError(f"{config.dataset}, split {split}: NaN or infinity in csi")
    return Split(_rescale(csi, scale, config.scaling, builder), csi_freq)


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


def _rescale(csi, scale, scaling: str, builder) -> np.ndarray:
    if scaling == "stored":
        return csi
    h = transforms.from_unit_range(csi, scale)
    if scaling == "per_sample":
        return transforms.to_unit_range(h, transforms.per_sample_scale(h))
    metadata = builder.info.metadata or {}
    if "global_scale" not in metadata:
        raise ValueError(
            f"--scaling=global: {builder.info.full_name} stores no global_scale; use "
            "--scaling=stored or --scaling=per_sample"
        )
    return transforms.to_unit_range(h, np.float32(metadata["global_scale"]))


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
    if len(csi) < batch_size:
        raise ValueError(
            f"{len(csi)} training examples are less than --batch_size={batch_size}"
        )
    with tf.device("CPU"):
        examples = tf.constant(csi)
    indices = tf.range(len(csi) // batch_size * batch_size)

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
