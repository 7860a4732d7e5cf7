"""The REST port: connections, time limits, HTTP (standard library, no encryption)."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import grpc
from absl import logging

from serving.api.handlers import Handlers
from serving.api.rest_answers import (
    MAX_DIGITS,
    PREDICT_PATH,
    STATUS_PATH,
    metadata,
    model_spec,
    predict,
    status,
)
from serving.api.timed_reader import TimedReader
from serving.models import monitoring
from serving.models.request_checks import ServingError, invalid_argument

WRITE_SECONDS, CLOSE_SECONDS = 10, 30
WAITING_CONNECTIONS = 128
_BUSY = json.dumps({"error": "Too many connections, try again later"})
_BUSY_ANSWER = (
    "HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(_BUSY)}\r\n\r\n{_BUSY}"
).encode()
_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}  # every other code: 500


class _Handler(BaseHTTPRequestHandler):
    timeout = WRITE_SECONDS

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._reader = TimedReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def do_GET(self) -> None:
        try:
            path = urlsplit(self.path).path
        except ValueError:
            path = self.path
        if self.command == "GET" and path == self.server.metrics_path:
            page = self.server.handlers.metrics.page()
            self._send(200, monitoring.CONTENT_TYPE, page)
        elif not path.lower().startswith("/v1/"):
            self.send_error(404)
        else:
            self._reply(*self._status_and_document(path))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def _status_and_document(self, path: str) -> tuple[int, dict]:
        try:
            return 200, self._answer(path)
        except ServingError as error:
            return _HTTP_STATUS.get(error.code, 500), {"error": error.message}
        except ConnectionError:
            raise
        except Exception as error:
            logging.exception("%s %s", self.command, path)
            return 500, {"error": f"{type(error).__name__}: {error}"}

    def _answer(self, path: str) -> dict:
        handlers = self.server.handlers
        match = PREDICT_PATH.fullmatch(path)
        if self.command == "POST" and match:
            with handlers.count(unquote(match.group(1)), "REST"), self.server.turn():
                spec, body = model_spec(match), self._body()
                if match.group(4).lower() != "predict":
                    raise ServingError(
                        grpc.StatusCode.UNIMPLEMENTED,
                        f"{match.group(4)} is not implemented: use predict",
                    )
                return predict(handlers, spec, body, self.server.request_timeout)
        match = STATUS_PATH.fullmatch(path)
        if self.command == "GET" and match:
            answer = metadata if match.group(4) else status
            return answer(handlers, model_spec(match))
        raise invalid_argument(f"Malformed request: {self.command} {path}")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdecimal():
            raise invalid_argument("Expected a request body with Content-Length")
        limit = self.server.handlers.manager.runtime.limits.request_bytes
        if len(length) > MAX_DIGITS or int(length) > limit:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"Request body of {length} bytes is larger than {limit}",
            )
        self._reader.restart()  # the time in line is not the client's
        try:
            return self.rfile.read(int(length))
        except TimeoutError as error:
            raise ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, str(error)) from error

    def _reply(self, code: int, document: dict) -> None:
        self._send(code, "application/json", json.dumps(document).encode())

    def _send(self, code: int, content_type: str, body: bytes) -> None:
        self.connection.settimeout(WRITE_SECONDS)
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code, message=None, explain=None) -> None:
        self._reply(code, {"error": message or self.responses[code][0]})

    def log_message(self, *args) -> None:
        pass


class RestServer(ThreadingHTTPServer):
    """REST server bound to `host:port` (0: any); `serve_forever` answers requests.

    Each connection has a thread; those that predict take turns, so that status and
    metrics are answered whatever the load. Too many connections are answered with 503.

    Args:
        handlers: answer the requests.
        address: host and port; port 0 lets the operating system choose.
        num_threads: predictions worked on at a time; more wait in line.
        request_timeout: seconds until DEADLINE_EXCEEDED.
        metrics_path: of the Prometheus page; None: there is none.

    Raises:
        OSError: the port is in use.
    """

    request_queue_size = 128

    def __init__(
        self,
        handlers: Handlers,
        address: tuple[str, int],
        num_threads: int,
        request_timeout: float,
        metrics_path: str | None = None,
    ):
        self.handlers = handlers
        self.request_timeout = request_timeout
        self.metrics_path = metrics_path
        self._turns = threading.BoundedSemaphore(num_threads)
        self._max_connections = num_threads + WAITING_CONNECTIONS
        self._connections = threading.BoundedSemaphore(self._max_connections)
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            host, port = address
            raise OSError(
                f"cannot listen on {host}:{port} (REST): {error.strerror}, "
                "choose another --rest_api_port"
            ) from error

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until one of `num_threads` predictions may be worked on.

        Raises:
            ServingError: UNAVAILABLE after `request_timeout` seconds.
        """
        if not self._turns.acquire(timeout=self.request_timeout):
            raise ServingError(
                grpc.StatusCode.UNAVAILABLE,
                f"Too many requests: none ended within {self.request_timeout} s",
            )
        try:
            yield
        finally:
            self._turns.release()

    def process_request(self, request, client_address) -> None:
        """Answer one connection in a thread of its own; too many: 503."""
        if not self._connections.acquire(blocking=False):
            with suppress(OSError):
                request.setblocking(False)
                request.send(_BUSY_ANSWER)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system gives no further thread
            self._connections.release()
            raise

    def process_request_thread(self, request, client_address) -> None:
        """Answer one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request, client_address) -> None:
        """Print the error at hand, if it is none of the client's connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Close the socket and wait, not for ever, for the requests under way."""
        super().server_close()
        end = time.monotonic() + CLOSE_SECONDS
        for ended in range(self._max_connections):
            if not self._connections.acquire(timeout=max(0, end - time.monotonic())):
                number = self._max_connections - ended
                logging.error("%d REST requests did not end in time", number)
                return
