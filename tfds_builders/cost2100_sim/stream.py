"""Endless fresh drops, simulated ahead in processes of their own (no TensorFlow).

Block b of the stream of seed s is a pure function of (s, b), whatever the number of
workers. Worker i of n simulates every n-th chunk of blocks from the i-th on and writes
it to its standard output; the pipe is all there is between the processes:

    worker 0   chunk 0   chunk 2   ...  --pipe--> \
                                                   chunks()  0, 1, 2, ...
    worker 1   chunk 1   chunk 3   ...  --pipe--> /

A full pipe stops a worker, so that each is one chunk ahead at most; a broken one, where
the reader is gone for whatever reason, ends it. Not `multiprocessing`: its spawned
processes import the main module again, and with it TensorFlow.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator
from tfds_builders.cost2100_sim.examples import STREAM_SPLIT, examples

CHUNK_BLOCKS = 10
CHUNK_SHAPE = (CHUNK_BLOCKS * simulator.BLOCK, 32, 32, 2)
LARGEST_SEED = 2**32 - 1  # one word of NumPy's seed, as in the stored data sets
NICENESS = 5  # about a quarter of a core that training keeps busy
ROOT = Path(__file__).resolve().parents[2]


def block_csi(
    scenario: str, seed: int, block: int, scale: float | None = None
) -> np.ndarray:
    """Simulate one block of a stream.

    Args:
      scenario: `indoor` or `outdoor`.
      seed: of the stream.
      block: its index, 0 or more.
      scale: one factor for all drops; by default each has its own, as stored splits.

    Returns:
      float32 `[100, 32 angle, 32 delay, 2]`; in [0, 1] unless `scale` is too large.
    """
    h = simulator.taps(simulator.block_paths(scenario, seed, STREAM_SPLIT, block))
    return examples(h)["csi"] if scale is None else transforms.to_unit_range(h, scale)


class Stream:
    """Fresh drops of one seed; a context manager that ends its processes.

    Args:
      scenario: `indoor` or `outdoor`.
      seed: below 2^32.
      workers: number of processes.
      scale: see `block_csi`.

    Raises:
      ValueError: seed or number of workers out of range.
    """

    def __init__(
        self, scenario: str, seed: int, workers: int = 1, scale: float | None = None
    ):
        if not 0 <= seed <= LARGEST_SEED:
            raise ValueError(f"seed={seed}: a stream takes 0 to {LARGEST_SEED}")
        if workers < 1:
            raise ValueError(f"workers={workers}: a stream needs 1 or more")
        self.scenario, self.seed, self.scale = scenario, seed, scale
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
        _end(self._processes)

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
                    raise ChildProcessError(_reason(process))
                yield chunk
        finally:
            _end(processes)

    def _start(self, first_block: int) -> subprocess.Popen:
        task = {
            "scenario": self.scenario,
            "seed": self.seed,
            "scale": self.scale,
            "first_block": first_block,
            "step": self.workers * CHUNK_BLOCKS,
        }
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        return subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(task)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **dict.fromkeys(threads, "1"), "PYTHONPATH": path},
        )


def _reason(process: subprocess.Popen) -> str:
    """One line on a worker whose output has ended."""
    lines = process.stderr.read().decode(errors="replace").strip().splitlines()
    code = process.wait()
    what = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    return f"a stream worker {what}: {lines[-1] if lines else 'it gave no reason'}"


def _end(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def _work(task: dict) -> None:
    """Write every `step`-th chunk to standard output until nobody reads it."""
    for first in itertools.count(task["first_block"], task["step"]):
        blocks = [
            block_csi(task["scenario"], task["seed"], block, task["scale"])
            for block in range(first, first + CHUNK_BLOCKS)
        ]
        sys.stdout.buffer.write(np.concatenate(blocks).data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the reader
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader is gone: end silently
    os.nice(NICENESS)
    _work(json.loads(sys.argv[1]))
