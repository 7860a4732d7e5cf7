"""Runs of an experiment, some at a time, each on its own share of the cores."""

from __future__ import annotations

import functools
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tqdm import tqdm

from zoo.experiments import jobs
from zoo.experiments.jobs import Job

ELSEWHERE = 256  # jobs that wait for an engine at a time
FOUND_SECONDS = 2.0  # a run that was complete before is read in less
PROGRESS = "{n_fmt} of {total_fmt} runs, {rate_fmt}, ETA {remaining}"


class PendingRow(NamedTuple):
    """A results row that may still be in the making.

    Attributes:
        run: name of its run directory, known from the start.
        result: waits for the row.
    """

    run: str
    result: Callable[[], dict]

    def then(self, measure: Callable[[PendingRow], dict]) -> PendingRow:
        """Another row of the same run, measured when that is complete."""

        @functools.cache
        def result() -> dict:
            self.result()
            return {**measure(self), "run": self.run}

        return PendingRow(self.run, result)


class Pool:
    """Makes rows in the order in which they are asked for, each name once.

    Its `place` says in a word what a row is made on: times are those of that place.

    After a failure no further row is begun, and all that are left fail the same way,
    unless the pool goes on.

    Args:
        processes: rows made at a time. From 2 on every one has cores of its own, as
            many as every other: two trainings on one core each take less time than one
            after the other on two.
        go_on: whether rows are begun after one has failed.
        engine: does jobs elsewhere, as `zoo.experiments.ray_engine.RayEngine`, and
            has its own idea of how many at a time; None: here.

    Raises:
        ValueError: more processes than cores.
    """

    def __init__(self, processes: int = 1, go_on: bool = False, engine=None):
        cores = sorted(os.sched_getaffinity(0))
        if not 1 <= processes <= len(cores):
            raise ValueError(
                f"--processes={processes}: expected 1 to {len(cores)}, the cores here"
            )
        self.processes, self.go_on = processes, go_on
        self.work: Callable[[Job], None] = engine or jobs.work
        self.logged = processes > 1 or go_on or engine is not None
        self._shares: queue.SimpleQueue = queue.SimpleQueue()
        share = len(cores) // processes
        for i in range(processes):
            self._shares.put(cores[i::processes][:share])
        self.place = getattr(engine, "place", f"{share}cores")
        self._workers = (
            ThreadPoolExecutor(ELSEWHERE)
            if engine
            else ThreadPoolExecutor(processes, initializer=self._take_cores)
        )
        self._rows: dict[str, PendingRow] = {}
        self._failure: Exception | None = None
        self._lock, self._done = threading.Lock(), 0
        self._start, self._found = time.monotonic(), 0

    def _take_cores(self) -> None:
        # On Linux a thread has an affinity of its own, and its child processes get it.
        os.sched_setaffinity(0, self._shares.get())

    def row(self, name: str, make: Callable[[], dict]) -> PendingRow:
        """Row of a run: made by `make` in a worker, or the one asked for before."""
        if name not in self._rows:
            future = self._workers.submit(self._made, name, make)
            self._rows[name] = PendingRow(name, future.result)
        return self._rows[name]

    def wait(self) -> None:
        """Until every row that was asked for is made.

        Raises:
            Exception: of the row that failed.
        """
        for row in list(self._rows.values()):
            row.result()

    def close(self) -> None:
        """Begin nothing more: what waits is given up, as after Ctrl-C."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _made(self, name: str, make: Callable[[], dict]) -> dict:
        if self._failure and not self.go_on:
            raise self._failure
        began = time.monotonic()
        try:
            row = make()
        except Exception as error:
            self._failure = error
            if self.go_on:
                self._report(name, str(error), began)
            raise
        self._report(name, _reached(row), began)
        return row

    def _report(self, name: str, said: str, began: float) -> None:
        with self._lock:
            self._done += 1
            self._found += time.monotonic() - began <= FOUND_SECONDS
            print(f"{name}: {said}; {self._progress()}", flush=True)

    def _progress(self) -> str:
        """Share, rate and time left; rows that were found complete are no measure."""
        return tqdm.format_meter(
            self._done,
            len(self._rows),
            time.monotonic() - self._start,
            initial=self._found,
            unit="run",
            bar_format=PROGRESS,
        )


def _reached(row: dict) -> str:
    """What a row says in a word; of precoders the SGCS, where NMSE means nothing."""
    if "said" in row:
        return row["said"]
    if row["nmse_db"] is None:
        return f"SGCS {row['sgcs']:.3f}"
    return f"{row['nmse_db']:.2f} dB"
