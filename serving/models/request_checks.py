"""Checks of a PredictRequest against a SignatureDef, before anything is run.

Status codes and messages are those of TensorFlow Serving. Declared shapes and empty
batches, which TensorFlow Serving leaves to the graph, are refused here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

_TYPES = frozenset(types_pb2.DataType.values())
_PLAIN_TYPES = {
    types_pb2.DT_FLOAT: np.dtype("<f4"),
    types_pb2.DT_INT32: np.dtype("<i4"),
    types_pb2.DT_UINT8: np.dtype("u1"),
}


class ServingError(Exception):
    """A refused request: `code` (grpc.StatusCode) and `message` for the client."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


def invalid_argument(message: str) -> ServingError:
    """Return the error for a request that can never succeed as it is."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


@dataclass(frozen=True)
class Limits:
    """Largest request: rows, and bytes of a message and of one tensor in it."""

    rows: int = 512
    request_bytes: int = 16 << 20


def feeds(
    signature: meta_graph_pb2.SignatureDef,
    request: predict_pb2.PredictRequest,
    limits: Limits,
) -> dict[str, np.ndarray]:
    """Return graph tensor name -> array for the inputs of `request`.

    Raises:
        ServingError: wrong aliases, dtype or shape, too large, or not a tensor.
    """
    _check_aliases(signature, request.inputs)
    arrays = {}
    for position, (alias, info) in enumerate(sorted(signature.inputs.items())):
        tensor = request.inputs[alias]
        _check_declaration(alias, position, tensor, info)
        check_shape(alias, _declared_shape(tensor), info)
        check_size(alias, _declared_shape(tensor), _item_bytes(tensor), limits)
        arrays[info.name] = _materialise(alias, tensor)
    return arrays


def fetches(
    signature: meta_graph_pb2.SignatureDef, output_filter: Sequence[str]
) -> dict[str, str]:
    """Return output alias -> graph tensor name; an empty filter asks for all.

    Raises:
        ServingError: an unknown or repeated alias.
    """
    names = {}
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected "
                f"to be in the set {_braces(signature.outputs)}."
            )
        if alias in names:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        names[alias] = signature.outputs[alias].name
    return names or {alias: out.name for alias, out in signature.outputs.items()}


def _check_aliases(
    signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, tensor_pb2.TensorProto]
) -> None:
    sent, wanted = set(inputs), set(signature.inputs)
    if len(sent) != len(wanted):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(wanted)} "
            f"len({_braces(sent)}) != len({_braces(wanted)}). Sent extra: "
            f"{_braces(sent - wanted)}. Missing but required: {_braces(wanted - sent)}."
        )
    for alias in sorted(wanted - sent):
        raise invalid_argument(
            f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name})"
            " not found in request and no default value provided. Inputs expected to be"
            f" in the request {_braces(sent)}, or default input alias set: "
        )


def _check_declaration(
    alias: str,
    position: int,
    tensor: tensor_pb2.TensorProto,
    info: meta_graph_pb2.TensorInfo,
) -> None:
    shape = _declared_shape(tensor)
    known_type = tensor.dtype in _TYPES
    overflow = math.prod(shape) > np.iinfo(np.int64).max
    unknown = tensor.tensor_shape.unknown_rank or min(shape, default=0) < 0
    if not known_type or overflow or unknown:
        raise invalid_argument(f"tensor parsing error: {alias}")
    if tensor.dtype != info.dtype:
        raise invalid_argument(
            f"Expects arg[{position}] to be {_type_name(info.dtype)} "
            f"but {_type_name(tensor.dtype)} is provided"
        )


def check_shape(alias: str, shape: list[int], info: meta_graph_pb2.TensorInfo) -> None:
    """Refuse a shape that the signature does not declare.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    expected = tf.TensorShape(info.tensor_shape)
    if not expected.is_compatible_with(shape):
        sizes = [-1 if size is None else size for size in expected.as_list()]
        raise invalid_argument(f"input {alias} has shape {shape}: expected {sizes}")


def check_rows(rows: int, limits: Limits) -> None:
    """Refuse more rows than a request may have.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if rows > limits.rows:
        raise invalid_argument(
            f"Task size {rows} is larger than maximum input batch size {limits.rows}"
        )


def check_size(alias: str, shape: list[int], item_bytes: int, limits: Limits) -> None:
    """Refuse an empty or too large tensor by its shape, before it is made.

    By the declared shape, since a parser repeats the last value to fill it: one float
    and the shape 4000 x 4000 are 20 bytes on the wire and 64 MB in memory.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    size = math.prod(shape)
    if size == 0:
        raise invalid_argument(f"input {alias} of shape {shape} is empty")
    if shape:
        check_rows(shape[0], limits)
    if size * item_bytes > limits.request_bytes:
        raise invalid_argument(
            f"input {alias} of shape {shape} exceeds {limits.request_bytes} bytes"
        )


def _item_bytes(tensor: tensor_pb2.TensorProto) -> int:
    if tensor.dtype != types_pb2.DT_STRING:
        return tf.as_dtype(tensor.dtype).size
    return max(map(len, tensor.string_val), default=1)


def _declared_shape(tensor: tensor_pb2.TensorProto) -> list[int]:
    return [dim.size for dim in tensor.tensor_shape.dim]


def _materialise(alias: str, tensor: tensor_pb2.TensorProto) -> np.ndarray:
    array = _plain(tensor)
    if array is not None:
        return array
    # The C++ parser, not tf.make_ndarray: that one refuses or accepts other encodings.
    try:
        dtype = tf.as_dtype(tensor.dtype)
        return tf.io.parse_tensor(tensor.SerializeToString(), dtype).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


def _plain(tensor: tensor_pb2.TensorProto) -> np.ndarray | None:
    """The array where every value is given as clients do it; None: ask the parser.

    As the parser reads it, without an operation of TensorFlow: that one costs more than
    all other steps before the run.
    """
    shape = _declared_shape(tensor)
    size, content = math.prod(shape), tensor.tensor_content
    if tensor.dtype == types_pb2.DT_STRING:
        if content or len(tensor.string_val) != size:
            return None
        return np.array(tensor.string_val, object).reshape(shape)
    dtype = _PLAIN_TYPES.get(tensor.dtype)
    if dtype is None or len(content) != size * dtype.itemsize:
        return None
    return np.frombuffer(content, dtype).reshape(shape)


def _braces(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _type_name(dtype: int) -> str:
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
