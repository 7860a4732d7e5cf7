"""The TensorFlow Serving gRPC services over one `ServedModel` (official stubs)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.request_checks import ServingError, invalid_argument
from serving.servable import DEFAULT_SIGNATURE, ServedModel

MAX_MESSAGE_BYTES = 16 << 20
MAX_ERROR_CHARS = 1024
MAX_SECONDS = 3600.0
_Answer = TypeVar("_Answer")


def predict(
    model: ServedModel, request: predict_pb2.PredictRequest, timeout: float | None
) -> predict_pb2.PredictResponse:
    """Answer one Predict request; `timeout` in seconds, None waits.

    Raises:
        ServingError: as TensorFlow Serving refuses it.
    """
    _require_spec(request)
    servable = model.resolve(request.model_spec)
    outputs = servable.predict(request, timeout)
    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = servable.version
    signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    response.model_spec.signature_name = signature_name
    for alias, array in outputs.items():
        response.outputs[alias].CopyFrom(tf.make_tensor_proto(array))
    return response


def model_status(
    model: ServedModel, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Answer one GetModelStatus request.

    Raises:
        ServingError: no model spec, unknown model or version.
    """
    _require_spec(request)
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in model.versions(request.model_spec):
        status = response.model_version_status.add(version=version)
        status.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        status.status.SetInParent()
    return response


def model_metadata(
    model: ServedModel, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Answer one GetModelMetadata request with the signature definitions.

    Raises:
        ServingError: no model spec, unknown model, or a field but "signature_def".
    """
    _require_spec(request)
    if not request.metadata_field:
        raise invalid_argument(
            "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for name in request.metadata_field:
        if name != "signature_def":
            raise invalid_argument(f"Metadata field {name} is not supported")
    servable = model.resolve(request.model_spec)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in servable.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = model.name
    response.model_spec.version.value = servable.version
    response.metadata["signature_def"].Pack(signatures)
    return response


def _require_spec(request) -> None:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


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
    def __init__(self, model: ServedModel):
        self._model = model

    def Predict(self, request, context):
        # Without a deadline grpc reports hundreds of years, too many milliseconds.
        timeout = min(context.time_remaining(), MAX_SECONDS)
        return _answer(context, lambda: predict(self._model, request, timeout))

    def GetModelMetadata(self, request, context):
        return _answer(context, lambda: model_metadata(self._model, request))

    Classify = Regress = MultiInference = _unimplemented


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, model: ServedModel):
        self._model = model

    def GetModelStatus(self, request, context):
        return _answer(context, lambda: model_status(self._model, request))

    HandleReloadConfigRequest = _unimplemented


def create_server(
    model: ServedModel, host: str, port: int, num_threads: int
) -> tuple[grpc.Server, int]:
    """Bind a gRPC server; the caller starts and stops it.

    Args:
        model: what to serve.
        host: address to bind.
        port: TCP port, 0 lets the operating system choose.
        num_threads: requests worked on at a time; more wait in line.

    Returns:
        The server and its port.

    Raises:
        OSError: the port is in use.
    """
    options = [
        # Without this a second server would share the port and take half the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", -1),
    ]
    pool = futures.ThreadPoolExecutor(num_threads)
    server = grpc.server(pool, options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(model), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _ModelService(model), server
    )
    try:
        return server, server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(
            f"cannot listen on {host}:{port} (gRPC): port in use? choose another --port"
        ) from error
