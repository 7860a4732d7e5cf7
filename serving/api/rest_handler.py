"""One connection of the REST port: request in, JSON out."""

from __future__ import annotations

import io
import json
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

import grpc
from absl import logging
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.api.load import WRITE_SECONDS, json_bytes
from serving.api.patience import Wait
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

CHUNK_BYTES = 64 << 10
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


class RestHandler(BaseHTTPRequestHandler):
    """Reads one request of a `RestServer` and answers it."""

    timeout = WRITE_SECONDS

    def setup(self) -> None:
        """Begin the time that the request may take."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(TimedReader(self.connection))
        self._load = self.server.handlers.load
        self._reading = self._load.reading.begin(self._hang_up)

    def finish(self) -> None:
        """End it, whatever has become of the request."""
        self._load.reading.over(self._reading)
        super().finish()

    def _hang_up(self) -> None:
        with suppress(OSError):  # the client was faster
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        """Answer a request of any method."""
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
            with handlers.count(unquote(match.group(1)), "REST"):
                spec, body = model_spec(match), self._body()
                if match.group(4).lower() != "predict":
                    raise ServingError(
                        grpc.StatusCode.UNIMPLEMENTED,
                        f"{match.group(4)} is not implemented: use predict",
                    )
                return self._predict(spec, body)
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
                f"Request body of {length[:MAX_DIGITS]} bytes is larger than {limit}",
            )
        try:
            with self._load.receiving.during(self._hang_up, 0) as received:
                return self._received(int(length), received)
        except TimeoutError as error:
            raise ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, str(error)) from error

    def _received(self, length: int, received: Wait) -> bytes:
        body = bytearray()
        while len(body) < length:
            chunk = self.rfile.read(min(CHUNK_BYTES, length - len(body)))
            if not chunk:
                raise invalid_argument(
                    f"Request body of {len(body)} bytes: expected {length} by its head"
                )
            body += chunk
            self._load.receiving.grow(received, len(chunk))
        self._load.reading.over(self._reading)
        return bytes(body)

    def _predict(self, spec: ModelSpec, body: bytes) -> dict:
        seconds = self.server.request_timeout
        with (
            self._load.line.hold(len(body)),
            self.server.turn(),
            self._load.work.hold(json_bytes(body), seconds),
        ):
            return predict(self.server.handlers, spec, body, seconds)

    def _reply(self, code: int, document: dict) -> None:
        body = json.dumps(document, allow_nan=False).encode()
        self._send(code, "application/json", body)

    def _send(self, code: int, content_type: str, body: bytes) -> None:
        self._load.reading.over(self._reading)
        self.connection.settimeout(WRITE_SECONDS)
        with self._load.sending.during(self._hang_up, len(body)):
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def send_error(self, code, message=None, explain=None) -> None:
        """Answer what is no HTTP, in JSON too."""
        self._reply(code, {"error": message or self.responses[code][0]})

    def log_message(self, *args) -> None:
        """Log nothing."""
