"""Clients that send slowly, never read, or send what is no message."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import predict_pb2

from serving.api import patience
from serving.ue_side.decoder_client import open_channel
from tests.support.processes import wait_until
from tests.support.serving_harness import PATH, b64, local_server, predict, rest
from tests.support.tiny_export import NUM_INDICES, frames, random_indices

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving
METHOD = "/tensorflow.serving.PredictionService/Predict"
HEALTH = "/grpc.health.v1.Health/Check"
GOOD = predict(feedback_bytes=frames(random_indices(1)))
LARGE = predict("decode_float", codeword=np.zeros((500, NUM_INDICES), np.float32))
THREADS, STREAMS = 2, 100
SECONDS = 20


@pytest.fixture
def server(manager):
    with local_server(manager, num_threads=THREADS) as server:
        yield server


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = [line for line in lines if line.startswith("VmRSS")]
    return int(found.split()[1]) / 1024


def silent(channel: grpc.Channel, method: str, stop: threading.Event):
    """A stream that sends its headers and no request."""
    return channel.stream_unary(method).future(iter(stop.wait, True))


def test_streams_without_a_request_stop_nobody(server, monkeypatch):
    monkeypatch.setattr(patience, "HURRY_SECONDS", 0.2)
    health = health_pb2_grpc.HealthStub(server.channel)
    stop = threading.Event()
    with open_channel(server.endpoint) as hostile:
        streams = [
            silent(hostile, method, stop)
            for method in (METHOD, HEALTH)
            for _ in range(STREAMS // 2)
        ]
        waits = server.load.reading
        wait_until(lambda: len(waits._waits) > STREAMS / 2, SECONDS)
        for _ in range(3):
            request = health_pb2.HealthCheckRequest()
            assert health.Check(request, timeout=SECONDS).status == 1
            server.prediction.Predict(GOOD, timeout=SECONDS)
        wait_until(lambda: sum(s.done() for s in streams) > STREAMS / 2, SECONDS)
        ended = [stream for stream in streams if stream.done()]
        assert {stream.code().name for stream in ended} == {"CANCELLED"}
        stop.set()


def test_a_request_has_its_time(server, monkeypatch):
    monkeypatch.setattr(server.load.reading, "_seconds", 0.2)
    stop = threading.Event()
    stream = silent(server.channel, METHOD, stop)
    assert stream.exception(SECONDS).code().name == "CANCELLED"
    stop.set()


def test_answers_that_nobody_reads_are_given_up(server, monkeypatch):
    """A client asks for 4 MB again and again and takes none of it."""
    waits, asked = server.load.sending, 12
    monkeypatch.setattr(patience, "HURRY_SECONDS", 0.2)
    monkeypatch.setattr(waits, "_most", 8 << 20)
    begun, begin = [], waits.begin
    monkeypatch.setattr(waits, "begin", lambda *a: begun.append(begin(*a)) or begun[-1])
    message = LARGE.SerializeToString()
    window = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024)]
    with grpc.insecure_channel(server.endpoint, window) as hostile:
        unread = [hostile.unary_stream(METHOD)(message) for _ in range(asked)]
        wait_until(lambda: len(begun) == asked and waits._total <= 8 << 20, SECONDS)
        assert waits._total > 0  # those that are left have their ten seconds
        assert server.prediction.Predict(GOOD, timeout=SECONDS).outputs
        for stream in unread:
            stream.cancel()
    wait_until(lambda: not waits._total, SECONDS)


def test_an_answer_that_is_read_is_whole(server):
    for _ in range(3):
        response = server.prediction.Predict(LARGE, timeout=SECONDS)
        assert len(response.outputs["h"].tensor_content) == 500 * 2048 * 4
    wait_until(lambda: not server.load.sending._total, SECONDS)


def garbage(server, num: int) -> float:
    """Growth in MB that so many messages of 20 kB leave behind that do not parse."""
    call = server.channel.unary_unary(METHOD)
    message = b"\xff" * 20_000

    def send(count: int) -> None:
        for _ in range(count // 50):
            calls = [call.future(message, timeout=SECONDS) for _ in range(50)]
            assert {c.exception().code().name for c in calls} == {"INTERNAL"}

    send(500)
    before = resident_mb()
    send(num)
    return resident_mb() - before


def test_what_does_not_parse_leaves_nothing_behind(server):
    assert garbage(server, 2000) < 15


@pytest.mark.slow
def test_much_that_does_not_parse_leaves_nothing_behind(server):
    assert garbage(server, 24_000) < 25


def test_slow_bodies_hold_no_turn(server):
    good = {"instances": [b64(frame) for frame in frames(random_indices(1))]}
    head = f"POST {PATH}:predict HTTP/1.0\r\nContent-Length: 3500\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(10 * THREADS):
            address = ("127.0.0.1", server.rest_port)
            connection = stack.enter_context(socket.create_connection(address, SECONDS))
            connection.sendall(head.encode() + b"{" * 35)
        begin = time.monotonic()
        assert rest(server, "POST", f"{PATH}:predict", good)[0] == 200
        assert time.monotonic() - begin < 5


def test_json_of_many_values_is_refused_unread(server, monkeypatch):
    monkeypatch.setattr("serving.api.json_tensor.parse", None)
    body = b'{"inputs": [' + b"[]," * 5_000_000 + b"[]]}"
    status, answer = rest(server, "POST", f"{PATH}:predict", body)
    assert status == 429 and "bytes of memory" in answer["error"]


def test_a_stream_of_no_request_is_refused(server):
    call = server.channel.stream_unary(METHOD)
    with pytest.raises(grpc.RpcError) as caught:
        call(iter(()), timeout=SECONDS)
    assert caught.value.code().name == "UNIMPLEMENTED"


def test_more_than_may_wait_are_refused(manager):
    with local_server(manager, num_threads=1, max_rpcs=0) as server:
        with pytest.raises(grpc.RpcError) as caught:
            server.prediction.Predict(predict_pb2.PredictRequest(), timeout=SECONDS)
        assert caught.value.code().name == "RESOURCE_EXHAUSTED"
        health = health_pb2_grpc.HealthStub(server.channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == 1


def test_health_is_watched_without_a_thread(server):
    watch = health_pb2_grpc.HealthStub(server.channel).Watch
    before = threading.active_count()
    streams = [watch(health_pb2.HealthCheckRequest(service=s)) for s in ("", "x") * 20]
    found = [next(stream).status for stream in streams]
    assert found == [1, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN] * 20
    assert all(stream.is_active() for stream in streams)
    # A thread or two of the executor answered them all, and the client's own.
    assert threading.active_count() - before < len(streams) + 10
    for stream in streams:
        stream.cancel()
    wait_until(lambda: not server.load.watching._total, SECONDS)
