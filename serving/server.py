"""Reference server with the TensorFlow Serving API, for development and tests.

    python -m serving.server --model_base_path=export/crnet/decoder \
        --model_name=csi_decoder --port=8500 --rest_api_port=8501

Serves the latest version found under `--model_base_path`, prints one ready line once it
can answer, and on SIGTERM or SIGINT finishes the requests under way and exits with 0.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import tensorflow as tf
from absl import flags

from serving import grpc_service, rest
from serving.request_checks import Limits
from serving.servable import Servable, ServedModel, chosen_versions
from tfds_builders.cli import run

GRACE_SECONDS = 30


def _define_flags() -> None:
    flags.DEFINE_string("model_base_path", None, "Directory of version directories.")
    flags.DEFINE_string("model_name", "csi_decoder", "Name that requests give.")
    flags.DEFINE_list("model_versions", [], "Versions to serve beside the latest.")
    flags.DEFINE_string("host", "127.0.0.1", "Address to bind.")
    flags.DEFINE_integer("port", 8500, "gRPC port; 0: any free port.")
    flags.DEFINE_integer("rest_api_port", 8501, "REST port; 0: any free; -1: off.")
    flags.DEFINE_integer("rest_api_timeout_in_ms", 30000, "REST deadline.")
    flags.DEFINE_integer("num_threads", 16, "Requests worked on at a time, per API.")
    flags.DEFINE_integer("max_batch_size", Limits.rows, "Largest rows of a request.")
    flags.DEFINE_integer("tensorflow_intra_op_parallelism", 1, "Threads per operation.")
    flags.DEFINE_integer("tensorflow_inter_op_parallelism", 0, "0: one per core.")
    flags.mark_flag_as_required("model_base_path")


def load_model(
    name: str,
    base_path: Path,
    specific: list[int],
    limits: Limits,
    config: tf.compat.v1.ConfigProto,
) -> ServedModel:
    """Load the latest version under `base_path` and the `specific` ones.

    Raises:
        FileNotFoundError: no base path or no such version.
        ValueError: a version does not load, or its warm-up fails.
    """
    model = ServedModel(name)
    for version, directory in chosen_versions(base_path, specific).items():
        model.servables[version] = Servable(directory, limits, config)
    return model


def _model_from_flags(values: flags.FlagValues) -> ServedModel:
    if not all(version.isdecimal() for version in values.model_versions):
        raise ValueError(
            f"--model_versions={','.join(values.model_versions)}: expected numbers"
        )
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=values.tensorflow_intra_op_parallelism,
        inter_op_parallelism_threads=values.tensorflow_inter_op_parallelism,
    )
    return load_model(
        values.model_name,
        Path(values.model_base_path),
        [int(version) for version in values.model_versions],
        Limits(rows=values.max_batch_size),
        config,
    )


def _rest_server(model: ServedModel, values: flags.FlagValues) -> rest.RestServer:
    seconds = values.rest_api_timeout_in_ms / 1000
    return rest.RestServer(
        model, values.host, values.rest_api_port, values.num_threads, seconds
    )


def main(argv: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    values = flags.FLAGS
    tf.get_logger().setLevel("ERROR")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    model = _model_from_flags(values)
    grpc_server, port = grpc_service.create_server(
        model, values.host, values.port, values.num_threads
    )
    rest_server = _rest_server(model, values) if values.rest_api_port >= 0 else None
    grpc_server.start()
    rest_at = "off"
    if rest_server:
        threading.Thread(target=rest_server.serve_forever).start()
        rest_at = f"{values.host}:{rest_server.server_port}"
    print(
        f"serving {model.name} version {max(model.servables)} "
        f"on grpc {values.host}:{port}, rest {rest_at}",
        flush=True,
    )
    stop.wait()
    finished = grpc_server.stop(GRACE_SECONDS)
    if rest_server:
        rest_server.shutdown()
        rest_server.server_close()
    finished.wait()
    model.close()


if __name__ == "__main__":
    _define_flags()
    run(main)
