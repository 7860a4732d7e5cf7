"""SIGTERM and SIGINT as an event that a command can wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time

STATUS = 1  # of a process that did not end by itself


def stop_event(seconds: float | None = None) -> threading.Event:
    """Return an event that either signal sets from now on.

    Args:
        seconds: after which the process ends, whatever it is doing; None: it does that
            by itself.
    """
    stop = threading.Event()
    # By a socket that the system writes to: the main thread may be in a library for
    # long, or hold the event's lock where it is interrupted.
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    arguments = (stop, seconds, told, tells)
    threading.Thread(target=_wait, args=arguments, daemon=True).start()
    return stop


def _wait(
    stop: threading.Event,
    seconds: float | None,
    told: socket.socket,
    tells: socket.socket,  # held as long as the thread lives
) -> None:
    told.recv(1)
    stop.set()
    if seconds is None:
        return
    time.sleep(seconds)
    with contextlib.suppress(OSError):
        os.write(2, f"error: not ended {seconds} s after the signal\n".encode())
    os._exit(STATUS)
