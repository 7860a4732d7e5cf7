"""Ten minutes of many clients, reloads, damaged frames and killed clients.

python -m benchmarks.soak --export=DIR [--minutes=10] [--json=FILE]

Clients in several processes ask `serving.server` for rows of a known answer and compare
every row; one row in a hundred is damaged. Every few seconds a new version of the model
appears and the oldest goes; now and then a client process is killed and replaced.
Another process (`benchmarks.soak_hostile`, --nohostile: none) sends slowly, reads
nothing and means nothing, and asks for health. It ends with an error if a reply was
lost or wrong, if a health check failed, if a process ended that was not killed, or if
the server's memory grows by more than --max_mb_per_minute.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.backends import (
    latest_decoder,
    make_frames,
    make_indices,
    session_calls,
)
from benchmarks.soak_processes import Clients, HostileClients, failures
from serving.codec.ue_encoder import read_codec
from tfds_builders import cli
from zoo import files
from zoo.steps import server

NUM_FRAMES = 256
SHOW_SECONDS = 30
COUNTS = "requests", "rows", "damaged", "lost", "wrong"
MEASURED = "p50_ms", "p99_ms", "num_versions", "memory_mb_per_minute"

_EXPORT = flags.DEFINE_string("export", None, "export directory of a run")
_MINUTES = flags.DEFINE_float("minutes", 10, "length", 0.05)
_CLIENTS = flags.DEFINE_integer("clients", 64, "concurrent clients", 1)
_PROCESSES = flags.DEFINE_integer("processes", 4, "processes of clients", 1)
_RELOAD = flags.DEFINE_float("reload_seconds", 5, "time between versions", 0.5)
_KILLS = flags.DEFINE_integer("kills", 3, "client processes killed on the way", 0)
_HOSTILE = flags.DEFINE_bool("hostile", True, "slow and greedy clients beside them")
_GROWTH = flags.DEFINE_float(
    "max_mb_per_minute", 5, "limit on the memory's slope over the second half"
)
_JSON = flags.DEFINE_string("json", "", "also write the report here")


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no memory: it has ended")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Versions:
    """Model versions under a base path: one more, and the one before last goes.

    Args:
        source: version directory that is copied.
        base: model base path.
    """

    def __init__(self, source: Path, base: Path):
        self._source, self._base, self.latest = source, base, 0
        base.mkdir()
        self.add()

    def add(self) -> None:
        """Publish the next version by a rename and remove the one before last."""
        self.latest += 1
        partial = self._base / f"{self.latest}.partial"
        shutil.copytree(self._source, partial)
        partial.rename(self._base / str(self.latest))
        shutil.rmtree(self._base / str(self.latest - 2), ignore_errors=True)


def known_answers(path: Path, codec: dict, target: Path) -> None:
    """Write frames and the CSI that a session in this process decodes them to."""
    frames = np.array(make_frames(codec, make_indices(codec, NUM_FRAMES)), object)
    h = session_calls(path, {"serving_default": frames})["serving_default"]()
    octets = np.stack([np.frombuffer(frame, np.uint8) for frame in frames])
    np.savez(target, frames=octets, h=h)


def soak(codec: dict, source: Path, folder: Path) -> dict:
    """Run the whole and return the report."""
    known_answers(source, codec, folder / "known.npz")
    versions = Versions(source, folder / "models")
    seconds = 60 * _MINUTES.value
    kills = [seconds * (i + 1) / (_KILLS.value + 1) for i in range(_KILLS.value)]
    memory = []
    with contextlib.ExitStack() as stack:
        port = free_port()
        extra = ("--enable_batching", f"--rest_api_port={port}")
        running = stack.enter_context(server(folder / "models", *extra))
        hostile = None
        if _HOSTILE.value:
            hostile = HostileClients(running.endpoint, port, folder)
            stack.callback(hostile.process.kill)
        clients = Clients(running.endpoint, folder, _PROCESSES.value, _CLIENTS.value)
        stack.callback(clients.kill)
        clients.wait()
        began = shown = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            time.sleep(_RELOAD.value)
            versions.add()
            memory.append((elapsed, resident_mb(running.pid)))
            clients.check()
            if kills and elapsed > kills[0]:
                kills.pop(0)
                clients.kill_one()
            if time.monotonic() - shown > SHOW_SECONDS:
                shown = time.monotonic()
                left = (seconds - elapsed) / 60
                print(
                    f"{elapsed / 60:.1f} min, {left:.1f} left, version "
                    f"{versions.latest}, server {memory[-1][1]:.0f} MB",
                    flush=True,
                )
        report = clients.stop()
        if hostile:
            report["hostile"] = hostile.stop()
    return {**report, "num_versions": versions.latest, **_slope(memory)}


def _slope(memory: list[tuple[float, float]]) -> dict:
    """Growth of the memory over the second half of the time."""
    half = np.array(memory[len(memory) // 2 :])
    slope = np.polyfit(half[:, 0] / 60, half[:, 1], 1)[0] if len(half) > 1 else 0.0
    return {
        "memory_mb": [round(mb, 1) for _, mb in memory],
        "memory_mb_per_minute": round(float(slope), 2),
    }


def hostile_row(report: dict) -> dict:
    """What the hostile clients did, in a few numbers; nothing where there were none."""
    if not report:
        return {}
    sent = "streams", "unread", "garbage", "bodies", "large"
    return {
        "hostile_requests": sum(report.get(kind, 0) for kind in sent),
        "health_checks": report["health"],
        "health_lost": report.get("health_lost", 0),
        "health_p99_ms": report["health_p99_ms"],
    }


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    export = Path(_EXPORT.value)
    codec = read_codec(export)
    source = latest_decoder(export)
    with tempfile.TemporaryDirectory() as folder:
        report = soak(codec, source, Path(folder))
    counts = report["counts"]
    if _JSON.value:
        row = {
            "minutes": _MINUTES.value,
            "clients": _CLIENTS.value,
            "kills": _KILLS.value,
            "max_mb_per_minute": _GROWTH.value,
            **{key: counts.get(key, 0) for key in COUNTS},
            **{key: report[key] for key in MEASURED},
            **hostile_row(report.get("hostile", {})),
        }
        result = {"row": row, **report, **files.environment(), "origin": "ours"}
        files.write_json(Path(_JSON.value), result)
    print(
        f"{counts['rows']} rows in {counts['requests']} requests, "
        f"{counts['damaged']} damaged; p50 {report['p50_ms']} ms, p99 "
        f"{report['p99_ms']} ms; {report['num_versions']} versions; memory "
        f"{report['memory_mb_per_minute']:+.1f} MB/min in the second half"
    )
    failed = failures(report, _GROWTH.value)
    if failed:
        raise ValueError("; ".join(failed))


if __name__ == "__main__":
    flags.mark_flag_as_required("export")
    cli.run(main)
