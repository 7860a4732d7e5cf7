"""A server in this process, and the processor time that it takes to refuse."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import grpc

from benchmarks.hostile_requests import GRPC, MODEL, REST
from serving.api import grpc_service, rest
from serving.api.handlers import Handlers
from serving.models import model_config
from serving.models.model_manager import ModelManager
from serving.models.monitoring import Metrics
from serving.ue_side.decoder_client import open_channel

THREADS, TIMEOUT = 4, 120


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
