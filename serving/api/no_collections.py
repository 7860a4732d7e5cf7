"""Python's garbage collection, put off while a document is parsed."""

from __future__ import annotations

import gc
import threading


class NoCollections:
    """No garbage collection while some thread is inside.

    Each list of a document is looked at in every collection that the next ones bring
    about, most of the time that a hostile document takes; no JSON is a cycle.
    """

    def __init__(self):
        self._lock, self._inside, self._enabled = threading.Lock(), 0, False

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._enabled = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *exc_info) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._enabled:
                gc.enable()


PAUSE = NoCollections()
