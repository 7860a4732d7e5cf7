"""Commands as steps of a job: they end with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

pytest_plugins = ["tests.support.serving_fixtures"]
SERVER = """
import sys, time
from pathlib import Path
from zoo import steps
with steps.server(Path(sys.argv[1])) as running:
    print(f"pid {running.pid}", flush=True)
    time.sleep(60)
"""
STEP = """
import sys
from zoo import steps
ports = "--port=0", "--rest_api_port=0"
steps.step("serving.server", *ports, f"--model_base_path={sys.argv[1]}")
"""


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    path = f"/proc/{pid}/task/{pid}/children"
    with open(path, encoding="utf-8") as file:
        return [int(x) for x in file.read().split()]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.serving
@pytest.mark.parametrize("script", [SERVER, STEP], ids=["server", "step"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_job_has_started_ends_with_it(tiny_export, script, number):
    job = subprocess.Popen(
        [sys.executable, "-c", script, str(tiny_export / "decoder")],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in job.stdout:
        if "serving on" in line or "grpc " in line:
            break
    started = children(job.pid)
    assert started and all(map(runs, started))
    job.send_signal(number)
    job.wait(30)
    until = time.monotonic() + 30
    while any(map(runs, started)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(runs, started))
    job.stdout.close()
