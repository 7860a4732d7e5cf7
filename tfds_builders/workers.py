"""Processes that simulate for another one: plain, niced, one thread each.

Not `multiprocessing`: its spawned processes import the main module again, and with it
TensorFlow. A worker is `python -m MODULE TASK` with TASK as JSON; pipes are all there
is between the processes, so that it ends when the one it works for is gone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from tfds_builders.blocks import FOLDER

NICENESS = 5  # a training that keeps all cores busy leaves a worker a quarter of one
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


_BIND = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, int(sys.argv[1]))  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[2]):
    sys.exit("its starter is gone")
os.execv(sys.argv[3], sys.argv[3:])
"""


def bound(number: int = signal.SIGTERM) -> list[str]:
    """What stands in front of a command, so that it gets a signal when we are gone.

    However this process ends: also killed, when nothing of it can do anything more. To
    the system a process is gone with the thread that has started another one. Nothing
    where that is not Linux.
    """
    if sys.platform != "linux":
        return []
    return [sys.executable, "-ISc", _BIND, str(int(number)), str(os.getpid())]


def start(module: str, task: dict, stdin: int = subprocess.DEVNULL) -> subprocess.Popen:
    """Start a worker; its standard output and error are pipes."""
    path = os.pathsep.join([str(FOLDER.parent), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(task)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": path},
    )


def failure(process: subprocess.Popen, kind: str) -> ChildProcessError:
    """Error, in one line, of a `kind` of worker whose output has ended."""
    lines = process.stderr.read().decode(errors="replace").strip().splitlines()
    code = process.wait()
    what = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    reason = lines[-1] if lines else "it gave no reason"
    return ChildProcessError(f"a {kind} worker {what}: {reason}")


def end(processes: list[subprocess.Popen]) -> None:
    """Kill the workers and wait for their end."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def enter() -> dict:
    """Set a worker up, in the worker itself; returns its task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the starter
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the starter is gone: end silently
    os.nice(NICENESS)
    return json.loads(sys.argv[1])
