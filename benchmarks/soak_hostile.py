"""Slow, greedy and senseless clients for `benchmarks.soak`, and health beside them.

Streams without a request, readers that take nothing of 4 MB, bodies that drip in,
bytes that are no message and large requests that mean nothing, all the time.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import socket
import threading
import time
from pathlib import Path

import grpc
import numpy as np
from absl import flags
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.hostile_requests import KINDS, MODEL
from benchmarks.refusal_target import Target, request
from serving.stop_signals import stop_event
from serving.ue_side.decoder_client import decode_request
from tfds_builders import cli
from zoo import files

METHOD = "/tensorflow.serving.PredictionService/Predict"
STREAMS, BODIES, UNREAD, GARBAGE = 64, 32, 1, 20  # at a time, the last two each tick
UNREAD_ROWS, KEPT_UNREAD = 500, 64
TICK_SECONDS, TIMEOUT, LARGE_BYTES = 0.5, 60, 4 << 20
# A window of 1 kB that does not grow: the rest of an answer waits at the server.
CLOSED = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024)]
OWN = [("grpc.use_local_subchannel_pool", 1)]  # else channels share a connection

_ENDPOINT = flags.DEFINE_string("endpoint", None, "host:port of gRPC")
_REST_PORT = flags.DEFINE_integer("rest_port", None, "port of REST on this machine")
_REPORT = flags.DEFINE_string("report", None, "counts, written every tick")


class Hostile:
    """Clients of all kinds, and what became of them.

    Args:
        endpoint: of gRPC.
        rest_port: of REST.
    """

    def __init__(self, endpoint: str, rest_port: int):
        self.counts: collections.Counter = collections.Counter()
        self.health_ms: list[float] = []
        self._rest = "127.0.0.1", rest_port
        self._silent = grpc.insecure_channel(endpoint, OWN)
        self._greedy = grpc.insecure_channel(endpoint, CLOSED + OWN)
        self._target = Target(grpc.insecure_channel(endpoint, OWN), rest_port)
        self._health = grpc.insecure_channel(endpoint, OWN)
        self._kinds = itertools.cycle(KINDS)
        self._streams, self._unread, self._bodies = [], [], []
        self._stop = threading.Event()

    def tick(self) -> None:
        """One round of each."""
        self._open_streams()
        self._ask_and_take_nothing()
        self._drip()
        call = self._silent.unary_unary(METHOD)
        for _ in range(GARBAGE):
            call.future(b"\xff" * 1000, timeout=TIMEOUT)
            self.counts["garbage"] += 1
        kind = next(self._kinds)
        with contextlib.suppress(OSError):  # REST has no room: it says so, or hangs up
            self._target.ask(kind, request(kind, LARGE_BYTES))
        self.counts["large"] += 1
        self._ask_for_health()

    def _open_streams(self) -> None:
        alive = [stream for stream in self._streams if not stream.done()]
        self.counts["streams_ended"] += len(self._streams) - len(alive)
        for _ in range(STREAMS - len(alive)):
            requests = iter(self._stop.wait, True)
            alive.append(self._silent.stream_unary(METHOD).future(requests))
            self.counts["streams"] += 1
        self._streams = alive

    def _ask_and_take_nothing(self) -> None:
        asked = decode_request([b""] * UNREAD_ROWS, name=MODEL.decode())
        for _ in range(UNREAD):
            stream = self._greedy.unary_stream(METHOD)(asked.SerializeToString())
            self._unread.append(stream)
            self.counts["unread"] += 1
        while len(self._unread) > KEPT_UNREAD:
            self._unread.pop(0).cancel()

    def _drip(self) -> None:
        head = f"POST /v1/models/{MODEL.decode()}:predict HTTP/1.0\r\n"
        head += "Content-Length: 100000\r\n\r\n"
        for connection in list(self._bodies):
            try:
                connection.sendall(b" " * 175)  # 350 bytes a second
            except OSError:
                self._bodies.remove(connection)
                connection.close()
                self.counts["bodies_ended"] += 1
        while len(self._bodies) < BODIES:
            with contextlib.suppress(OSError):
                connection = socket.create_connection(self._rest, TIMEOUT)
                self._bodies.append(connection)
                connection.sendall(head.encode())
            self.counts["bodies"] += 1

    def _ask_for_health(self) -> None:
        check = health_pb2_grpc.HealthStub(self._health).Check
        begin = time.perf_counter()
        try:
            check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
            self.health_ms.append(1e3 * (time.perf_counter() - begin))
        except grpc.RpcError as error:
            self.counts["health_lost"] += 1
            print(f"health: {error.code().name} {error.details()}", flush=True)

    def report(self) -> dict:
        """Counts, and the times of health."""
        p50, p99, worst = np.percentile(self.health_ms or [np.nan], [50, 99, 100])
        times = {"health_p50_ms": p50, "health_p99_ms": p99, "health_max_ms": worst}
        rounded = {name: round(float(value), 1) for name, value in times.items()}
        return {**self.counts, "health": len(self.health_ms), **rounded}

    def close(self) -> None:
        """End all that is open."""
        self._stop.set()
        channels = (self._silent, self._greedy, self._target.channel, self._health)
        for channel in channels:
            channel.close()
        for connection in self._bodies:
            connection.close()


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    stop = stop_event(10)
    hostile = Hostile(_ENDPOINT.value, _REST_PORT.value)
    while not stop.wait(TICK_SECONDS):
        hostile.tick()
        files.write_json(Path(_REPORT.value), hostile.report())
    hostile.close()


if __name__ == "__main__":
    flags.mark_flags_as_required(["endpoint", "rest_port", "report"])
    cli.run(main)
