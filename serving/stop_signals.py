"""SIGTERM and SIGINT as an event that a command can wait for."""

from __future__ import annotations

import signal
import threading


def stop_event() -> threading.Event:
    """Return an event that either signal sets from now on."""
    stop = threading.Event()

    def handle(*_) -> None:
        # In a thread: the main one may hold the event's lock where it is interrupted.
        threading.Thread(target=stop.set).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop
