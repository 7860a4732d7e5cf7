"""The REST port under idle, slow, too many connections, and too large documents."""

from __future__ import annotations

import json
import socket
import struct
import time
from contextlib import ExitStack, closing, suppress

import pytest

from serving.api import json_tensor, rest, timed_reader
from serving.api.handlers import Handlers
from serving.models.monitoring import Metrics
from tests.support.serving_harness import PATH, b64, local_server
from tests.support.serving_harness import rest as ask
from tests.support.tiny_export import frames, random_indices

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving
GOOD = {"instances": [b64(frame) for frame in frames(random_indices(1))]}
THREADS = 2


@pytest.fixture
def server(manager):
    with local_server(manager, num_threads=THREADS, metrics_path="/m") as server:
        yield server


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.rest_port), 20)


def all_of(connection: socket.socket) -> bytes:
    """All bytes until the server closes."""
    with connection, connection.makefile("rb") as stream:
        return stream.read()


def test_idle_connections_stop_nobody(server):
    with ExitStack() as stack:
        for _ in range(10 * THREADS):
            stack.enter_context(connect(server))
        start = time.monotonic()
        assert ask(server, "GET", f"{PATH}/metadata")[0] == 200
        assert ask(server, "POST", f"{PATH}:predict", GOOD)[0] == 200
        assert time.monotonic() - start < timed_reader.READ_SECONDS


def test_unfinished_bodies_leave_status_and_metrics_alone(server):
    with ExitStack() as stack:
        for _ in range(2 * THREADS):
            connection = stack.enter_context(connect(server))
            head = f"POST {PATH}:predict HTTP/1.0\r\nContent-Length: 9\r\n\r\n"
            connection.sendall(head.encode())
        connection = stack.enter_context(connect(server))
        connection.sendall(b"GET /m HTTP/1.0\r\n\r\n")
        assert b":tensorflow:serving:" in all_of(connection)
        assert ask(server, "GET", PATH)[0] == 200


def test_too_many_connections_are_told_so(manager, monkeypatch):
    monkeypatch.setattr(rest, "WAITING_CONNECTIONS", 2)
    with local_server(manager, num_threads=THREADS) as server:
        with ExitStack() as stack:
            for _ in range(THREADS + 2):
                stack.enter_context(connect(server))
            head, body = all_of(connect(server)).split(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.0 503 ")
            assert list(json.loads(body)) == ["error"]
        end, status = time.monotonic() + 20, 503
        while status == 503 and time.monotonic() < end:  # until they are seen to end
            with suppress(ConnectionError):  # refused while it was still sending
                status = ask(server, "POST", f"{PATH}:predict", GOOD)[0]
        assert status == 200


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (b"GET /v1/models/", b""),
        (
            f"POST {PATH}:predict HTTP/1.0\r\nContent-Length: 999\r\n\r\n".encode(),
            b"HTTP/1.0 504 ",
        ),
    ],
)
def test_a_request_that_drips_in_is_ended(server, monkeypatch, head, answer):
    monkeypatch.setattr(timed_reader, "READ_SECONDS", 0.5)
    with connect(server) as connection:
        connection.sendall(head)
        connection.settimeout(0.1)
        end = time.monotonic() + 20
        received = None
        while received is None and time.monotonic() < end:
            try:
                received = connection.recv(13)
            except TimeoutError:
                connection.sendall(b"a")
            except ConnectionError:  # the last byte came too late
                received = b""
    assert received == answer


def test_a_client_that_hangs_up_leaves_no_traceback(server, capfd):
    head = f"POST {PATH}:predict HTTP/1.0\r\nContent-Length: 999\r\n\r\n{{"
    for text in ("GET /v1", head):
        with connect(server) as connection:
            connection.sendall(text.encode())
            # Closing then resets the connection.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert ask(server, "GET", "//[") == (404, {"error": "Not Found"})
    assert "Traceback" not in capfd.readouterr().err


def test_closing_does_not_wait_for_ever(manager):
    server = rest.RestServer(Handlers(manager, Metrics()), ("127.0.0.1", 0), 1, 20)
    with closing(socket.create_connection(server.server_address, 20)):
        server.handle_request()
        start = time.monotonic()
        server.server_close(0.2)
        assert 0.2 <= time.monotonic() - start < timed_reader.READ_SECONDS / 2


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"instances": [0] * 513}, "Task size 513 is larger than maximum input batch"),
        ({"inputs": [[0]] * 513}, "Task size 513 is larger than maximum input batch"),
        ({"inputs": [[0] * 10**5]}, "has shape [1, 100000]: expected [-1, 25]"),
        ({"inputs": [[[0]] * 25]}, "has shape [1, 25, 1]: expected [-1, 25]"),
        ({"inputs": [[]]}, "has shape [1, 0]: expected [-1, 25]"),
    ],
)
def test_sizes_are_refused_before_a_number_is_read(
    server, monkeypatch, document, message
):
    monkeypatch.setattr(json_tensor, "_number", None)
    document = {"signature_name": "decode_float", **document}
    status, answer = ask(server, "POST", f"{PATH}:predict", document)
    assert status == 400 and message in answer["error"]
