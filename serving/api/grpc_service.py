"""The TensorFlow Serving gRPC services and the health service (official messages)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures

import grpc
from grpc_health.v1 import health_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from serving.api.grpc_methods import LimitedMethod, Method, Watch
from serving.api.handlers import Handlers
from serving.models.request_checks import ServingError

HEALTH_SERVICES = ("", "ModelService", "PredictionService")
MAX_RPCS = 1024
SPARE_THREADS = 64  # beside those of `max_rpcs`, for health and status
MAX_WAITING = 4  # streams for each thread, those that wait for one included
STREAMS_OF_A_CONNECTION = 256
IDLE_MS, HANDSHAKE_MS = 300_000, 10_000  # of a connection


def _health(status_of_unknown) -> Callable:
    def call(request: health_pb2.HealthCheckRequest, context):
        response = health_pb2.HealthCheckResponse
        if request.service in HEALTH_SERVICES:
            return response(status=response.SERVING)
        if status_of_unknown is None:
            raise ServingError(grpc.StatusCode.NOT_FOUND, "Unknown service")
        return response(status=status_of_unknown)

    return call


def _unimplemented(request, context):
    raise ServingError(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")


def _services(handlers: Handlers, num_threads: int, max_rpcs: int) -> dict:
    """Methods by service and name."""

    def predict(request: predict_pb2.PredictRequest, context):
        with handlers.count(request.model_spec.name, "GRPC"):
            return handlers.predict(request, context.time_remaining())

    def plain(kind, call):
        return Method(handlers.load, kind, lambda request, _: call(request))

    metadata = get_model_metadata_pb2.GetModelMetadataRequest
    status = get_model_status_pb2.GetModelStatusRequest
    reload = model_management_pb2.ReloadConfigRequest
    request, check = predict_pb2.PredictRequest, health_pb2.HealthCheckRequest
    limited = LimitedMethod(handlers.load, request, predict, max_rpcs, num_threads)
    none = Method(handlers.load, request, _unimplemented)
    unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    return {
        "tensorflow.serving.PredictionService": {
            "Predict": limited,
            "GetModelMetadata": plain(metadata, handlers.model_metadata),
            **dict.fromkeys(("Classify", "Regress", "MultiInference"), none),
        },
        "tensorflow.serving.ModelService": {
            "GetModelStatus": plain(status, handlers.model_status),
            "HandleReloadConfigRequest": plain(reload, handlers.reload_config),
        },
        "grpc.health.v1.Health": {
            "Check": Method(handlers.load, check, _health(None)),
            "Watch": Watch(handlers.load, check, _health(unknown)),
        },
    }


def _handler(method: Method) -> grpc.RpcMethodHandler:
    if isinstance(method, Watch):
        return grpc.stream_stream_rpc_method_handler(method)
    return grpc.stream_unary_rpc_method_handler(method)


def create_server(
    handlers: Handlers,
    address: str,
    num_threads: int,
    max_rpcs: int = MAX_RPCS,
    credentials: grpc.ServerCredentials | None = None,
) -> tuple[grpc.Server, int]:
    """Bind a gRPC server; the caller starts and stops it.

    Args:
        handlers: answer the requests.
        address: host:port; port 0 lets the operating system choose.
        num_threads: predictions worked on at a time; more wait in line.
        max_rpcs: predictions worked on or in line; more are refused.
        credentials: TLS; None: plain.

    Returns:
        The server and its port.

    Raises:
        OSError: the port is in use, or TLS key and certificate are no pair.
    """
    limits = handlers.manager.runtime.limits
    options = {
        # Without this a second server would share the port and take half the calls.
        "grpc.so_reuseport": 0,
        "grpc.max_receive_message_length": limits.request_bytes,
        "grpc.max_send_message_length": -1,
        "grpc.max_concurrent_streams": STREAMS_OF_A_CONNECTION,
        "grpc.max_connection_idle_ms": IDLE_MS,
        "grpc.server_handshake_timeout_ms": HANDSHAKE_MS,
    }
    pool = futures.ThreadPoolExecutor(max_rpcs + SPARE_THREADS)
    server = grpc.server(
        pool,
        options=list(options.items()),
        maximum_concurrent_rpcs=MAX_WAITING * (max_rpcs + SPARE_THREADS),
    )
    for name, methods in _services(handlers, num_threads, max_rpcs).items():
        served = {method: _handler(found) for method, found in methods.items()}
        generic = grpc.method_handlers_generic_handler(name, served)
        server.add_generic_rpc_handlers((generic,))
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
