"""Answers of the TensorFlow Serving REST API, as JSON documents."""

from __future__ import annotations

import re
from urllib.parse import unquote

from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from serving.api import json_answer, json_tensor
from serving.api.handlers import Handlers
from serving.models.request_checks import invalid_argument

MAX_DIGITS = 19  # of a 63-bit number; Python refuses to read 4,300 and more
_MODEL = r"(?i)/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
PREDICT_PATH = re.compile(_MODEL + r":(classify|regress|predict)")
STATUS_PATH = re.compile(_MODEL + r"(?:/(metadata))?")


def model_spec(match: re.Match) -> model_pb2.ModelSpec:
    """Return the model, and its version or label, that a path names.

    Raises:
        ServingError: no number of a version.
    """
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
        limits = handlers.manager.runtime.limits
        row_form = json_tensor.fill_inputs(document, inputs, request, limits)
        response = handlers.run(servable, request, timeout)
    if row_form:
        return {"predictions": json_answer.rows(response.outputs)}
    return {"outputs": json_answer.columns(response.outputs)}


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
