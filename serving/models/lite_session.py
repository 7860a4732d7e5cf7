"""`model.tflite` of a version directory, run as a session would be.

As in TensorFlow Serving the file has one signature, `serving_default`, whose names are
those of its tensors, and nothing but TFLite's own operations. Shapes have -1 for the
number of rows, where TensorFlow Serving says 1.
"""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.core.protobuf import meta_graph_pb2

from serving.codec import tflite_sizes
from tfds_builders.untrusted import sizes

FILE = "model.tflite"
PREDICT = "tensorflow/serving/predict"


class LiteSession:
    """Interpreters of one file, one for each core, made when they are needed.

    Args:
        path: of the file.
        config: its `intra_op_parallelism_threads` are those of an interpreter.

    Raises:
        ValueError: not a TFLite file that runs here, or one that is too large.
    """

    def __init__(self, path: Path, config: tf.compat.v1.ConfigProto | None = None):
        self._content = sizes.read_bytes(path)
        tflite_sizes.check(path, self._content)
        self._threads = max(1, config.intra_op_parallelism_threads if config else 1)
        self._free: queue.LifoQueue = queue.LifoQueue()
        for _ in range(1, os.cpu_count() or 1):
            self._free.put(None)
        try:
            first = self._interpreter()
        except RuntimeError as error:  # an operation without a kernel
            raise ValueError(f"{path.name}: {error}") from error
        self._free.put(first)
        self.signatures = {"serving_default": _signature(first)}

    def run(self, fetches: dict[str, str], feeds: Mapping, options=None) -> dict:
        """Outputs by alias; arguments as those of `tf.compat.v1.Session.run`.

        Raises:
            tf.errors.DeadlineExceededError: no interpreter was free in time.
            tf.errors.InternalError: the interpreter refuses the inputs.
        """
        with self._taken(options) as interpreter:
            try:
                _invoke(interpreter, feeds)
            except (ValueError, RuntimeError) as error:
                message = f"Failed to invoke TfLite interpreter: {error}"
                raise tf.errors.InternalError(None, None, message) from error
            outputs = interpreter.get_output_details()
            index = {details["name"]: details["index"] for details in outputs}
            return {
                alias: interpreter.get_tensor(index[name])
                for alias, name in fetches.items()
            }

    def close(self) -> None:
        """Release the interpreters; runs under way must have ended."""
        self._free = queue.LifoQueue()

    def _interpreter(self) -> Interpreter:
        made = Interpreter(model_content=self._content, num_threads=self._threads)
        made.allocate_tensors()
        return made

    @contextlib.contextmanager
    def _taken(self, options) -> Iterator[Interpreter]:
        seconds = options.timeout_in_ms / 1000 if options else None
        try:
            interpreter = self._free.get(timeout=seconds)
        except queue.Empty as error:
            message = "Timed out waiting for an interpreter"
            raise tf.errors.DeadlineExceededError(None, None, message) from error
        try:
            interpreter = interpreter or self._interpreter()
            yield interpreter
        except BaseException:
            interpreter = None  # its tensors may be half made
            raise
        finally:
            self._free.put(interpreter)


def _invoke(interpreter: Interpreter, feeds: Mapping[str, np.ndarray]) -> None:
    inputs = {details["name"]: details for details in interpreter.get_input_details()}
    changed = [name for name in feeds if (*inputs[name]["shape"],) != feeds[name].shape]
    for name in changed:
        interpreter.resize_tensor_input(inputs[name]["index"], feeds[name].shape)
    if changed:
        interpreter.allocate_tensors()
    for name, value in feeds.items():
        interpreter.set_tensor(inputs[name]["index"], value)
    interpreter.invoke()


def _signature(interpreter: Interpreter) -> meta_graph_pb2.SignatureDef:
    signature = meta_graph_pb2.SignatureDef(method_name=PREDICT)
    for infos, tensors in (
        (signature.inputs, interpreter.get_input_details()),
        (signature.outputs, interpreter.get_output_details()),
    ):
        for details in tensors:
            info = infos[details["name"].partition(":")[0]]
            info.name = details["name"]
            info.dtype = tf.as_dtype(details["dtype"]).as_datatype_enum
            for size in details["shape_signature"]:
                info.tensor_shape.dim.add(size=int(size))
    return signature
