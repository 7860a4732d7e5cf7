"""Simulated blocks as files, made by processes of their own (NumPy only).

Every block is written to a temporary name and renamed: a file is whole or not there,
and what a killed build has simulated is not simulated again. The archives hold
checksums, so that a file damaged later is noticed and made again. The folder is named
after all that determines the bits; blocks of other code or settings are never used.

The parent hands out one block at a time and waits for whoever is ready:

    parent  --"split block"-->  worker  --"+" simulated, "=" was there-->  parent

A worker whose parent is gone finds its input ended and ends after its block.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfds_builders import blocks, durable, workers

RECORD_BYTES = 300  # of an example in a TFRecord, beside its features
Block = tuple[int, int]  # numbers of split and block


def fingerprint(name: str, simulation: dict, seed: int) -> str:
    """Name for the blocks of a data set: seed, hash of settings, code and NumPy."""
    settings = json.dumps([name, simulation, seed, np.__version__], sort_keys=True)
    digest = hashlib.sha256(settings.encode())
    for path in sorted(blocks.FOLDER.rglob("*")):
        if path.suffix in (".py", ".json"):
            digest.update(path.relative_to(blocks.FOLDER).as_posix().encode())
            digest.update(path.read_bytes())
    return f"{seed}-{digest.hexdigest()[:16]}"


@dataclass(frozen=True)
class Staging:
    """Staged blocks of one simulated data set.

    Attributes:
      folder: where they are, a string for JSON's sake.
      name: of the simulated data set.
      simulation: what determines the drops, see `blocks`.
      seed: of the data set.
    """

    folder: str
    name: str
    simulation: dict
    seed: int

    def path(self, split: int, block: int) -> Path:
        """File of a block."""
        return Path(self.folder, f"{split}-{block:06d}.npz")

    def load(self, split: int, block: int) -> dict[str, np.ndarray] | None:
        """Features of a staged block, None where it is missing or damaged."""
        try:
            with np.load(self.path(split, block)) as arrays:
                return dict(arrays)
        except Exception:  # whatever a damaged archive may raise
            return None

    def simulate(self, split: int, block: int) -> dict[str, np.ndarray]:
        """Features of a block, simulated here and now."""
        block_examples = blocks.simulator_of(self.name)
        return block_examples(self.simulation, self.seed, split, block)

    def read(self, split: int, block: int) -> dict[str, np.ndarray]:
        """Features of a block, simulated again where it is missing or damaged."""
        return self.load(split, block) or self.simulate(split, block)

    def stage(self, split: int, block: int) -> bool:
        """Make sure that a block is staged; returns whether it had to be simulated.

        Raises:
          OSError: a full disk, for example; what else is staged stays.
        """
        if self.load(split, block):
            return False
        content = io.BytesIO()
        np.savez(content, **self.simulate(split, block))
        path = self.path(split, block)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_bytes(content.getbuffer())
            durable.replace(temporary, path)
        except OSError as error:
            raise OSError(
                f"{path}: {error.strerror}; other blocks are kept: start again when "
                "this one can be written"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def check_disk(self, todo: list[Block]) -> None:
        """Refuse what does not fit: blocks not staged yet, and the TFRecords of all.

        Raises:
          OSError: too little is free.
        """
        needed, sizes = 0, {}
        for split, block in todo:
            if split not in sizes:
                arrays = self.read(split, 0).values()
                overhead = RECORD_BYTES * blocks.BLOCK
                sizes[split] = sum(array.nbytes for array in arrays) + overhead
            needed += sizes[split] * (1 if self.path(split, block).exists() else 2)
        folder = Path(self.folder).parent
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(
                f"{self.name} needs {needed / 1e9:.3g} GB more in {folder}, where "
                f"{free / 1e9:.3g} GB are free: make room or give another --data_dir"
            )

    def stage_all(
        self, todo: list[Block], num_workers: int, report: Callable[[bool], None]
    ) -> None:
        """Stage blocks in processes that end with this one.

        Args:
          todo: numbers of split and block.
          num_workers: number of processes.
          report: called after each block: did it have to be simulated?

        Raises:
          ChildProcessError: a worker failed, with its reason in one line.
        """
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.tmp"):  # of workers that were killed
            left.unlink(missing_ok=True)
        task = dataclasses.asdict(self)
        processes = [
            workers.start(__name__, task, stdin=subprocess.PIPE)
            for _ in range(min(num_workers, len(todo)))
        ]
        try:
            _hand_out(processes, todo, report)
        finally:
            workers.end(processes)


def _hand_out(
    processes: list[subprocess.Popen], todo: list[Block], report: Callable[[bool], None]
) -> None:
    left = iter(todo)
    with selectors.DefaultSelector() as busy:
        for process, block in zip(processes, left, strict=False):
            _ask(process, block)
            busy.register(process.stdout, selectors.EVENT_READ, process)
        while busy.get_map():
            for key, _ in busy.select():
                process = key.data
                answer = process.stdout.read(1)
                if not answer:
                    raise workers.failure(process, "simulation")
                report(answer == b"+")
                if block := next(left, None):
                    _ask(process, block)
                else:
                    busy.unregister(process.stdout)


def _ask(process: subprocess.Popen, block: Block) -> None:
    with contextlib.suppress(BrokenPipeError):  # its output has ended as well
        process.stdin.write("{} {}\n".format(*block).encode())
        process.stdin.flush()


def _work(staging: Staging) -> None:
    """Stage the blocks asked for on standard input until it ends."""
    for line in iter(sys.stdin.readline, ""):
        split, block = map(int, line.split())
        sys.stdout.write("+" if staging.stage(split, block) else "=")
        sys.stdout.flush()


if __name__ == "__main__":
    _work(Staging(**workers.enter()))
