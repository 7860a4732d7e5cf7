"""Micro-batching: what is merged, what is refused, and who pays for a bad request."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving.models import batching_parameters
from serving.models.batching import BatchQueue, BatchScheduler
from serving.models.batching_parameters import Parameters
from serving.models.monitoring import Metrics
from serving.models.request_checks import ServingError, invalid_argument

pytestmark = pytest.mark.serving
BAD = 13.0


class _Line:
    """A queue whose first batch blocks until `gate` opens, and what it ran."""

    def __init__(self, **parameters):
        self.gate = threading.Event()
        self.runs = []
        self.scheduler = BatchScheduler(Parameters(**parameters), Metrics())
        self.queue = BatchQueue(self.scheduler, "m", self._run)
        self._pool = ThreadPoolExecutor(8)

    def _run(self, feeds, timeout):
        self.runs.append(feeds["x"].ravel().tolist())
        if feeds["x"][0, 0] == 0.0:
            assert self.gate.wait(20)
        if BAD in feeds["x"]:
            raise invalid_argument("bad")
        return {"y": 2 * feeds["x"]}

    def submit(self, *rows, timeout=20):
        """Submit in a thread; returns its future once the request is in line."""
        before = self.scheduler.depth(), len(self.runs)
        feeds = {"x": np.float32(rows).reshape(len(rows), -1)}
        future = self._pool.submit(self.queue.submit, feeds, timeout)
        while (self.scheduler.depth(), len(self.runs)) == before and not future.done():
            time.sleep(0.001)
        return future

    def close(self):
        self.gate.set()
        self.scheduler.close()


@pytest.fixture
def line(request):
    defaults = {"max_batch_size": 4, "max_enqueued_batches": 1, "num_batch_threads": 1}
    line = _Line(**{**defaults, **getattr(request, "param", {})})
    line.first = line.submit(0)
    while not line.runs:  # now it occupies the only batch thread
        time.sleep(0.001)
    yield line
    line.close()


def answer(future):
    return future.result(20)["y"].ravel().tolist()


def status(future):
    with pytest.raises(ServingError) as caught:
        future.result(20)
    return caught.value.code.name, caught.value.message


@pytest.mark.parametrize("line", [{"allowed_batch_sizes": (2, 4)}], indirect=True)
def test_waiting_requests_are_merged_and_padded(line):
    others = [line.submit(1), line.submit(2, 3)]
    line.gate.set()
    assert [answer(f) for f in [line.first, *others]] == [[0], [2], [4, 6]]
    assert line.runs == [[0, 0], [1, 2, 3, 1]]


def test_requests_wait_for_the_batch_timeout():
    line = _Line(max_batch_size=2, num_batch_threads=1, batch_timeout=0.3)
    start = time.monotonic()
    assert answer(line.submit(1)) == [2]
    assert time.monotonic() - start >= 0.3
    both = [line.submit(1), line.submit(2)]  # a full batch does not wait
    assert [answer(f) for f in both] == [[2], [4]]
    assert line.runs == [[1], [1, 2]]
    line.close()


def test_a_full_queue_and_a_large_request_are_refused(line):
    waiting = line.submit(1, 2, 3)
    fits = line.submit(4)
    full = "The batch scheduling queue to which this task was submitted is full"
    assert status(line.submit(5)) == ("UNAVAILABLE", full)
    large = "Task size 5 is larger than maximum input batch size 4"
    assert status(line.submit(1, 2, 3, 4, 5)) == ("INVALID_ARGUMENT", large)
    line.gate.set()
    assert [answer(waiting), answer(fits)] == [[2, 4, 6], [8]]


def test_a_deadline_in_line_or_at_work_harms_nobody_else(line):
    late = line.submit(1, timeout=0.05)
    patient = line.submit(2)
    assert status(late)[0] == "DEADLINE_EXCEEDED"
    line.gate.set()
    assert answer(patient) == [4]
    assert line.runs[1:] == [[2]]

    line.gate.clear()
    late = line.submit(0, timeout=0.05)
    while len(line.runs) < 3:
        time.sleep(0.001)
    patient = line.submit(3)
    assert status(late)[0] == "DEADLINE_EXCEEDED"
    line.gate.set()
    assert answer(patient) == [6]


def test_a_failing_batch_is_run_one_by_one(line):
    future = [line.submit(1), line.submit(BAD), line.submit(2)]
    line.gate.set()
    assert answer(future[0]) == [2]
    assert status(future[1]) == ("INVALID_ARGUMENT", "bad")
    assert answer(future[2]) == [4]
    assert line.runs[1:] == [[1, BAD, 2], [1], [BAD], [2]]


def test_rows_of_other_shapes_are_not_merged(line):
    pair, single = line.submit([1, 2]), line.submit(3)
    line.gate.set()
    assert [answer(pair), answer(single)] == [[2, 4], [6]]


@pytest.mark.parametrize(
    ("run", "feeds", "message"),
    [
        (dict, {"x": np.float32(1)}, "must have at least one dimension"),
        (dict, {"x": np.ones(1), "z": np.ones(2)}, "must have equal 0th-dimension"),
        (lambda *_: {"y": np.float32(1)}, {"x": np.ones(1)}, "has 0 dimensions"),
        (lambda *_: {"y": np.ones(3)}, {"x": np.ones(1)}, "does not equal the sum"),
    ],
)
def test_what_has_no_rows_cannot_be_batched(run, feeds, message):
    scheduler = BatchScheduler(Parameters(), Metrics())
    with pytest.raises(ServingError, match=message):
        BatchQueue(scheduler, "m", run).submit(feeds, 20)
    scheduler.close()


def test_parameters_file(tmp_path):
    path = tmp_path / "batching.txt"
    text = (
        "max_batch_size { value: 8 } batch_timeout_micros { value: 500 } "
        "max_enqueued_batches { value: 64 } num_batch_threads { value: 2 } "
        'thread_pool_name { value: "b" } allowed_batch_sizes: 1 allowed_batch_sizes: 8'
    )
    path.write_text(text)
    assert batching_parameters.read(path) == Parameters(8, 0.0005, 64, 2, (1, 8))
    for wrong, message in {
        "max_batch_size: 32": "is not a text BatchingParameters: ",
        text + " allowed_batch_sizes: 9": r"allowed_batch_sizes \[1, 8, 9\]: expected",
        "num_batch_threads { value: 0 }": "num_batch_threads 0: expected at least 1",
        "pad_variable_length_inputs: true": "is not supported",
    }.items():
        path.write_text(wrong)
        with pytest.raises(ValueError, match=message):
            batching_parameters.read(path)
