"""Client processes of a soak: started, killed, ended, and their counts added up."""

from __future__ import annotations

import collections
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

START_SECONDS, STOP_SECONDS = 300, 60


class Clients:
    """Processes of `benchmarks.soak_client`, each with its share of the clients.

    Args:
        endpoint: host:port of the server.
        folder: holds `known.npz`; receives the reports.
        num_processes: how many run at a time.
        num_clients: of all processes together.
    """

    def __init__(
        self, endpoint: str, folder: Path, num_processes: int, num_clients: int
    ):
        self._endpoint, self._folder = endpoint, folder
        self._share = num_clients // num_processes
        self.reports: list[Path] = []
        self.running = [self._start() for _ in range(num_processes)]

    def _start(self) -> tuple[subprocess.Popen, Path]:
        """A new process and its report."""
        report = self._folder / f"client_{len(self.reports)}.json"
        self.reports.append(report)
        command = [
            *(sys.executable, "-m", "benchmarks.soak_client"),
            f"--endpoint={self._endpoint}",
            f"--known={self._folder / 'known.npz'}",
            f"--clients={self._share}",
            f"--seed={len(self.reports)}",
            f"--report={report}",
        ]
        return subprocess.Popen(command), report

    def check(self) -> None:
        """Look whether all processes run.

        Raises:
            ValueError: one has ended that was not killed.
        """
        for process, _ in self.running:
            if process.poll() is not None:
                raise ValueError(
                    f"client process {process.pid} ended before its time with status "
                    f"{process.returncode}"
                )

    def wait(self) -> None:
        """Wait until all processes ask: each writes its report every second.

        Raises:
            ValueError: one has ended or does not begin.
        """
        until = time.monotonic() + START_SECONDS
        while not all(report.is_file() for _, report in self.running):
            self.check()
            if time.monotonic() > until:
                raise ValueError(f"clients did not begin within {START_SECONDS} s")
            time.sleep(0.1)

    def kill_one(self) -> None:
        """Kill the oldest process in the middle of its requests and replace it."""
        self.check()
        victim, _ = self.running.pop(0)
        victim.kill()
        victim.wait()
        self.running.append(self._start())

    def kill(self) -> None:
        """Kill all that still run."""
        for process, _ in self.running:
            process.kill()

    def stop(self) -> dict:
        """End all and add their counts up.

        Raises:
            ValueError: one had ended already, or ends with an error; no answers.
        """
        self.wait()
        self.check()
        for process, _ in self.running:
            process.send_signal(signal.SIGTERM)
        statuses = [process.wait(STOP_SECONDS) for process, _ in self.running]
        if any(statuses):
            raise ValueError(f"client processes ended with the statuses {statuses}")
        total: collections.Counter = collections.Counter()
        examples, latencies = [], []
        for report in filter(Path.is_file, self.reports):
            found = json.loads(report.read_text(encoding="utf-8"))
            total.update(found["counts"])
            examples += found["examples"]
            latencies += found["latency_ms"]
        if not latencies:
            raise ValueError(f"no request was answered: {examples[:3]}")
        p50, p99 = np.percentile(latencies, [50, 99])
        return {
            "counts": dict(total),
            "examples": examples[:10],
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
        }


class HostileClients:
    """A process of `benchmarks.soak_hostile`.

    Args:
        endpoint: host:port of gRPC.
        rest_port: of REST.
        folder: receives the report.
    """

    def __init__(self, endpoint: str, rest_port: int, folder: Path):
        self._report = folder / "hostile.json"
        command = [
            *(sys.executable, "-m", "benchmarks.soak_hostile"),
            f"--endpoint={endpoint}",
            f"--rest_port={rest_port}",
            f"--report={self._report}",
        ]
        self.process = subprocess.Popen(command)

    def stop(self) -> dict:
        """End it and return its report.

        Raises:
            ValueError: it had ended already, or ends with an error; no report.
        """
        ended = self.process.poll()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS)
        if ended is not None or status or not self._report.is_file():
            raise ValueError(f"the hostile clients ended with status {status}")
        return json.loads(self._report.read_text(encoding="utf-8"))


def failures(report: dict, max_mb_per_minute: float) -> list[str]:
    """What of a report makes the soak fail.

    Args:
        report: of `benchmarks.soak`.
        max_mb_per_minute: limit on the growth of the server's memory.
    """
    counts, slope = report["counts"], report["memory_mb_per_minute"]
    found = [f"{counts[k]} replies {k}" for k in ("lost", "wrong") if counts.get(k)]
    if found:
        found.append(f"for example {report['examples']}")
    hostile = report.get("hostile", {"health": 1})
    if hostile.get("health_lost") or not hostile["health"]:
        found.append(f"health did not always answer: {hostile}")
    if not slope <= max_mb_per_minute:
        found.append(
            f"memory grows by {slope} MB/min, more than --max_mb_per_minute="
            f"{max_mb_per_minute:g}"
        )
    return found
