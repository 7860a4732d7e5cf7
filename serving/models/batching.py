"""Micro-batching: requests that wait at the same time run as one batch.

Parameters, defaults and refusals are those of TensorFlow Serving's --enable_batching.
Each `BatchQueue` holds requests that may be merged (same version, signature, outputs);
the threads of one `BatchScheduler` run the batches of all queues.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field

import grpc
import numpy as np

from serving.models import batch_rows
from serving.models.batch_rows import Arrays
from serving.models.batching_parameters import Parameters
from serving.models.monitoring import Metrics
from serving.models.request_checks import ServingError, invalid_argument

Run = Callable[[Arrays, float | None], dict[str, np.ndarray]]


@dataclass(eq=False)
class _Task:
    feeds: Arrays
    rows: int
    deadline: float | None
    answer: futures.Future = field(default_factory=futures.Future)


@dataclass(eq=False)
class _Batch:
    opened: float
    tasks: list[_Task] = field(default_factory=list)
    rows: int = 0

    def add(self, task: _Task) -> None:
        self.tasks.append(task)
        self.rows += task.rows


class BatchScheduler:
    """Threads that run batches; `close` once no request is under way.

    Args:
        parameters: sizes and times.
        metrics: told of each batch and of the requests in line.
    """

    def __init__(self, parameters: Parameters, metrics: Metrics):
        self.parameters = parameters
        self.metrics = metrics
        self.changed = threading.Condition()
        self.waiting: deque[BatchQueue] = deque()  # the queues that hold a batch
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{i}", daemon=True)
            for i in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()
        metrics.watch_queue(self.depth)

    def depth(self) -> int:
        """Return the number of requests in line."""
        with self.changed:
            return sum(len(b.tasks) for queue in self.waiting for b in queue.batches)

    def close(self) -> None:
        """End the threads."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        # Returns before the wait for another batch, so that an idle thread holds on to
        # no queue, and by it to no session that has been closed.
        due = self._next_batch()
        if due is not None:
            queue, batch = due
            queue.run_tasks(batch.tasks)
        return due is not None

    def _next_batch(self) -> tuple[BatchQueue, _Batch] | None:
        with self.changed:
            while not self._closed:
                now = time.monotonic()
                wait = None
                for queue in self.waiting:
                    seconds = queue.due() - now
                    if seconds <= 0:
                        return queue, queue.pop()
                    wait = seconds if wait is None else min(wait, seconds)
                self.changed.wait(wait)
        return None


class BatchQueue:
    """Requests to one function that may be merged along the batch dimension.

    Args:
        scheduler: whose threads call `run`.
        model_name: for the metrics.
        run: feeds by graph tensor name and a timeout in seconds -> outputs by alias.
    """

    def __init__(self, scheduler: BatchScheduler, model_name: str, run: Run):
        self.batches: deque[_Batch] = deque()  # the last one is open
        self._scheduler = scheduler
        self._parameters = scheduler.parameters
        self._model_name = model_name
        self._run = run

    def submit(self, feeds: Arrays, timeout: float | None) -> dict[str, np.ndarray]:
        """Run `feeds`, [rows, ...] each, with whatever else is in line.

        Raises:
            ServingError: too many rows, queue full, deadline, or what the run says.
        """
        rows = batch_rows.common_rows(feeds)
        if rows > self._parameters.max_batch_size:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}"
            )
        deadline = None if timeout is None else time.monotonic() + timeout
        task = _Task(feeds, rows, deadline)
        with self._scheduler.changed:
            self._enqueue(task)
        try:
            return task.answer.result(timeout)
        except futures.TimeoutError:
            with self._scheduler.changed:
                self._withdraw(task)
            raise ServingError(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "Run() timeout exceeded while waiting in batching queue",
            ) from None

    def _enqueue(self, task: _Task) -> None:
        limit = self._parameters.max_batch_size
        if not self.batches or self.batches[-1].rows + task.rows > limit:
            if len(self.batches) >= self._parameters.max_enqueued_batches:
                raise ServingError(
                    grpc.StatusCode.UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted "
                    "is full",
                )
            if not self.batches:
                self._scheduler.waiting.append(self)
            self.batches.append(_Batch(time.monotonic()))
        self.batches[-1].add(task)
        self._scheduler.changed.notify()

    def _withdraw(self, task: _Task) -> None:
        for batch in self.batches:
            if task in batch.tasks:
                batch.tasks.remove(task)
                batch.rows -= task.rows

    def due(self) -> float:
        """Return when the first batch is to run, on the monotonic clock."""
        first = self.batches[0]
        full = first.rows >= self._parameters.max_batch_size
        if full or len(self.batches) > 1:
            return 0.0
        return first.opened + self._parameters.batch_timeout

    def pop(self) -> _Batch:
        """Take the first batch; the queue goes to the end of the line."""
        batch = self.batches.popleft()
        self._scheduler.waiting.remove(self)
        if self.batches:
            self._scheduler.waiting.append(self)
        return batch

    def run_tasks(self, tasks: list[_Task]) -> None:
        """Run `tasks` as one batch; where that fails, one by one."""
        if not tasks:
            return
        try:
            answers = self._outputs(tasks)
        except Exception as error:
            if len(tasks) == 1:
                tasks[0].answer.set_exception(error)
                return
            for task in tasks:
                self.run_tasks([task])
            return
        for task, answer in zip(tasks, answers, strict=True):
            task.answer.set_result(answer)

    def _outputs(self, tasks: list[_Task]) -> list[dict[str, np.ndarray]]:
        sizes = [task.rows for task in tasks]
        rows = self._parameters.padded(sum(sizes))
        feeds = batch_rows.merge([task.feeds for task in tasks], rows)
        outputs = self._run(feeds, _longest_wait(tasks))
        metrics = self._scheduler.metrics
        metrics.observe_batch(self._model_name, rows, rows - sum(sizes))
        return batch_rows.split(outputs, sizes, rows)


def _longest_wait(tasks: list[_Task]) -> float | None:
    """Seconds after which nobody waits for the batch any more; None: never."""
    if any(task.deadline is None for task in tasks):
        return None
    return max(0.0, max(t.deadline for t in tasks) - time.monotonic())
