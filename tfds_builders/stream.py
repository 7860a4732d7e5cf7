"""Endless fresh drops, simulated ahead in processes of their own (no TensorFlow).

Block b of the stream of seed s is a pure function of (s, b), whatever the number of
workers. Worker i of n simulates every n-th chunk of blocks from the i-th on and writes
it to its standard output; the pipe is all there is between the processes:

    worker 0   chunk 0   chunk 2   ...  --pipe--> \
                                                   chunks()  0, 1, 2, ...
    worker 1   chunk 1   chunk 3   ...  --pipe--> /

A full pipe stops a worker, so that each is one chunk ahead at most; a broken one, where
the reader is gone for whatever reason, ends it.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np

from tfds_builders import blocks, transforms, workers

CHUNK_BLOCKS = 10
CHUNK_SHAPE = (CHUNK_BLOCKS * blocks.BLOCK, 32, 32, 2)
LARGEST_SEED = 2**32 - 1  # one word of NumPy's seed, as in the stored data sets


def block_csi(
    name: str, simulation: dict, seed: int, block: int, scale: float | None = None
) -> np.ndarray:
    """Simulate one block of a stream.

    Args:
      name: simulated data set, `cost2100_sim`.
      simulation: what determines its drops, `{"scenario": "indoor"}`.
      seed: of the stream.
      block: its index, 0 or more.
      scale: one factor for all drops; by default each has its own, as stored splits.

    Returns:
      float32 `[100, 32 angle, 32 delay, 2]`; in [0, 1] unless `scale` is too large.
    """
    block_examples = blocks.simulator_of(name)
    features = block_examples(simulation, seed, blocks.STREAM_SPLIT, block)
    csi = features["csi"]
    if scale is None:
        return csi
    h = transforms.from_unit_range(csi, features["scale"])
    return transforms.to_unit_range(h, scale)


class Stream:
    """Fresh drops of one seed; a context manager that ends its processes.

    Args:
      name: simulated data set.
      simulation: see `block_csi`.
      seed: below 2^32.
      workers: number of processes.
      scale: see `block_csi`.

    Raises:
      ValueError: seed or number of workers out of range.
    """

    def __init__(
        self,
        name: str,
        simulation: dict,
        seed: int,
        workers: int = 1,
        scale: float | None = None,
    ):
        if not 0 <= seed <= LARGEST_SEED:
            raise ValueError(f"seed={seed}: a stream takes 0 to {LARGEST_SEED}")
        if workers < 1:
            raise ValueError(f"workers={workers}: a stream needs 1 or more")
        self._task = {"args": [name, simulation, seed], "scale": scale}
        self.workers = workers
        self._processes: list[subprocess.Popen] = []
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, also from another thread than the one in `chunks`."""
        with self._lock:
            self._closed = True
        workers.end(self._processes)

    def chunks(self, first_block: int = 0) -> Iterator[np.ndarray]:
        """Yield `CHUNK_SHAPE` float32 from block `first_block` on, until closed.

        Raises:
          ChildProcessError: a worker failed.
        """
        processes = []
        with self._lock:
            for index in range(0 if self._closed else self.workers):
                processes.append(self._start(first_block + index * CHUNK_BLOCKS))
                self._processes.append(processes[-1])
        try:
            for process in itertools.cycle(processes):
                chunk = np.empty(CHUNK_SHAPE, np.float32)
                if process.stdout.readinto(chunk.data.cast("B")) < chunk.nbytes:
                    if self._closed:
                        return
                    raise workers.failure(process, "stream")
                yield chunk
        finally:
            workers.end(processes)

    def _start(self, first_block: int) -> subprocess.Popen:
        step = self.workers * CHUNK_BLOCKS
        task = {**self._task, "first_block": first_block, "step": step}
        return workers.start(__name__, task)


def _chunk(task: dict, first: int) -> np.ndarray:
    """Simulate the chunk whose first block has this index: `CHUNK_SHAPE` float32."""
    chunk = np.concatenate(
        [
            block_csi(*task["args"], block, task["scale"])
            for block in range(first, first + CHUNK_BLOCKS)
        ]
    )
    if chunk.shape != CHUNK_SHAPE or chunk.dtype != np.float32:
        raise ValueError(
            f"csi of {CHUNK_BLOCKS} blocks is {chunk.dtype} {chunk.shape}, "
            f"a stream takes float32 {CHUNK_SHAPE}"
        )
    return chunk


def _work(task: dict) -> None:
    """Write every `step`-th chunk to standard output until nobody reads it."""
    for first in itertools.count(task["first_block"], task["step"]):
        sys.stdout.buffer.write(np.ascontiguousarray(_chunk(task, first)).data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _work(workers.enter())
