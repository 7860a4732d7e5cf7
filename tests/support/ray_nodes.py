"""A Ray cluster of two nodes on this machine, each a `ray start` of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT

SMALL = ("--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats")
HERE = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HERE, 0))
        return found.getsockname()[1]


def start(log: Path, *options: str) -> subprocess.Popen:
    """A node, with its raylet and workers in a process group of their own."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths, "RAY_enable_metrics_collection": "0"}
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
    with log.open("w") as output:
        return subprocess.Popen(
            [*command, f"--node-ip-address={HERE}", *SMALL, *options],
            stdout=output, stderr=subprocess.STDOUT, env=env, start_new_session=True,
        )  # fmt: skip


def kill(node: subprocess.Popen) -> None:
    """End a node and all that it has started, as a lost machine would."""
    for pid in processes(node):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.wait()


def processes(node: subprocess.Popen, word: str = "") -> list[int]:
    """Processes of a node's session whose command line has a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            if session == node.pid and word in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return found


@contextlib.contextmanager
def cluster(logs: Path):
    """Address and the two nodes, head first, until the context ends."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as short:
        head = ("--head", f"--port={port}", f"--ray-client-server-port={free_port()}")
        head += ("--include-dashboard=false", f"--temp-dir={short}")  # holds sockets
        nodes = []
        try:
            for name, options in (
                ("head", head),
                ("worker", (f"--address={HERE}:{port}",)),
            ):
                log = logs / f"{name}.log"
                nodes.append(start(log, *options))
                until(lambda log=log: "Ray runtime started" in log.read_text())
            yield f"{HERE}:{port}", nodes
        finally:
            for node in reversed(nodes):
                kill(node)


def until(condition, seconds: float = 120) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.2)
