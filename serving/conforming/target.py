"""The endpoint that `serving.conformance` asks: what it serves, and its answers."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.codec.framing import FORMATS
from serving.ue_side.decoder_client import open_channel

SIGNATURES = {
    "serving_default": "feedback_bytes",
    "decode_u8": "packed",
    "decode_indices": "indices",
    "decode_float": "codeword",
}
UPLINK = "uplink"
_MAX_FILLED_ROWS = 1024


class Answer(NamedTuple):
    """Status (a gRPC name, or an HTTP number as text) and the message or a summary."""

    code: str
    text: str


def tensor(dtype: tf.DType, shape, **fields) -> tensor_pb2.TensorProto:
    """A TensorProto as declared, whether or not its content fits its shape."""
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def _takes_octets(signatures: Mapping) -> bool:
    if "serving_default" not in signatures:
        return False
    inputs = signatures["serving_default"].inputs
    return inputs["feedback_bytes"].dtype == tf.uint8.as_datatype_enum


class Target:
    """A served decoder; shapes are learned from its metadata.

    Args:
        endpoint: host:port of gRPC.
        rest: host:port of REST.
        model: name to ask for.
        timeout: seconds to wait for one answer.
        credentials: of TLS on gRPC; None: plain.

    Raises:
        ConnectionError: nothing answers at `endpoint`.
        ValueError: no such model there, or it has not the signatures of a decoder.
    """

    def __init__(
        self,
        endpoint: str,
        rest: str,
        model: str,
        timeout: float = 60,
        credentials: grpc.ChannelCredentials | None = None,
    ):
        self.model, self._rest, self._timeout = model, rest, timeout
        self.channel = open_channel(endpoint, credentials)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.signatures = self._learn(endpoint)
        self.octets = _takes_octets(self.signatures)
        self.has_uplink = UPLINK in self.signatures["serving_default"].inputs

    def _learn(self, endpoint: str) -> Mapping:
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        request.model_spec.name = self.model
        request.metadata_field.append("signature_def")
        try:
            response = self.stub.GetModelMetadata(request, timeout=self._timeout)
        except grpc.RpcError as error:
            if error.code() in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ):
                raise ConnectionError(
                    f"no answer from {endpoint} ({error.code().name}): is the server "
                    "running? --endpoint is its gRPC port, --tls_ca for TLS"
                ) from error
            raise ValueError(f"{endpoint}: {error.details()}: --model_name?") from error
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        found = signatures.signature_def
        missing = [name for name in SIGNATURES if name not in found]
        if missing and not _takes_octets(found):
            raise ValueError(
                f"model {self.model} at {endpoint} has signatures {sorted(found)}: "
                f"expected those of python -m zoo.export, {sorted(SIGNATURES)}"
            )
        return found

    def lacks(self, *signatures: str, strings: bool = False) -> str:
        """Why a row is not run that needs signatures, or frames as strings; ''.

        What runs a `model.tflite` has one signature, and frames as rows of bytes.
        """
        if strings and self.octets:
            return "frames are rows of bytes here"
        missing = [name for name in signatures if name not in self.signatures]
        return f"no signature {', '.join(missing)}" if missing else ""

    def frames(self, frames: list[bytes]) -> list[bytes] | np.ndarray:
        """Frames as the endpoint takes them; of one length, where that is bytes."""
        if not self.octets:
            return frames
        return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1)

    @property
    def frame_bytes(self) -> int:
        """Length of a frame."""
        if self.octets:
            return self.width("serving_default")
        version = 2 if "sequence" in self.signatures["serving_default"].outputs else 1
        return self.width("decode_u8") + FORMATS[version].overhead_bytes

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()

    def width(self, signature: str) -> int:
        """Entries in a row of the signature's own input (bytes, indices, floats).

        1 of a signature that is not there, whose rows are not run.
        """
        if signature not in self.signatures:
            return 1
        info = self.signatures[signature].inputs[SIGNATURES[signature]]
        return info.tensor_shape.dim[1].size

    def aliases(self, *names: str) -> str:
        """Names as messages list them, with the uplink where the decoder takes it."""
        names += (UPLINK,) * self.has_uplink
        return "{" + ",".join(sorted(names)) + "}"

    def request(self, signature: str = "", **inputs) -> predict_pb2.PredictRequest:
        """A request; the uplink is added with as many rows as the first input."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        rows = 1
        for alias, value in inputs.items():
            if not isinstance(value, tensor_pb2.TensorProto):
                value = tf.make_tensor_proto(value)
            request.inputs[alias].CopyFrom(value)
            sizes = [dim.size for dim in value.tensor_shape.dim] or [1]
            rows = min(max(sizes[0], 0), _MAX_FILLED_ROWS)
        if self.has_uplink and inputs:
            dims = self.signatures["serving_default"].inputs[UPLINK].tensor_shape.dim
            shape = [rows, *(dim.size for dim in dims[1:])]
            zeros = tensor(tf.float32, shape, float_val=[0])
            request.inputs[UPLINK].CopyFrom(zeros)
        return request

    def zeros(self, signature: str, rows: int) -> np.ndarray:
        """Valid input for `decode_u8`, `decode_indices` or `decode_float`."""
        if signature not in self.signatures:
            return np.zeros((rows, 1), np.float32)
        info = self.signatures[signature].inputs[SIGNATURES[signature]]
        dtype = tf.as_dtype(info.dtype).as_numpy_dtype
        return np.zeros((rows, self.width(signature)), dtype)

    def predict(self, request: Message, timeout: float | None = None) -> Answer:
        """Send one Predict request."""
        return self.call(self.stub.Predict, request, timeout)

    def call(self, method, request, timeout: float | None = None) -> Answer:
        """Call a gRPC method; `timeout` in seconds overrides the target's."""
        try:
            response = method(request, timeout=timeout or self._timeout)
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "")
        return Answer("OK", summary(response))

    def raw(self, path: str, message: bytes) -> Answer:
        """Send bytes that need not be a message to any gRPC path."""
        method = self.channel.unary_unary(path)
        try:
            response = method(message, timeout=self._timeout)
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "")
        return Answer("OK", response.hex())

    def http(self, method: str, path: str, document=None) -> Answer:
        """Send one REST request; `document` is a body as it is, or JSON to be."""
        body = document
        if document is not None and not isinstance(document, (str, bytes)):
            body = json.dumps(document)
        connection = http.client.HTTPConnection(self._rest, timeout=self._timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return Answer("none", f"{type(error).__name__}: {error}")
        finally:
            connection.close()
        return Answer(str(answer.status), _rest_text(content))


def summary(response: Message) -> str:
    """What a row looks at in a good answer: rows, valid rows, all finite or not."""
    if not isinstance(response, predict_pb2.PredictResponse):
        return " ".join(str(response).split())
    arrays = {name: tf.make_ndarray(out) for name, out in response.outputs.items()}
    return _outputs_text(arrays)


def _outputs_text(arrays: Mapping[str, np.ndarray]) -> str:
    parts = [f"outputs {','.join(sorted(arrays))}"]
    if "h" in arrays:
        finite = np.isfinite(arrays["h"]).reshape(len(arrays["h"]), -1)
        parts.append(f"rows {len(finite)}")
        parts.append(f"finite {finite.all(1).astype(int).tolist()}")
    if "valid" in arrays:
        parts.append(f"valid {arrays['valid'].astype(int).tolist()}")
    return "; ".join(parts)


def _rest_text(content: str) -> str:
    try:
        document = json.loads(content)
    except ValueError:
        return content
    if not isinstance(document, dict):
        return content
    if "error" in document:
        return str(document["error"])
    if isinstance(document.get("outputs"), dict):
        document["predictions"] = [document["outputs"]]
    columns = document.get("predictions")
    if not columns or not isinstance(columns[0], dict):
        return content
    if "outputs" in document:
        values = columns[0]
    else:
        values = {name: [r[name] for r in columns] for name in columns[0]}
    # As floats: our server writes null where there is no number.
    arrays = {name: np.array(found, float) for name, found in values.items()}
    return _outputs_text(arrays)
