"""Does a running server answer as the versions of a deployment did when it was written?

TensorFlow Serving replays the warm-up requests and leaves their answers alone, so a
version that was damaged on its way answers wrongly without a word. This asks it the
same requests over the network and compares.
"""

from __future__ import annotations

from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.models import serving_protos, warmup_records
from serving.ue_side.decoder_client import open_channel


def compare(
    tree: Path,
    endpoint: str,
    timeout: float,
    credentials: grpc.ChannelCredentials | None = None,
) -> list[str]:
    """Ask a server all warm-up requests of the versions that models.config names.

    Args:
        tree: what `python -m serving.deployment` wrote.
        endpoint: host:port of gRPC.
        timeout: seconds to wait for one answer.
        credentials: of TLS; None: a plain connection.

    Returns:
        A line for each version.

    Raises:
        FileNotFoundError: a version or its warm-up file is not in the tree.
        ValueError: a request is refused, answered otherwise or not at all; the message
            names the version.
    """
    config = serving_protos.read_text(
        tree / "config" / "models.config", ModelServerConfig
    )
    lines = []
    with open_channel(endpoint, credentials) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for model in config.model_config_list.config:
            for version in model.model_version_policy.specific.versions:
                place = tree / "models" / model.name / str(version)
                count = _compare(stub, place, model.name, version, timeout)
                lines.append(f"{model.name}/{version}: {count} answers as recorded")
    return lines


def _compare(stub, place: Path, name: str, version: int, timeout: float) -> int:
    path = place / warmup_records.FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; write the deployment again")
    count = 0
    for log in warmup_records.read(path):
        log.request.model_spec.name = name
        log.request.model_spec.version.value = version
        try:
            outputs = stub.Predict(log.request, timeout=timeout).outputs
        except grpc.RpcError as error:
            raise ValueError(
                f"{name}/{version}: {error.code().name}: {error.details()}"
            ) from error
        if not log.response.outputs:
            raise ValueError(f"{path}: no answers on record; write it again")
        found = {key: tf.make_ndarray(value) for key, value in outputs.items()}
        other = warmup_records.difference(log, found)
        if other:
            raise ValueError(
                f"{name}/{version}: request {count} is answered otherwise than when "
                f"{path} was written: {other}; copy the version to the server again"
            )
        count += 1
    return count
