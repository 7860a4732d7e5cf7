"""A small gRPC server inside the test: tiny decoders in NumPy, under any names."""

from __future__ import annotations

from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.codec import bitstream, framing
from tests.support.tiny_export import BITS, NUM_INDICES, decode


class NumpyDecoders(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Served name -> model id of the frames it decodes; `requests` keeps what came."""

    def __init__(self, models: dict[str, bytes]):
        self.models, self.requests = models, []
        self.answers = True

    def GetModelStatus(self, request, context):
        self._require(request, context)
        return get_model_status_pb2.GetModelStatusResponse()

    def Predict(self, request, context):
        self._require(request, context)
        self.requests.append(request)
        frames = tf.make_ndarray(request.inputs["feedback_bytes"])
        valid = np.zeros(len(frames), bool)
        h = np.full((len(frames), 32, 32, 2), np.nan, np.float32)
        for row, frame in enumerate(frames):
            try:
                payload = framing.unframe(frame, self.models[request.model_spec.name])
            except bitstream.BitstreamError:
                continue
            h[row] = decode(bitstream.unpack(payload, NUM_INDICES, BITS)[None])[0]
            valid[row] = True
        response = predict_pb2.PredictResponse()
        response.outputs["h"].CopyFrom(tf.make_tensor_proto(h))
        response.outputs["valid"].CopyFrom(tf.make_tensor_proto(valid))
        return response

    def _require(self, request, context) -> None:
        if request.model_spec.name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        if not self.answers:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not today")


def serve(decoders: NumpyDecoders, port: int = 0) -> tuple[grpc.Server, int]:
    """Start it; the caller stops it."""
    options = [("grpc.so_reuseport", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        decoders, server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(decoders, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port
