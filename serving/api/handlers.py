"""Answers of the TensorFlow Serving API, the same for gRPC and REST."""

from __future__ import annotations

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from serving.api.load import Load
from serving.models import model_config
from serving.models.model_manager import ModelManager
from serving.models.monitoring import Metrics
from serving.models.request_checks import ServingError, invalid_argument
from serving.models.servable import DEFAULT_SIGNATURE, Servable

MAX_SECONDS = 3600.0
UNKNOWN_MODEL = "(unknown)"


class Handlers:
    """The API over the models of `manager`.

    Args:
        manager: what to serve.
        metrics: counts the requests.

    Attributes:
        load: what clients cost at a time, on both ports.
    """

    def __init__(self, manager: ModelManager, metrics: Metrics):
        self.manager = manager
        self.metrics = metrics
        self.load = Load(manager.runtime.limits)

    def count(self, model_name: str, entrypoint: str):
        """Return a context that counts and times the Predict request inside it."""
        name = model_name if self.manager.has(model_name) else UNKNOWN_MODEL
        return self.metrics.request(name, entrypoint)

    def predict(
        self, request: predict_pb2.PredictRequest, timeout: float | None
    ) -> predict_pb2.PredictResponse:
        """Answer one Predict request; `timeout` in seconds, None waits.

        Raises:
            ServingError: as TensorFlow Serving refuses it.
        """
        require_spec(request)
        with self.manager.use(request.model_spec) as servable:
            return self.run(servable, request, timeout)

    def run(
        self,
        servable: Servable,
        request: predict_pb2.PredictRequest,
        timeout: float | None,
    ) -> predict_pb2.PredictResponse:
        """Answer one Predict request with a version that `manager.use` gave.

        Raises:
            ServingError: as TensorFlow Serving refuses it.
        """
        if timeout is not None:
            # Without a deadline grpc reports hundreds of years, too many milliseconds.
            timeout = min(timeout, MAX_SECONDS)
        outputs = servable.predict(request, timeout)
        self.metrics.count_rows(servable.model_name, outputs)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = servable.version
        signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        response.model_spec.signature_name = signature_name
        for alias, array in outputs.items():
            fill_tensor(response.outputs[alias], np.asarray(array))
        return response

    def model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answer one GetModelStatus request.

        Raises:
            ServingError: no model spec, unknown model, version or label.
        """
        require_spec(request)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self.manager.versions(request.model_spec):
            status = response.model_version_status.add(version=version.number)
            status.state = version.state
            status.status.SetInParent()
            if version.error:
                status.status.error_code = grpc.StatusCode.UNKNOWN.value[0]
                status.status.error_message = version.error
        return response

    def model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answer one GetModelMetadata request with the signature definitions.

        Raises:
            ServingError: no model spec, unknown model, or a field but "signature_def".
        """
        require_spec(request)
        if not request.metadata_field:
            raise invalid_argument(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for name in request.metadata_field:
            if name != "signature_def":
                raise invalid_argument(f"Metadata field {name} is not supported")
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self.manager.use(request.model_spec) as servable:
            for name, signature in servable.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = servable.version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def reload_config(
        self, request: model_management_pb2.ReloadConfigRequest
    ) -> model_management_pb2.ReloadConfigResponse:
        """Answer one HandleReloadConfigRequest, once its models are loaded.

        Raises:
            ServingError: not a list of models, one that is not to be found, a label on
                a version that is not loaded, or a model that does not load.
        """
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported"
            )
        try:
            configs = model_config.check(request.config.model_config_list)
        except ValueError as error:
            raise invalid_argument(str(error)) from error
        self.manager.apply(configs)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response


def require_spec(request) -> None:
    """Refuse a request without a model spec.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


def fill_tensor(tensor: tensor_pb2.TensorProto, array: np.ndarray) -> None:
    """Write `array` into an empty `tensor`, numbers as their bytes.

    Raises:
        ServingError: an array that no TensorProto can hold.
    """
    if array.dtype.kind in "OSU":
        try:
            tensor.CopyFrom(tf.make_tensor_proto(array))
        except (TypeError, ValueError) as error:
            raise ServingError(grpc.StatusCode.INTERNAL, str(error)) from error
        return
    tensor.dtype = tf.as_dtype(array.dtype).as_datatype_enum
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = array.tobytes()
