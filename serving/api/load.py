"""What clients may cost a server at a time: waits, bytes in line, bytes at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from serving.api.patience import Patience
from serving.models.request_checks import Limits, ServingError
from serving.models.servable import return_free_memory

READ_SECONDS = WRITE_SECONDS = (
    10  # for a client to send its request, to take its answer
)
READERS = 32  # requests on their way for longer than `patience.HURRY_SECONDS`
UNREAD_BYTES, MOST_UNREAD_BYTES = 64 << 20, 256 << 20
UNSENT_BYTES, MOST_UNSENT_BYTES = 64 << 20, 128 << 20
WATCHERS = 256
LINE_BYTES, WORK_BYTES = 256 << 20, 512 << 20
SMALL_BYTES = 64 << 10  # requests of up to so many are not counted
# Bytes in memory for each on the wire, at worst: of protocol buffers, and of a JSON
# value beside its text (one that is `[]` or the key of an object).
PARSED_BYTES, VALUE_BYTES = 16, 128


class Memory:
    """Bytes that requests hold; those that find no room wait, or are refused.

    Args:
        most: of all together.
    """

    def __init__(self, most: int):
        self._most, self._held = most, 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, size: int, timeout: float = 0) -> Iterator[None]:
        """Hold `size` bytes during the block, after `timeout` seconds at most.

        Raises:
            ServingError: RESOURCE_EXHAUSTED, too large for ever or no room in time.
        """
        size *= size > SMALL_BYTES
        with self._changed:
            wait = timeout if size <= self._most else 0
            if not self._changed.wait_for(lambda: self._fits(size), wait):
                raise ServingError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"The request takes {size} bytes of memory, {self._most} are there "
                    "for all requests: send it again later, or in parts",
                )
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return self._held + size <= self._most


def json_bytes(body: bytes) -> int:
    """Memory that a JSON body takes once it is parsed, at most."""
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    return len(body) + VALUE_BYTES * values


class Load:
    """Limits that the gRPC and the REST port of a server share.

    Attributes:
        reading: requests on their way.
        receiving: bytes of those on the REST port that have come.
        sending: bytes of answers that have not been taken.
        watching: streams of the health service.
        line: bytes of requests that have come and are not answered.
        work: bytes of requests at work, parsed.

    Args:
        limits: of one request.
    """

    def __init__(self, limits: Limits):
        self.reading = Patience(READ_SECONDS, READERS)
        unread = (
            max(x, limits.request_bytes) for x in (UNREAD_BYTES, MOST_UNREAD_BYTES)
        )
        self.receiving = Patience(READ_SECONDS, *unread)
        # What was freed stays with the process otherwise, 1 GB after some hundreds.
        self.sending = Patience(
            WRITE_SECONDS, UNSENT_BYTES, MOST_UNSENT_BYTES, return_free_memory
        )
        self.watching = Patience(float("inf"), WATCHERS)
        self.line = Memory(max(LINE_BYTES, limits.request_bytes))
        self.work = Memory(max(WORK_BYTES, PARSED_BYTES * limits.request_bytes))
