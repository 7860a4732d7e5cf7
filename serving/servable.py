"""SavedModel versions behind the TensorFlow Serving API: load, choose, run.

A version is loaded and run through `tf.compat.v1.Session`, the path TensorFlow Serving
itself takes, so an export that only works in Python fails here too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from serving import request_checks
from serving.request_checks import Limits, ServingError, invalid_argument

DEFAULT_SIGNATURE = "serving_default"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MAX_WARMUP_RECORDS = 1000
_METHODS = tuple(f"tensorflow/serving/{m}" for m in ("predict", "classify", "regress"))
_STATUS = {status.value[0]: status for status in grpc.StatusCode}


class Servable:
    """One loaded version of a SavedModel; `predict` may be called from many threads.

    Args:
        directory: version directory, its name is the version number.
        limits: largest request accepted.
        config: session configuration (thread counts).

    Raises:
        ValueError: not a loadable SavedModel, or a warm-up record fails.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits,
        config: tf.compat.v1.ConfigProto | None = None,
    ):
        self.version = int(directory.name)
        self._limits = limits
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            self.signatures = self._load(directory)
            self._replay_warmup(directory / WARMUP_FILE)
        except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
            self.close()
            raise ValueError(f"cannot serve {directory}: {error}") from error

    def _load(self, directory: Path) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        with self._session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(
                self._session, [tf.saved_model.SERVING], str(directory)
            )
        return meta_graph.signature_def

    def _replay_warmup(self, path: Path) -> None:
        if not path.exists():
            return
        for count, record in enumerate(tf.data.TFRecordDataset(str(path))):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            if count == MAX_WARMUP_RECORDS or not log.HasField("predict_log"):
                raise ValueError(
                    f"warm-up record {count} of {path}: expected at most "
                    f"{MAX_WARMUP_RECORDS} records, all of them predict_log"
                )
            try:
                self.predict(log.predict_log.request)
            except ServingError as error:
                raise ValueError(f"warm-up record {count} fails: {error}") from error

    def close(self) -> None:
        """Release the session; requests under way must have ended."""
        self._session.close()

    def predict(
        self, request: predict_pb2.PredictRequest, timeout: float | None = None
    ) -> dict[str, np.ndarray]:
        """Check `request` against its signature and run it.

        Args:
            request: inputs by alias, signature (empty: serving_default), output filter.
            timeout: seconds until DEADLINE_EXCEEDED; None waits.

        Returns:
            Output arrays by alias.

        Raises:
            ServingError: with the status TensorFlow Serving would give.
        """
        signature = self._signature(request.model_spec.signature_name)
        feeds = request_checks.feeds(signature, request, self._limits)
        fetches = request_checks.fetches(signature, request.output_filter)
        options = None
        if timeout is not None:
            milliseconds = max(1, math.ceil(1000 * timeout))
            options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
        try:
            return self._session.run(fetches, feeds, options=options)
        except tf.errors.OpError as error:
            # Session.run re-raises with Python's account of the graph in the message;
            # TensorFlow Serving sends the runtime's own.
            message = getattr(error.__context__, "message", error.message)
            raise ServingError(_STATUS[error.error_code], message) from error

    def _signature(self, name: str) -> meta_graph_pb2.SignatureDef:
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f'Serving signature key "{name}" not found.',
            )
        signature = self.signatures[name]
        if signature.method_name not in _METHODS:
            raise ServingError(
                grpc.StatusCode.INTERNAL,
                "Expected prediction signature method_name to be one of "
                f"{{{', '.join(_METHODS)}}}. Was: {signature.method_name}",
            )
        return signature


def chosen_versions(base_path: Path, specific: Iterable[int] = ()) -> dict[int, Path]:
    """Version policy: the latest version under `base_path`, and the `specific` ones.

    Returns:
        Version -> directory, ascending.

    Raises:
        FileNotFoundError: no such base path, no version in it, or not a specific one.
    """
    if not base_path.is_dir():
        raise FileNotFoundError(f"model base path {base_path} is not a directory")
    found = {
        int(entry.name): entry
        for entry in base_path.iterdir()
        if entry.is_dir() and entry.name.isascii() and entry.name.isdigit()
    }
    if not found:
        raise FileNotFoundError(
            f"no version under {base_path}: expected directories named 1, 2, ..."
        )
    absent = sorted(set(specific) - set(found))
    if absent:
        raise FileNotFoundError(
            f"no version {absent[0]} under {base_path}: found {sorted(found)}"
        )
    return {v: found[v] for v in sorted({max(found), *specific})}


@dataclass
class ServedModel:
    """The loaded versions of one named model."""

    name: str
    servables: dict[int, Servable] = field(default_factory=dict)

    def resolve(self, spec: model_pb2.ModelSpec) -> Servable:
        """Return the version that `spec` asks for; without one, the latest.

        Raises:
            ServingError: empty or unknown name, version or label.
        """
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version_label":
            raise invalid_argument(
                f"Unrecognized servable version label: {spec.version_label}"
            )
        wanted = f"Latest({spec.name})"
        version = max(self.servables)
        if spec.HasField("version"):
            version = spec.version.value
            wanted = f"Specific({spec.name}, {version})"
        if spec.name != self.name or version not in self.servables:
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}"
            )
        return self.servables[version]

    def versions(self, spec: model_pb2.ModelSpec) -> list[int]:
        """Return the versions whose status `spec` asks for.

        Raises:
            ServingError: unknown name or version.
        """
        known = sorted(self.servables) if spec.name == self.name else []
        if spec.HasField("version"):
            if spec.version.value not in known:
                raise ServingError(
                    grpc.StatusCode.NOT_FOUND,
                    f"Could not find version {spec.version.value} of model {spec.name}",
                )
            return [spec.version.value]
        if not known:
            raise ServingError(
                grpc.StatusCode.NOT_FOUND,
                f"Could not find any versions of model {spec.name}",
            )
        return known

    def close(self) -> None:
        """Release every version."""
        for servable in self.servables.values():
            servable.close()
