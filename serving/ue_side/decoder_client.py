"""gRPC client of a served decoder (reference server or TensorFlow Serving)."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.codec.coded_atoms import CodedReceiver
from serving.ue_side import answers

# gRPC accepts answers of 4 MiB by default, 512 CSI of 8 KiB and no more.
MAX_MESSAGE_BYTES = 64 << 20


def channel_options() -> list[tuple[str, int]]:
    """What every channel of ours has: its limits, and the way to its host.

    It goes straight there, whatever `http_proxy` or `https_proxy` say of web pages;
    through a proxy only where `grpc_proxy` names one.
    """
    limits = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
    options = [(limit, MAX_MESSAGE_BYTES) for limit in limits]
    return [*options, ("grpc.enable_http_proxy", int("grpc_proxy" in os.environ))]


def open_channel(
    endpoint: str, credentials: grpc.ChannelCredentials | None = None
) -> grpc.Channel:
    """Open a channel that carries messages of up to 64 MiB both ways.

    Args:
        endpoint: host:port; with TLS the host as the server's certificate names it.
        credentials: of TLS; None: a plain channel.
    """
    if credentials is None:
        return grpc.insecure_channel(endpoint, channel_options())
    return grpc.secure_channel(endpoint, credentials, channel_options())


def decode_request(
    frames: list[bytes] | np.ndarray, uplink: np.ndarray | None = None, **spec
) -> predict_pb2.PredictRequest:
    """Request to decode frames.

    Args:
        frames: one for each CSI; as uint8 `[n, F]` for a `model.tflite`.
        uplink: magnitudes float32 `[n, 32, 32]`, where the decoder takes them.
        **spec: fields of the ModelSpec: name, version_label, signature_name.
    """
    request = predict_pb2.PredictRequest(model_spec=spec)
    octets = isinstance(frames, np.ndarray) and frames.dtype == np.uint8
    dtype = tf.uint8 if octets else tf.string
    inputs = {"feedback_bytes": tf.make_tensor_proto(frames, dtype)}
    if uplink is not None:
        inputs["uplink"] = tf.make_tensor_proto(uplink, tf.float32)
    for alias, tensor in inputs.items():
        request.inputs[alias].CopyFrom(tensor)
    return request


class Decoder:
    """A served decoder.

    Args:
        endpoint: host:port of the gRPC server.
        model_name: model to ask for.
        timeout: seconds to wait for one answer.
        label: version label to ask for, such as `stable`; empty: the latest version.
        credentials: of TLS; None: a plain connection.
        csi_shape: of one CSI, that answers must have; None: any.

    Raises:
        ConnectionError: nothing answers at `endpoint`.
        ValueError: the server does not have the model.
    """

    def __init__(
        self,
        endpoint: str,
        model_name: str,
        timeout: float,
        label: str = "",
        credentials: grpc.ChannelCredentials | None = None,
        csi_shape: Sequence[int] | None = None,
    ):
        self._csi_shape = None if csi_shape is None else tuple(csi_shape)
        self._endpoint, self._timeout = endpoint, timeout
        self._hint = "where it has TLS: --tls_ca"
        if credentials:
            self._hint = "does its certificate name this host, signed by --tls_ca?"
        self._spec = {"name": model_name}
        if label:
            self._spec["version_label"] = label
        self._channel = open_channel(endpoint, credentials)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model_name
        try:
            self._call(models.GetModelStatus, request)
        except (ConnectionError, ValueError):
            self.close()
            raise

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, from any thread; a call under way ends."""
        self._channel.close()

    def decode(
        self, frames: list[bytes], uplink: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode frames to CSI float32 `[n, 32, 32, 2]` and valid bool `[n]`.

        A row that is not valid is NaN, one that is not finite is not valid.

        Args:
            frames: one for each CSI.
            uplink: magnitudes float32 `[n, 32, 32]`, where the decoder takes them.

        Raises:
            ConnectionError: the server has gone or is too slow.
            ValueError: the server refuses the request, or answers another one.
        """
        if self._octets:
            return self._decode_octets(frames, uplink, *self._octets)
        request = decode_request(frames, uplink, **self._spec)
        return self._answer(request, len(frames), frames)

    @functools.cached_property
    def _octets(self) -> tuple:
        """Bytes of a frame and shape of a CSI, where frames are sent as rows of bytes.

        Nothing where they are strings, also where the server does not say.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=["signature_def"]
        )
        try:
            answer = self._call(self._stub.GetModelMetadata, request)
            found = get_model_metadata_pb2.SignatureDefMap()
            answer.metadata["signature_def"].Unpack(found)
        except (ValueError, DecodeError):
            return ()
        signature = found.signature_def["serving_default"]
        source, h = signature.inputs["feedback_bytes"], signature.outputs["h"]
        octets = source.tensor_shape.dim
        if source.dtype != tf.uint8.as_datatype_enum or len(octets) != 2:
            return ()
        sizes = self._csi_shape or [dim.size for dim in h.tensor_shape.dim[1:]]
        return octets[1].size, sizes

    def _decode_octets(self, frames, uplink, size, shape):
        """As `decode`; a frame of another length is not sent and not valid."""
        valid = np.array([len(frame) == size for frame in frames], bool)
        h = np.full((len(frames), *shape), np.nan, np.float32)
        if valid.any():
            sent = [frame for frame, good in zip(frames, valid, strict=True) if good]
            rows = np.frombuffer(b"".join(sent), np.uint8).reshape(-1, size)
            side = None if uplink is None else uplink[valid]
            request = decode_request(rows, side, **self._spec)
            h[valid], valid[valid] = self._answer(request, len(sent), sent)
        return h, valid

    def decode_codewords(self, codeword: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `decode`, of codewords float32 `[n, M]` that came another way."""
        spec = {**self._spec, "signature_name": "decode_float"}
        request = predict_pb2.PredictRequest(model_spec=spec)
        request.inputs["codeword"].CopyFrom(tf.make_tensor_proto(codeword, tf.float32))
        return self._answer(request, len(codeword))

    def _answer(
        self, request, rows: int, frames: Sequence[bytes] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        outputs = self._call(self._stub.Predict, request).outputs
        try:
            if frames:
                answers.check_numbers(outputs, frames)
            return answers.read(outputs, rows, self._csi_shape)
        except ValueError as error:
            raise ValueError(f"{self._endpoint}: {error}") from error

    def _call(self, method, request):
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            if code in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.CANCELLED,  # by the server, or by `close`
            ):
                raise ConnectionError(
                    f"no answer from {self._endpoint} ({code.name}): is the server "
                    "running? python -m serving.server --model_base_path=...; "
                    f"{self._hint}"
                ) from error
            raise ValueError(f"{self._endpoint}: {code.name}: {details}") from error


class CodedDecoder:
    """A served decoder of coded reports: what they hold is read before it.

    Args:
        decoder: the served one, of the same export.
        receiver: reads the frames.
    """

    def __init__(self, decoder: Decoder, receiver: CodedReceiver):
        self._decoder, self._receiver = decoder, receiver

    def close(self) -> None:
        """Close the connection."""
        self._decoder.close()

    def decode(
        self, frames: list[bytes], uplink: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode frames as `Decoder.decode` does; there is no uplink.

        Raises:
            ConnectionError, ValueError: as `Decoder.decode`.
        """
        codeword, valid = self._receiver.codewords(frames)
        h = np.full((len(frames), *self._receiver.csi_shape), np.nan, np.float32)
        if valid.any():
            h[valid], valid[valid] = self._decoder.decode_codewords(codeword[valid])
        return h, valid
