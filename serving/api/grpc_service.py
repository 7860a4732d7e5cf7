"""The TensorFlow Serving gRPC services and the health service (official stubs)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.api.handlers import Handlers
from serving.models.request_checks import ServingError

MAX_ERROR_CHARS = 1024
HEALTH_SERVICES = ("", "ModelService", "PredictionService")
_Answer = TypeVar("_Answer")


def _answer(context: grpc.ServicerContext, call: Callable[[], _Answer]) -> _Answer:
    try:
        return call()
    except ServingError as error:
        message = error.message
        if len(message) > MAX_ERROR_CHARS:
            message = message[:MAX_ERROR_CHARS] + "...TRUNCATED"
        context.abort(error.code, message)


def _unimplemented(self, request, context) -> None:
    # The generated base class answers the same, with a traceback in the server's log.
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, handlers: Handlers):
        self._handlers = handlers

    def Predict(self, request, context):
        def call():
            with self._handlers.count(request.model_spec.name, "GRPC"):
                return self._handlers.predict(request, context.time_remaining())

        return _answer(context, call)

    def GetModelMetadata(self, request, context):
        return _answer(context, lambda: self._handlers.model_metadata(request))

    Classify = Regress = MultiInference = _unimplemented


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, handlers: Handlers):
        self._handlers = handlers

    def GetModelStatus(self, request, context):
        return _answer(context, lambda: self._handlers.model_status(request))

    def HandleReloadConfigRequest(self, request, context):
        return _answer(context, lambda: self._handlers.reload_config(request))


def _is_not_garbage(record: logging.LogRecord) -> bool:
    # grpc logs a traceback for each request that does not parse: anyone could fill
    # the disk with them.
    return "Exception deserializing" not in record.getMessage()


def _health_service() -> health.HealthServicer:
    servicer = health.HealthServicer()
    for service in HEALTH_SERVICES:
        servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    return servicer


def create_server(
    handlers: Handlers,
    address: str,
    num_threads: int,
    max_concurrent_rpcs: int | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> tuple[grpc.Server, int]:
    """Bind a gRPC server; the caller starts and stops it.

    Args:
        handlers: answer the requests.
        address: host:port; port 0 lets the operating system choose.
        num_threads: requests worked on at a time; more wait in line.
        max_concurrent_rpcs: requests worked on or in line; more are refused.
        credentials: TLS; None: plain.

    Returns:
        The server and its port.

    Raises:
        OSError: the port is in use, or TLS key and certificate are no pair.
    """
    options = [
        # Without this a second server would share the port and take half the calls.
        ("grpc.so_reuseport", 0),
        (
            "grpc.max_receive_message_length",
            handlers.manager.runtime.limits.request_bytes,
        ),
        ("grpc.max_send_message_length", -1),
    ]
    logging.getLogger("grpc._common").addFilter(_is_not_garbage)
    pool = futures.ThreadPoolExecutor(num_threads)
    server = grpc.server(
        pool, options=options, maximum_concurrent_rpcs=max_concurrent_rpcs
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(handlers), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _ModelService(handlers), server
    )
    health_pb2_grpc.add_HealthServicer_to_server(_health_service(), server)
    return server, _bind(server, address, credentials)


def _bind(
    server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None
) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        hint = "" if credentials is None else ", or key and certificate are no pair"
        raise OSError(
            f"cannot listen on {address} (gRPC): port in use? choose another --port"
            f"{hint}"
        ) from error
