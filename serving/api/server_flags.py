"""Flags of the reference server (TensorFlow Serving's names), and what they build."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from absl import flags
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from serving.models import (
    allowed_ops,
    batching_parameters,
    model_config,
    serving_protos,
)
from serving.models.batching import BatchScheduler
from serving.models.batching_parameters import Parameters
from serving.models.monitoring import Metrics
from serving.models.request_checks import Limits
from serving.models.servable import Runtime
from serving.models.served_model import LoadPolicy

THREADS, BATCHING_THREADS = 16, 64
SPARE_THREADS = 16  # requests on their way to or from a full queue of batches
# Switches of TensorFlow Serving that have one position here.
FIXED = {
    "enable_grpc_healthcheck_service": True,
    "enable_serialization_as_tensor_content": True,
    "enable_profiler": False,
}


def define() -> None:
    """Define all flags."""
    _define_model_flags()
    flags.DEFINE_string("host", "127.0.0.1", "Address to bind.")
    flags.DEFINE_integer("port", 8500, "gRPC port; 0: any free port.")
    flags.DEFINE_integer("rest_api_port", 8501, "REST port; 0: any free; -1: off.")
    flags.DEFINE_integer("rest_api_timeout_in_ms", 30000, "REST deadline.")
    flags.DEFINE_integer(
        "num_threads",
        None,
        f"Requests worked on at a time, per API [{THREADS}; with batching at least "
        f"{BATCHING_THREADS}, and enough to fill the queue of batches].",
    )
    flags.DEFINE_integer(
        "max_concurrent_rpcs", 1024, "gRPC requests at work or in line."
    )
    flags.DEFINE_integer("max_request_rows", Limits.rows, "Largest rows of a request.")
    flags.DEFINE_integer(
        "max_request_bytes", Limits.request_bytes, "Largest message, and tensor in it."
    )
    flags.DEFINE_bool("enable_batching", False, "Merge waiting requests into batches.")
    flags.DEFINE_string("batching_parameters_file", None, "Text BatchingParameters.")
    flags.DEFINE_string(
        "monitoring_config_file", None, "Text MonitoringConfig: Prometheus page (REST)."
    )
    flags.DEFINE_string(
        "ssl_config_file", None, "Text SSLConfig: TLS for gRPC; REST stays plain."
    )
    flags.DEFINE_string("tensorflow_session_config_file", None, "Text ConfigProto.")
    flags.DEFINE_integer("tensorflow_intra_op_parallelism", 1, "Threads per operation.")
    flags.DEFINE_integer("tensorflow_inter_op_parallelism", 0, "0: one per core.")
    for name, value in FIXED.items():
        flags.DEFINE_bool(name, value, "A switch of TensorFlow Serving, fixed here.")


def _define_model_flags() -> None:
    flags.DEFINE_string("model_base_path", None, "Directory of version directories.")
    flags.DEFINE_string("model_name", "csi_decoder", "Name that requests give.")
    flags.DEFINE_string(
        "model_config_file", None, "Text ModelServerConfig; instead of a base path."
    )
    flags.DEFINE_float(
        "model_config_file_poll_wait_seconds", 0, "Read it again so often; 0: never."
    )
    flags.DEFINE_float(
        "file_system_poll_wait_seconds", 1, "Look for new versions; 0: never."
    )
    flags.DEFINE_integer("max_num_load_retries", 5, "Loads after one that failed.")
    flags.DEFINE_integer(
        "load_retry_interval_micros", 60_000_000, "Between two of them."
    )
    flags.DEFINE_list("allow_ops", [], allowed_ops.FLAG)
    flags.DEFINE_bool(
        "prefer_tflite_model",
        False,
        "Run model.tflite of a version that has it, instead of its SavedModel.",
    )
    flags.DEFINE_bool(
        "allow_version_labels_for_unavailable_models",
        False,
        "New labels may name versions that are not loaded yet (needed at the start).",
    )


def check(values: flags.FlagValues) -> None:
    """Refuse what TensorFlow Serving can be told and this server cannot.

    Raises:
        ValueError: a switch of `FIXED` is in its other position.
    """
    for name, value in FIXED.items():
        if getattr(values, name) != value:
            raise ValueError(
                f"--{name}={str(not value).lower()}: the reference server has no other "
                f"way than --{name}={str(value).lower()}; leave the flag out"
            )


def models(values: flags.FlagValues) -> dict[str, ModelConfig]:
    """Return the models to serve at first, by name.

    Raises:
        OSError: no such file.
        ValueError: both or neither of a base path and a file, or a wrong configuration.
    """
    if (values.model_base_path is None) == (values.model_config_file is None):
        raise ValueError(
            "expected one of --model_base_path and --model_config_file; usage: python "
            "-m serving.server --model_base_path=EXPORT/decoder [--flag=value ...]"
        )
    if values.model_config_file:
        return model_config.read(values.model_config_file)
    return model_config.single(values.model_name, values.model_base_path)


def runtime(values: flags.FlagValues, metrics: Metrics) -> Runtime:
    """Return limits, session configuration and batching; starts the batch threads.

    Raises:
        OSError: no such file.
        ValueError: a wrong file, or flags that exclude each other.
    """
    scheduler = None
    if values.batching_parameters_file and not values.enable_batching:
        raise ValueError("--batching_parameters_file needs --enable_batching")
    config = _session_config(values)
    if values.enable_batching:
        parameters = Parameters()
        if values.batching_parameters_file:
            parameters = batching_parameters.read(values.batching_parameters_file)
        scheduler = BatchScheduler(parameters, metrics)
    limits = Limits(values.max_request_rows, values.max_request_bytes)
    return Runtime(
        limits,
        config,
        scheduler,
        allowed_ops.allowed(values.allow_ops),
        values.prefer_tflite_model,
    )


def _session_config(values: flags.FlagValues) -> tf.compat.v1.ConfigProto:
    names = ("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism")
    if values.tensorflow_session_config_file:
        if any(values[name].present for name in names):
            raise ValueError(
                f"--tensorflow_session_config_file excludes --{' and --'.join(names)}: "
                "write the numbers into the file"
            )
        path = Path(values.tensorflow_session_config_file)
        return serving_protos.read_text(path, tf.compat.v1.ConfigProto)
    return tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=values.tensorflow_intra_op_parallelism,
        inter_op_parallelism_threads=values.tensorflow_inter_op_parallelism,
    )


def load_policy(values: flags.FlagValues) -> LoadPolicy:
    """Return how labels and failing versions are treated."""
    return LoadPolicy(
        labels_for_unavailable=values.allow_version_labels_for_unavailable_models,
        num_retries=values.max_num_load_retries,
        retry_seconds=values.load_retry_interval_micros / 1e6,
    )


def num_threads(values: flags.FlagValues, batching: Parameters | None) -> int:
    """Return the number of requests worked on at a time.

    A request in line for a batch holds its thread: fewer threads than batches in line
    would hide that the queue is full, and clients would wait instead of being refused.
    """
    if values.num_threads is not None:
        return values.num_threads
    if batching is None:
        return THREADS
    batches = batching.max_enqueued_batches + batching.num_batch_threads
    wanted = max(BATCHING_THREADS, batches + SPARE_THREADS)
    return min(wanted, values.max_concurrent_rpcs)
