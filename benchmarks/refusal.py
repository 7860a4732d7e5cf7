"""Time that a server takes to refuse large requests that mean nothing.

python -m benchmarks.refusal --export=DIR [--json=FILE]

Every kind of `benchmarks.hostile_requests` is sent over gRPC and REST to a server in
this process, in several sizes; what counts is the processor time of both ends. It ends
with an error where a request of 16 MB takes more than --max_seconds, or where the time
grows faster than the size.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
from absl import flags

from benchmarks.hostile_requests import GRPC, KINDS, MODEL, REST
from serving.api import grpc_service, rest
from serving.api.handlers import Handlers
from serving.models import model_config
from serving.models.model_manager import ModelManager
from serving.models.monitoring import Metrics
from serving.ue_side.decoder_client import open_channel
from tfds_builders import cli, progress
from zoo import files
from zoo.metrics import plots

MB = 1 << 20
SIZES_MB = (1, 2, 4, 8, 15.9)  # the server takes 16
THREADS, TIMEOUT = 4, 120
MAX_EXPONENT = 1.3  # of time against size, where it takes longer than FLOOR_SECONDS
FLOOR_SECONDS = 0.1
SHOWN = 8  # kinds with a name in the plot

_EXPORT = flags.DEFINE_string("export", None, "export directory of a run")
_REPEATS = flags.DEFINE_integer("repeats", 3, "of each request; the fastest counts", 1)
_MAX_SECONDS = flags.DEFINE_float("max_seconds", 1, "to refuse 16 MB")
_JSON = flags.DEFINE_string("json", "", "write the result here, and a plot beside it")


class Target(NamedTuple):
    """Where requests go."""

    channel: grpc.Channel
    rest_port: int

    def ask(self, kind: str, message: bytes) -> str:
        """Status of the answer, by name or number."""
        if kind in GRPC:
            try:
                self.channel.unary_unary(GRPC[kind][0])(message, timeout=TIMEOUT)
                return "OK"
            except grpc.RpcError as error:
                return error.code().name
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, TIMEOUT)
        with contextlib.closing(connection):
            path = f"/v1/models/{MODEL.decode()}:predict"
            connection.request("POST", path, message)
            answer = connection.getresponse()
            answer.read()
            return str(answer.status)


@contextlib.contextmanager
def served(decoder: Path) -> Iterator[Target]:
    """A server of a decoder's versions inside this process."""
    manager = ModelManager()
    manager.apply(model_config.single(MODEL.decode(), decoder))
    handlers = Handlers(manager, Metrics())
    server, port = grpc_service.create_server(handlers, "127.0.0.1:0", THREADS)
    rest_server = rest.RestServer(handlers, ("127.0.0.1", 0), THREADS, TIMEOUT)
    server.start()
    threading.Thread(target=rest_server.serve_forever, daemon=True).start()
    with open_channel(f"127.0.0.1:{port}") as channel:
        yield Target(channel, rest_server.server_port)
    server.stop(None).wait()
    rest_server.shutdown()
    rest_server.server_close(TIMEOUT)
    manager.close()


def request(kind: str, size: int) -> bytes:
    """A request of a kind, of about `size` bytes."""
    return GRPC[kind][1](size) if kind in GRPC else REST[kind](size)


def seconds(target: Target, kind: str, size: int, repeats: int) -> tuple[float, str]:
    """Processor time of the fastest of some requests, and their answer."""
    message, times = request(kind, size), []
    for _ in range(repeats):
        begin = time.process_time()
        status = target.ask(kind, message)
        times.append(time.process_time() - begin)
    return min(times), status


def measure(target: Target, sizes: list[int], repeats: int) -> list[dict]:
    """Rows of all kinds and sizes."""
    rows = []
    for kind in progress.track(KINDS, "kinds"):
        for size in sizes:
            took, status = seconds(target, kind, size, repeats)
            sent = len(request(kind, size))
            row = {"kind": kind, "bytes": sent, "seconds": took, "status": status}
            rows.append(row)
    return rows


def exponent(rows: list[dict]) -> float:
    """Of the size, of which the time is a power; by the two largest sizes."""
    before, last = rows[-2:]
    grown = np.log(last["seconds"] / before["seconds"])
    return float(grown / np.log(last["bytes"] / before["bytes"]))


def failures(rows: list[dict], max_seconds: float) -> list[str]:
    """What takes too long, or grows too fast."""
    found = []
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        took, grows = own[-1]["seconds"], exponent(own)
        if took > max_seconds:
            found.append(f"{kind}: {took:.2f} s for {own[-1]['bytes']} bytes")
        if took > FLOOR_SECONDS and grows > MAX_EXPONENT:
            found.append(f"{kind}: time grows with the size to the power {grows:.2f}")
    return found


def plot(rows: list[dict], max_seconds: float, target: Path) -> None:
    """Seconds against MB, a line a kind; the slowest have names."""
    figure, axis = plots.plt.subplots(figsize=(9, 5), layout="constrained")
    slowest = sorted(KINDS, key=lambda kind: -_largest(rows, kind)["seconds"])
    for place, kind in enumerate(slowest):
        own = [row for row in rows if row["kind"] == kind]
        style = {"label": kind} if place < SHOWN else {"color": "0.8", "zorder": 1}
        x, y = ([row[key] for row in own] for key in ("bytes", "seconds"))
        axis.plot(np.array(x) / MB, y, marker="o", markersize=3, **style)
    sizes = np.array([SIZES_MB[0], 16])
    axis.plot(sizes, max_seconds * sizes / 16, label="linear, limit", **plots.DASHED)
    axis.set(xscale="log", yscale="log", xlabel="size of the request [MB]")
    axis.set_ylabel("processor time to refuse [s]")
    ticks = [*SIZES_MB[:-1], 16]
    axis.set_xticks(ticks, [f"{size:g}" for size in ticks], minor=False)
    axis.minorticks_off()
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
    plots.save(figure, target)


def _largest(rows: list[dict], kind: str) -> dict:
    return [row for row in rows if row["kind"] == kind][-1]


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    with served(Path(_EXPORT.value) / "decoder") as target:
        sizes = [int(size * MB) for size in SIZES_MB]
        rows = measure(target, sizes, _REPEATS.value)
    for kind in KINDS:
        row = _largest(rows, kind)
        size = f"{row['bytes'] / MB:5.1f} MB"
        print(f"{row['seconds']:7.3f} s  {size}  {row['status']:<18} {kind}")
    slowest = max((_largest(rows, kind) for kind in KINDS), key=lambda r: r["seconds"])
    if _JSON.value:
        head = {"kinds": len(KINDS), "slowest": slowest["kind"]}
        head |= {"seconds_of_16_mb": slowest["seconds"], "repeats": _REPEATS.value}
        result = {"row": head, "rows": rows, **files.environment(), "origin": "ours"}
        files.write_json(Path(_JSON.value), result)
        plot(rows, _MAX_SECONDS.value, Path(_JSON.value).with_suffix(".png"))
    if failed := failures(rows, _MAX_SECONDS.value):
        raise ValueError("; ".join(failed))


if __name__ == "__main__":
    flags.mark_flag_as_required("export")
    cli.run(main)
