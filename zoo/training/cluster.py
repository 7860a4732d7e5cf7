"""The workers of a cluster: who they are (TF_CONFIG), and waiting for them.

While TensorFlow waits for other workers it holds Python's lock and catches SIGTERM: a
process that waits so hears nothing. Each worker is therefore a process of its own, and
the command, which waits beside it without TensorFlow, says who is missing, gives up
after a time, and takes the worker with it however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import NamedTuple

from tfds_builders import workers

VARIABLE = "TF_CONFIG"
JOINED = "CSI_ZOO_JOINED"  # file descriptor on which a worker says that it has
QUIET_SECONDS = 5.0  # before a wait is worth a word
CONNECT_SECONDS = 1.0
EXAMPLE = (
    '{"cluster": {"worker": ["host:port", ...]}, '
    '"task": {"type": "worker", "index": 0}}'
)


class Cluster(NamedTuple):
    """The workers' addresses, host:port, the chief first, and which one this is."""

    addresses: tuple[str, ...]
    index: int

    def to_json(self) -> str:
        """TF_CONFIG with workers alone, of which the first is the chief."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": self.addresses}, "task": task})


def read() -> Cluster:
    """The cluster that TF_CONFIG describes.

    A `chief` is the worker in front of the others; addresses may be a list or text with
    commas, as some schedulers write them.

    Raises:
        ValueError: it is not usable; the message shows what is expected.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        content = json.loads(text)
        jobs, task = content["cluster"], content["task"]
        other = {task["type"], *jobs} - {"chief", "worker"}
        if other:
            raise ValueError(f"job {other.pop()!r}, expected chief and worker alone")
        chief = _addresses(jobs.get("chief", ""))
        if len(chief) > 1:
            raise ValueError(f"{len(chief)} chiefs, expected one")
        every = chief + _addresses(jobs.get("worker", ""))
        index = int(task["index"]) + (len(chief) if task["type"] == "worker" else 0)
        if not 0 <= int(task["index"]) < len(_addresses(jobs[task["type"]])):
            raise ValueError(f"there is no {task['type']} of index {task['index']}")
        if len(set(every)) < len(every):
            raise ValueError("an address is there twice")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"--strategy=multi_worker: {VARIABLE} is {text!r:.200} ({error}); set it "
            f"to JSON such as {EXAMPLE}"
        ) from error
    return Cluster(every, index)


def _addresses(given: str | list[str]) -> tuple[str, ...]:
    words = given.split(",") if isinstance(given, str) else given
    addresses = tuple(word.strip() for word in words if word.strip())
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"{address!r} is not host:port")
    return addresses


def is_worker() -> bool:
    """Whether this process is what `supervise` has started."""
    return JOINED in os.environ


def say_joined() -> None:
    """Tell the command that waits, if there is one, that all workers are there."""
    if is_worker():
        with contextlib.suppress(OSError):
            os.write(int(os.environ[JOINED]), b"+")


def supervise(timeout: float) -> int:
    """Run this command again, as a worker, and wait for it.

    Args:
        timeout: seconds for all other workers to come.

    Returns:
        Its exit status.

    Raises:
        ValueError: TF_CONFIG is not usable.
        OSError: another worker did not come.
    """
    cluster = read()
    source, sink = os.pipe()
    process = subprocess.Popen(
        [*workers.bound(signal.SIGKILL), sys.executable, "-m", "zoo.train"]
        + sys.argv[1:],
        env={**os.environ, VARIABLE: cluster.to_json(), JOINED: str(sink)},
        pass_fds=[sink],
        stderr=sys.__stderr__,  # past the filter of `tfds_builders.quiet`
    )
    os.close(sink)
    try:
        _wait_for_others(cluster, source, timeout)
        status = process.wait()
    finally:
        process.kill()  # it does not listen to anything else
        process.wait()
        os.close(source)
    return status if status >= 0 else 128 - status


def _wait_for_others(cluster: Cluster, source: int, timeout: float) -> None:
    """Until the worker has joined them, or ended."""
    began, said = time.monotonic(), ""
    while not select.select([source], [], [], CONNECT_SECONDS)[0]:
        waited = time.monotonic() - began
        if waited < min(QUIET_SECONDS, timeout):
            continue
        missing = ", ".join(
            f"worker {index} ({address})"
            for index, address in enumerate(cluster.addresses)
            if index != cluster.index and not _answers(address)
        )
        if waited >= timeout:
            raise OSError(
                f"{missing or 'a worker'} did not come in {timeout:g} s "
                f"(--worker_timeout): start it, or take it out of {VARIABLE}"
            )
        if missing and missing != said:
            print(f"waiting for {missing}, {timeout:g} s at most", flush=True)
        said = missing


def _answers(address: str) -> bool:
    """Whether anybody listens there."""
    host, _, port = address.rpartition(":")
    place = host.strip("[]"), int(port)
    try:
        with socket.create_connection(place, CONNECT_SECONDS):
            return True
    except OSError:
        return False
