"""The REST port: connections, turns (standard library, no encryption)."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer

import grpc
from absl import logging

from serving.api.handlers import Handlers
from serving.api.rest_handler import RestHandler
from serving.models.request_checks import ServingError

WAITING_CONNECTIONS = 128
_BUSY = json.dumps({"error": "Too many connections, try again later"})
_BUSY_ANSWER = (
    "HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(_BUSY)}\r\n\r\n{_BUSY}"
).encode()


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
            super().__init__(address, RestHandler)
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

    def server_close(self, seconds: float = 0) -> None:
        """Close the socket and wait so long at most for the requests under way."""
        super().server_close()
        end = time.monotonic() + seconds
        for ended in range(self._max_connections):
            if not self._connections.acquire(timeout=max(0, end - time.monotonic())):
                number = self._max_connections - ended
                logging.error("%d REST requests did not end in time", number)
                return
