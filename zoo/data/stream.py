"""Endless training data: 'NAME/CONFIG:stream', simulated, as tf.data batches.

An epoch of a stream is as long as --num_train says (by default as the stored training
split) and holds drops that no other epoch does. Validation and test are the stored
splits of the part before ':stream'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from tfds_builders import blocks
from tfds_builders.stream import CHUNK_SHAPE, Stream
from zoo import registry
from zoo.config import ExperimentConfig

SUFFIX = "stream"
SIMULATED = blocks.simulated()


def parse(dataset: str) -> tuple[str, bool]:
    """Take 'name/config[:stream]' apart: ('name/config', is it a stream?).

    Raises:
        ValueError: another suffix, or a data set that is not simulated.
    """
    stored, colon, suffix = dataset.partition(":")
    name = stored.partition("/")[0]
    if colon and suffix != SUFFIX:
        raise ValueError(
            f"dataset {dataset!r} ends in ':{suffix}', expected ':{SUFFIX}' or nothing"
        )
    if colon and name not in SIMULATED:
        raise ValueError(
            f"dataset {dataset!r}: {name!r} has no simulator to stream from; write "
            f"{stored!r}, or stream {', '.join(SIMULATED)}"
        )
    return stored, bool(colon)


def check(config: ExperimentConfig, shape: tuple[int, ...]) -> None:
    """Refuse what cannot be streamed.

    Args:
        config: model, dataset and strategy apply.
        shape: of one example's CSI.

    Raises:
        ValueError: sequences, a network that takes uplinks, another size, or several
            machines, which would all train on the same drops.
    """
    if len(shape) != 3 or registry.get(config.model).takes_uplink:
        raise ValueError(
            f"--dataset={config.dataset}: sequences and uplinks are not streamed, "
            f"drop ':{SUFFIX}'"
        )
    if shape != CHUNK_SHAPE[1:]:
        raise ValueError(
            f"--dataset={config.dataset}: examples are {shape}, streams are of "
            f"{CHUNK_SHAPE[1:]}; drop ':{SUFFIX}'"
        )
    if config.strategy == "multi_worker":
        raise ValueError(
            f"--strategy=multi_worker: {config.dataset} streams on one machine only; "
            f"drop ':{SUFFIX}', or take --strategy=mirrored"
        )


def open_stream(
    config: ExperimentConfig, simulation: dict, scale: float | None
) -> Stream:
    """Stream of a configuration; no process runs before it is read.

    Args:
        config: dataset, seed and stream_workers apply.
        simulation: what determines the drops of the data set.
        scale: one factor for all drops; None: each its own.
    """
    name = config.dataset.partition("/")[0]
    return Stream(name, simulation, config.seed, config.stream_workers, scale)


def rebatch(
    chunks: Iterable[np.ndarray], skip: int, batch_size: int
) -> Iterator[np.ndarray]:
    """Cut chunks `[n, ...]` into batches `[batch_size, ...]`, after `skip` samples."""
    rest = None
    for chunk in chunks:
        if rest is None:
            rest = chunk[:0]
        rest, skip = np.concatenate([rest, chunk[skip:]]), max(0, skip - len(chunk))
        whole = len(rest) // batch_size * batch_size
        yield from rest[:whole].reshape(-1, batch_size, *chunk.shape[1:])
        rest = rest[whole:]


@contextlib.contextmanager
def batches(
    drops: Stream, batch_size: int, steps: int, start_epoch: int = 0
) -> Iterator[tf.data.Dataset]:
    """Endless batches `[batch_size, 32, 32, 2]` float32; the processes end with it.

    Batch k of epoch e holds the drops from number `(e * steps + k) * batch_size` on, so
    that a resumed run sees what an uninterrupted one does.

    Args:
        drops: the stream.
        batch_size: examples per batch.
        steps: batches per epoch.
        start_epoch: first epoch delivered.

    Raises:
        OSError: a worker failed: in place of the StopIteration that `next` meets.
    """
    first_block, skip = divmod(start_epoch * steps * batch_size, blocks.BLOCK)
    failures = []

    def generate():
        try:
            yield from rebatch(drops.chunks(first_block), skip, batch_size)
        except OSError as error:
            failures.append(error)  # raised, it would be logged with a long trace

    signature = tf.TensorSpec((batch_size, *CHUNK_SHAPE[1:]), tf.float32)
    endless = tf.data.Dataset.from_generator(generate, output_signature=signature)
    options = tf.data.Options()
    options.autotune.enabled = False
    with drops:
        try:
            yield endless.prefetch(4).with_options(options)
        except Exception:
            if failures:
                raise failures[0] from None
            raise
