"""The TensorFlow Serving REST API (standard library server, plain HTTP)."""

from __future__ import annotations

import json
import re
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import grpc
from absl import logging
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from serving import json_tensor, monitoring
from serving.handlers import Handlers
from serving.request_checks import ServingError, invalid_argument

IDLE_SECONDS = 10
MAX_DIGITS = 19  # of a 63-bit number; Python refuses to read 4,300 and more
_MODEL = r"(?i)/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICT_PATH = re.compile(_MODEL + r":(classify|regress|predict)")
_STATUS_PATH = re.compile(_MODEL + r"(?:/(metadata))?")
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


def _model_spec(match: re.Match) -> model_pb2.ModelSpec:
    name, version, label = match.group(1, 2, 3)
    spec = model_pb2.ModelSpec(name=unquote(name))
    if version:
        if len(version) > MAX_DIGITS or int(version) >= 1 << 63:
            raise invalid_argument(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    if label:
        spec.version_label = unquote(label)
    return spec


def _to_dict(message) -> dict:
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )


def predict(
    handlers: Handlers, spec: model_pb2.ModelSpec, body: bytes, timeout: float
) -> dict:
    """Answer POST ...:predict in the row or columnar form of the request.

    Raises:
        ServingError: as TensorFlow Serving refuses it.
    """
    request = predict_pb2.PredictRequest(model_spec=spec)
    document = json_tensor.parse(body)
    name = json_tensor.signature_name(document)
    request.model_spec.signature_name = name
    with handlers.manager.use(spec) as servable:
        if name not in servable.signatures:
            raise invalid_argument(
                f'Serving signature name: "{name}" not found in signature def'
            )
        inputs = servable.signatures[name].inputs
        row_form = json_tensor.fill_inputs(document, inputs, request)
        response = handlers.run(servable, request, timeout)
    if row_form:
        return {"predictions": json_tensor.rows(response.outputs)}
    return {"outputs": json_tensor.columns(response.outputs)}


def status(handlers: Handlers, spec: model_pb2.ModelSpec) -> dict:
    """Answer GET /v1/models/NAME."""
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
    return _to_dict(handlers.model_status(request))


def metadata(handlers: Handlers, spec: model_pb2.ModelSpec) -> dict:
    """Answer GET /v1/models/NAME/metadata."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec, metadata_field=["signature_def"]
    )
    response = handlers.model_metadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return {
        "model_spec": _to_dict(response.model_spec),
        "metadata": {"signature_def": _to_dict(signatures)},
    }


class _Handler(BaseHTTPRequestHandler):
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self.command == "GET" and path == self.server.metrics_path:
            page = self.server.handlers.metrics.page()
            self._send(200, monitoring.CONTENT_TYPE, page)
            return
        if not path.lower().startswith("/v1/"):
            self.send_error(404)
            return
        try:
            self._reply(200, self._answer(path))
        except ServingError as error:
            self._reply(_HTTP_STATUS.get(error.code, 500), {"error": error.message})
        except Exception as error:
            logging.exception("%s %s", self.command, path)
            self._reply(500, {"error": f"{type(error).__name__}: {error}"})

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def _answer(self, path: str) -> dict:
        handlers = self.server.handlers
        match = _PREDICT_PATH.fullmatch(path)
        if self.command == "POST" and match:
            with handlers.count(unquote(match.group(1)), "REST"):
                spec, body = _model_spec(match), self._body()
                if match.group(4).lower() != "predict":
                    raise ServingError(
                        grpc.StatusCode.UNIMPLEMENTED,
                        f"{match.group(4)} is not implemented: use predict",
                    )
                return predict(handlers, spec, body, self.server.request_timeout)
        match = _STATUS_PATH.fullmatch(path)
        if self.command == "GET" and match:
            answer = metadata if match.group(4) else status
            return answer(handlers, _model_spec(match))
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
        return self.rfile.read(int(length))

    def _reply(self, code: int, document: dict) -> None:
        self._send(code, "application/json", json.dumps(document).encode())

    def _send(self, code: int, content_type: str, body: bytes) -> None:
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

    Args:
        handlers: answer the requests.
        address: host and port; port 0 lets the operating system choose.
        num_threads: requests worked on at a time; more wait in line.
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
        self._pool = futures.ThreadPoolExecutor(num_threads)
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            host, port = address
            raise OSError(
                f"cannot listen on {host}:{port} (REST): {error.strerror}, "
                "choose another --rest_api_port"
            ) from error

    def process_request(self, request, client_address) -> None:
        """Hand one connection to a bounded pool of threads."""
        self._pool.submit(self.process_request_thread, request, client_address)

    def server_close(self) -> None:
        """Close the socket and wait for the requests under way."""
        super().server_close()
        self._pool.shutdown()
