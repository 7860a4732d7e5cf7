"""Ends what waits for clients: each after a time, the oldest where it is too much.

A client can open a stream and send nothing, or ask and never read the answer. Either
costs the server memory, and a thread while it waits for the request.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SWEEP_SECONDS = 0.25
HURRY_SECONDS = 2.0
RELIEF_SECONDS = 10.0  # between two: giving memory back stops who asks for some


class Wait:
    """One wait for a client.

    Args:
        end: ends it; called from any thread, once at most.
        size: what it costs.
    """

    def __init__(self, end: Callable[[], None], size: int):
        self.end, self.size, self.begun = end, size, time.monotonic()


class Patience:
    """Waits of which none lasts for ever, and which together stay small.

    Args:
        seconds: that one may last.
        most: sum of the sizes; where it is more, those older than `HURRY_SECONDS` end.
        hard: sum of the sizes above which the oldest end at once; None: there is none.
        relief: called after some have been ended, now and then.
    """

    def __init__(
        self,
        seconds: float,
        most: int,
        hard: int | None = None,
        relief: Callable[[], None] = lambda: None,
    ):
        self._seconds, self._most, self._hard = seconds, most, hard
        self._relief, self._relieve = relief, False
        self._waits: OrderedDict[Wait, None] = OrderedDict()  # the oldest first
        self._total = 0
        self._lock = threading.Lock()
        self._swept = False  # a thread does

    def begin(self, end: Callable[[], None], size: int = 1) -> Wait:
        """Count a wait until `over` is told of it; `end` must end it."""
        wait = Wait(end, size)
        with self._lock:
            self._waits[wait] = None
            self._total += size
            start, self._swept = not self._swept, True
        if start:
            threading.Thread(target=self._sweep_on, daemon=True).start()
        self._enforce()
        return wait

    def grow(self, wait: Wait, size: int) -> None:
        """Add to what a wait costs."""
        with self._lock:
            wait.size += size
            self._total += size * (wait in self._waits)
        self._enforce()

    def over(self, wait: Wait) -> None:
        """The client has done its part, or has gone."""
        with self._lock:
            self._remove(wait)

    @contextmanager
    def during(self, end: Callable[[], None], size: int = 1) -> Iterator[Wait]:
        """Count a wait as long as the block lasts."""
        wait = self.begin(end, size)
        try:
            yield wait
        finally:
            self.over(wait)

    def sweep(self) -> None:
        """End what has to end by now."""
        now = time.monotonic()
        ended = []
        with self._lock:
            while self._waits:
                oldest = next(iter(self._waits))
                if not self._has_to_end(now - oldest.begun):
                    break
                self._remove(oldest)
                ended.append(oldest)
                self._relieve = True
        for wait in ended:
            wait.end()

    def _has_to_end(self, age: float) -> bool:
        hurried = self._total > self._most and age > HURRY_SECONDS
        return age > self._seconds or hurried or self._is_too_much()

    def _is_too_much(self) -> bool:
        # One alone may be as large as a request allows.
        alone = len(self._waits) < 2
        return self._hard is not None and self._total > self._hard and not alone

    def _enforce(self) -> None:
        if self._is_too_much():
            self.sweep()

    def _remove(self, wait: Wait) -> None:
        if wait in self._waits:
            del self._waits[wait]
            self._total -= wait.size

    def _sweep_on(self) -> None:
        going, relieved_at = True, -RELIEF_SECONDS
        while going:
            time.sleep(SWEEP_SECONDS)
            self.sweep()
            now = time.monotonic()
            with self._lock:
                going = self._swept = bool(self._waits)
                due = not going or now - relieved_at >= RELIEF_SECONDS
                relieve = self._relieve and due
                self._relieve = self._relieve and not due
            if relieve:
                relieved_at = now
                self._relief()
