"""One SavedModel version behind the TensorFlow Serving API: verify, load, run.

It is loaded and run through `tf.compat.v1.Session`, the path TensorFlow Serving
itself takes, so an export that only works in Python fails here too. Where that is
preferred its `model.tflite`, if it has one, is run by LiteRT.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from serving.codec import checksums
from serving.models import allowed_ops, lite_session, request_checks, warmup_records
from serving.models.batching import BatchQueue, BatchScheduler
from serving.models.lite_session import LiteSession
from serving.models.request_checks import Limits, ServingError

DEFAULT_SIGNATURE = "serving_default"
_METHODS = tuple(f"tensorflow/serving/{m}" for m in ("predict", "classify", "regress"))
_STATUS = {status.value[0]: status for status in grpc.StatusCode}


def return_free_memory() -> None:
    """Give what glibc holds free back to the system, tens of MB behind a reload."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(frozen=True)
class Runtime:
    """What the versions of a server share.

    Attributes:
        limits: largest request accepted.
        session_config: of each version's session (thread counts).
        scheduler: runs requests in batches; None: one by one.
        allowed_ops: operations that a graph may have; None: all.
        prefer_tflite: run `model.tflite` where a version has it.
    """

    limits: Limits = Limits()
    session_config: tf.compat.v1.ConfigProto | None = None
    scheduler: BatchScheduler | None = None
    allowed_ops: frozenset[str] | None = allowed_ops.DEFAULT
    prefer_tflite: bool = False


class Servable:
    """One loaded version of a SavedModel; `predict` may be called from many threads.

    Args:
        directory: version directory, its name is the version number.
        runtime: limits, session configuration, batching.
        model_name: for the metrics.

    Raises:
        ValueError: damaged, not a loadable SavedModel, one whose graph does more than
            it may, or a warm-up record fails or is answered otherwise.
    """

    def __init__(
        self, directory: Path, runtime: Runtime | None = None, model_name: str = ""
    ):
        checksums.verify(directory, ["saved_model.pb"])
        self.version = int(directory.name)
        self.model_name = model_name
        self._runtime = runtime or Runtime()
        self._queues: dict[tuple[str, frozenset[str]], BatchQueue] = {}
        self._session = None
        try:
            self.signatures = self._load(directory)
            self._replay_warmup(directory / warmup_records.FILE)
        except Exception as error:  # whatever it is, the session must not be left
            self.close()
            raise ValueError(f"cannot serve {directory}: {error}") from error

    def _load(self, directory: Path) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        config, lite = self._runtime.session_config, directory / lite_session.FILE
        if self._runtime.prefer_tflite and lite.is_file():
            self._session = LiteSession(lite, config)
            return self._session.signatures
        allowed_ops.check(directory, self._runtime.allowed_ops)
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        with self._session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(
                self._session, [tf.saved_model.SERVING], str(directory)
            )
        return meta_graph.signature_def

    def _replay_warmup(self, path: Path) -> None:
        if not path.exists():
            return
        for count, log in enumerate(warmup_records.read(path)):
            try:
                other = warmup_records.difference(log, self.predict(log.request))
            except ServingError as error:
                raise ValueError(f"warm-up record {count} fails: {error}") from error
            if other:
                raise ValueError(
                    f"warm-up record {count} is answered otherwise: {other}; the "
                    "version is damaged, or this machine computes wrongly"
                )

    def close(self) -> None:
        """Release the session and its graph; requests under way must have ended."""
        if self._session is not None:
            self._session.close()
        self._session = None
        self._queues.clear()
        # The graph is part of reference cycles: uncollected, each reload costs 10 MB.
        gc.collect()
        return_free_memory()

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
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = self._signature(name)
        feeds = request_checks.feeds(signature, request, self._runtime.limits)
        fetches = request_checks.fetches(signature, request.output_filter)
        if self._runtime.scheduler is None or not feeds:
            return self._run(fetches, feeds, timeout)
        return self._queue(name, fetches).submit(feeds, timeout)

    def _queue(self, signature_name: str, fetches: dict[str, str]) -> BatchQueue:
        key = signature_name, frozenset(fetches)
        if key not in self._queues:
            run = partial(self._run, fetches)
            queue = BatchQueue(self._runtime.scheduler, self.model_name, run)
            self._queues.setdefault(key, queue)
        return self._queues[key]

    def _run(
        self,
        fetches: dict[str, str],
        feeds: Mapping[str, np.ndarray],
        timeout: float | None,
    ) -> dict[str, np.ndarray]:
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
