"""Chatter of native libraries kept off standard error; their errors are let through.

TensorFlow and its kin write to file descriptor 2 from C++, some of it while they are
imported and whatever the log level is. `start` puts a filter behind the descriptor: a
process of its own, so that it outlives a kill and never waits for Python's lock. What
Python itself prints to `sys.stderr` goes past it, at once and in order. A process that
ends as it should waits for its filter; behind one that is killed the filter is done a
moment later, and at once for who reads a pipe to its end.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import select
import signal
import sys
import time

from tfds_builders import environment

NATIVE_LINE = rb"(?:\d{4}-\d\d-\d\d [\d:.]+: %b |%b\d{4} [\d:.]+ +\d+ )\S+:\d+\] "
CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|INFO: (Created|Initialized) TensorFlow Lite"
    rb"|To enable the following instructions: .* rebuild TensorFlow"
    rb"|" + NATIVE_LINE % (b"[IW]", b"[IW]") +
    # Without a GPU the first two are no errors; the last says "E" of a double import.
    rb"|" + NATIVE_LINE % (b"E", b"E") + rb".*(cuInit: .*(\(303\)|NO_DEVICE)"
    rb"|Unable to register cu\w+ factory|computation placer already registered)"
)  # fmt: skip
SERIOUS = re.compile(rb"(?i)out of memory|fail\w* to alloc|alloc\w* fail|exhausted")
ABOUT_GPU = re.compile(rb"cuInit|dlopen|registering GPU")
GPU = "/dev/nvidia0"
UNFINISHED_SECONDS = 0.1  # after that a line without an end is passed on
PATIENCE_SECONDS = 1.0  # for the filter at exit; others may still hold its pipe

_started = False


def is_chatter(line: bytes) -> bool:
    """Whether a line of a native library tells a user nothing.

    What it says of a GPU does where there is one.
    """
    if SERIOUS.search(line) or (ABOUT_GPU.search(line) and os.path.exists(GPU)):
        return False
    return bool(CHATTER.match(line))


def start_command() -> None:
    """Start the filter where `python -m` is about to run a module of the caller.

    Called by a package while it is imported, before any of its modules: `sys.argv[0]`
    is "-m" until the module is found. The environment becomes that of a command.
    """
    if sys.argv[:1] == ["-m"]:
        environment.prepare()
        start()


def start() -> None:
    """Filter file descriptor 2 from now on, with `--verbose` on the command line not.

    Where processes cannot fork, or there is no standard error, nothing happens; nor in
    the first process of a container, whose end ends all others.
    """
    global _started
    if {"--verbose", "-verbose", "--verbose=true"} & set(sys.argv):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")
        return
    if _started or not hasattr(os, "fork") or os.getpid() == 1:
        return
    try:  # not in the place of a closed standard input, which the filter uses
        terminal = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        return
    _started = True
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    source, sink = os.pipe()
    filter_process = os.fork()
    if filter_process == 0:
        os.close(sink)
        _become_filter(source, terminal)
    os.close(source)
    atexit.register(_wait_for, filter_process, os.getpid())
    os.dup2(sink, 2)
    os.close(sink)
    sys.stderr = sys.__stderr__ = open(
        terminal, "w", buffering=1, encoding=encoding, errors="backslashreplace"
    )


def stop() -> None:
    """Let everything through again."""
    if _started:
        os.dup2(sys.__stderr__.fileno(), 2)


def _wait_for(filter_process: int, owner: int) -> None:
    """Let the filter finish before a command ends, unless others still write to it."""
    if os.getpid() != owner:  # a process that the command has forked
        return
    stop()
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            if os.waitpid(filter_process, os.WNOHANG)[0]:
                return
        except ChildProcessError:  # somebody else has waited for all children
            return
        time.sleep(0.002)


def _become_filter(source: int, terminal: int) -> None:
    """Be the filter until no process can write any more; never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it ends with those that write
        os.dup2(source, 0)
        os.dup2(terminal, 1)
        os.dup2(terminal, 2)
        os.closerange(3, 256)
        _pass_on(0, 1)
    finally:
        os._exit(0)


def _pass_on(source: int, target: int) -> None:
    """Copy what is no chatter, line by line, to the end of `source`."""
    rest = b""
    while True:
        if rest and not select.select([source], [], [], UNFINISHED_SECONDS)[0]:
            _write(target, rest)
            rest = b""
        data = os.read(source, 65536)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            _write(target, line + b"\n")
        if not data:
            _write(target, rest)
            return


def _write(target: int, line: bytes) -> None:
    rest = b"" if is_chatter(line) else line
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except BlockingIOError:
            select.select([], [target], [])
