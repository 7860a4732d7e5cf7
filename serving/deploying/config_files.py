"""The text files a TensorFlow Serving deployment is configured with, as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.deploying.warmup import BATCH_SIZES
from serving.models import serving_protos

MODELS_ROOT, CONFIG_ROOT, SECRETS_ROOT = "/models", "/config", "/secrets"
GRPC_PORT, REST_PORT = 8500, 8501
VERSION_LABELS = ("stable", "canary")
METRICS_PATH = "/monitoring/prometheus/metrics"


def model_server_config(
    models: Mapping[str, Sequence[int]], before: Message | None = None
) -> Message:
    """models.config: the versions of each model, the first two labelled.

    The first one is `stable`, the second `canary`; a request that names neither gets
    the highest number. A server refuses a file that moves a label to a version it has
    not loaded yet. So a label moves only to a version that `before` lists; otherwise it
    stays, and the version it is on is served too.

    Args:
        models: name -> versions to serve.
        before: the models.config that the servers have now.
    """
    config = model_server_config_pb2.ModelServerConfig()
    old = {}
    if before:
        old = {entry.name: entry for entry in before.model_config_list.config}
    for name, versions in models.items():
        entry = config.model_config_list.config.add(
            name=name, base_path=f"{MODELS_ROOT}/{name}", model_platform="tensorflow"
        )
        labels = dict(zip(VERSION_LABELS, versions, strict=False))
        if name in old:
            loaded = old[name].model_version_policy.specific.versions
            for label in set(labels) & set(old[name].version_labels):
                if labels[label] not in loaded:
                    labels[label] = old[name].version_labels[label]
        entry.version_labels.update(labels)
        served = dict.fromkeys([*labels.values(), *versions])
        entry.model_version_policy.specific.versions.extend(served)
    return config


def batching_parameters(threads: int, timeout_micros: int = 500) -> Message:
    """batching_parameters.txt: batches of the sizes that are warmed up."""
    return serving_protos.BatchingParameters(
        max_batch_size={"value": max(BATCH_SIZES)},
        batch_timeout_micros={"value": timeout_micros},
        max_enqueued_batches={"value": 64},
        num_batch_threads={"value": threads},
        thread_pool_name={"value": "csi_decoder_batch"},
        allowed_batch_sizes=BATCH_SIZES,
    )


def monitoring_config() -> Message:
    """monitoring.config: the Prometheus page on the REST port."""
    prometheus = {"enable": True, "path": METRICS_PATH}
    return serving_protos.MonitoringConfig(prometheus_config=prometheus)


def session_config(threads: int) -> Message:
    """session.config: one thread an operation, requests share the cores.

    The convolutions of a decoder are too small to be split: two threads for one request
    took longer than one.
    """
    return config_pb2.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=threads
    )


def ssl_config(key: Path, certificate: Path, custom_ca: Path | None = None) -> Message:
    """ssl.config: PEM files inline; with `custom_ca` clients need a certificate.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not PEM.
    """
    texts = {"server_key": key, "server_cert": certificate, "custom_ca": custom_ca}
    pems = {
        name: path.read_text(encoding="utf-8") for name, path in texts.items() if path
    }
    for name, pem in pems.items():
        if "-----BEGIN " not in pem:
            raise ValueError(f"{texts[name]}: expected a PEM file for {name}")
    return serving_protos.SSLConfig(client_verify=custom_ca is not None, **pems)


def text(message: Message) -> str:
    """Text form of a message, as the servers read it."""
    return text_format.MessageToString(message)


def server_flags(with_tls: bool) -> list[str]:
    """Command line of `tensorflow_model_server` for the files above."""
    flags = [
        f"--port={GRPC_PORT}",
        f"--rest_api_port={REST_PORT}",
        f"--model_config_file={CONFIG_ROOT}/models.config",
        "--model_config_file_poll_wait_seconds=60",
        "--allow_version_labels_for_unavailable_models=true",
        "--enable_batching=true",
        f"--batching_parameters_file={CONFIG_ROOT}/batching_parameters.txt",
        f"--monitoring_config_file={CONFIG_ROOT}/monitoring.config",
        f"--tensorflow_session_config_file={CONFIG_ROOT}/session.config",
        "--enable_grpc_healthcheck_service=true",
        "--enable_serialization_as_tensor_content=true",
        "--enable_profiler=false",
    ]
    if with_tls:
        flags.append(f"--ssl_config_file={SECRETS_ROOT}/ssl.config")
    return flags
