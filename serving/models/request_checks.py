"""Checks of a PredictRequest against a SignatureDef, before anything is run.

Status codes and messages are those of TensorFlow Serving. Declared shapes and empty
batches, which TensorFlow Serving leaves to the graph, are refused here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

MAX_ERROR_CHARS = 1024
MAX_RANK = 254  # of TensorFlow's shapes
MAX_VALUES = np.iinfo(np.int64).max
MAX_NAMES, MAX_NAME_CHARS = 16, 64  # of a request's names in a message
_TYPES = frozenset(types_pb2.DataType.values())
_PLAIN_TYPES = {
    types_pb2.DT_FLOAT: np.dtype("<f4"),
    types_pb2.DT_INT32: np.dtype("<i4"),
    types_pb2.DT_UINT8: np.dtype("u1"),
}


class ServingError(Exception):
    """A refused request: `code` (grpc.StatusCode) and `message` for the client.

    What a client sent comes back in messages: they are cut as TensorFlow Serving cuts
    those of gRPC.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        if len(message) > MAX_ERROR_CHARS:
            message = message[:MAX_ERROR_CHARS] + "...TRUNCATED"
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
        shape = _declared_shape(alias, tensor)
        _check_type(alias, position, tensor, info)
        check_shape(alias, shape, info)
        check_size(alias, shape, _item_bytes(alias, tensor, shape), limits)
        arrays[info.name] = _materialise(alias, tensor, shape)
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
    wanted = signature.inputs
    missing = [alias for alias in wanted if alias not in inputs]
    if len(inputs) != len(wanted):
        extra = (alias for alias in inputs if alias not in wanted)
        raise invalid_argument(
            f"input size does not match signature: {len(inputs)}!={len(wanted)} "
            f"len({_braces(inputs)}) != len({_braces(wanted)}). Sent extra: "
            f"{_braces(extra)}. Missing but required: {_braces(missing)}."
        )
    for alias in sorted(missing):
        raise invalid_argument(
            f"Signature input alias: {alias}(feed name: {wanted[alias].name})"
            " not found in request and no default value provided. Inputs expected to be"
            f" in the request {_braces(inputs)}, or default input alias set: "
        )


def _declared_shape(alias: str, tensor: tensor_pb2.TensorProto) -> list[int]:
    """Sizes that TensorFlow takes; their number is looked at before they are."""
    dims = tensor.tensor_shape.dim
    if len(dims) <= MAX_RANK and not tensor.tensor_shape.unknown_rank:
        shape = [dim.size for dim in dims]
        if min(shape, default=0) >= 0 and num_values(shape) <= MAX_VALUES:
            return shape
    raise _parsing_error(alias)


def num_values(shape: Sequence[int]) -> int:
    """Product of the sizes, exact up to `MAX_VALUES`.

    Not `math.prod`: that of 150,000 sizes of 2^62 takes minutes.
    """
    if 0 in shape:
        return 0
    product = 1
    for size in shape:
        product *= size
        if product > MAX_VALUES:
            break
    return product


def _parsing_error(alias: str) -> ServingError:
    return invalid_argument(f"tensor parsing error: {alias}")


def _check_type(
    alias: str,
    position: int,
    tensor: tensor_pb2.TensorProto,
    info: meta_graph_pb2.TensorInfo,
) -> None:
    if tensor.dtype not in _TYPES:
        raise _parsing_error(alias)
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
    size = num_values(shape)
    if size == 0:
        raise invalid_argument(f"input {alias} of shape {shape} is empty")
    if shape:
        check_rows(shape[0], limits)
    if size * item_bytes > limits.request_bytes:
        raise invalid_argument(
            f"input {alias} of shape {shape} exceeds {limits.request_bytes} bytes"
        )


def _item_bytes(alias: str, tensor: tensor_pb2.TensorProto, shape: list[int]) -> int:
    if tensor.dtype != types_pb2.DT_STRING:
        return tf.as_dtype(tensor.dtype).size
    if len(tensor.string_val) > num_values(shape):  # before one of them is looked at
        raise _parsing_error(alias)
    return max(map(len, tensor.string_val), default=1)


def _materialise(
    alias: str, tensor: tensor_pb2.TensorProto, shape: list[int]
) -> np.ndarray:
    array = _plain(tensor, shape)
    if array is not None:
        return array
    # The C++ parser, not tf.make_ndarray: that one refuses or accepts other encodings.
    try:
        dtype = tf.as_dtype(tensor.dtype)
        return tf.io.parse_tensor(tensor.SerializeToString(), dtype).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise _parsing_error(alias) from error


def _plain(tensor: tensor_pb2.TensorProto, shape: list[int]) -> np.ndarray | None:
    """The array where every value is given as clients do it; None: ask the parser.

    As the parser reads it, without an operation of TensorFlow: that one costs more than
    all other steps before the run.
    """
    size, content = num_values(shape), tensor.tensor_content
    if tensor.dtype == types_pb2.DT_STRING:
        if content or len(tensor.string_val) != size:
            return None
        return np.array(tensor.string_val, object).reshape(shape)
    dtype = _PLAIN_TYPES.get(tensor.dtype)
    if dtype is None or len(content) != size * dtype.itemsize:
        return None
    return np.frombuffer(content, dtype).reshape(shape)


def _braces(names: Iterable[str]) -> str:
    first = sorted(itertools.islice(names, MAX_NAMES + 1))
    shown = [name[:MAX_NAME_CHARS] for name in first[:MAX_NAMES]]
    return "{" + ",".join(shown + ["..."] * (len(first) > MAX_NAMES)) + "}"


def _type_name(dtype: int) -> str:
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
