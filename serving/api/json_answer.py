"""TensorProtos of an answer -> JSON of the REST predict API.

NaN and Inf are null, since JSON has no number for them and parsers refuse the whole
answer; TensorFlow Serving writes them as NaN and Infinity.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2


def columns(outputs: Mapping[str, tensor_pb2.TensorProto]):
    """Outputs by alias as nested lists; a single output stands alone."""
    values = {alias: _to_json(alias, tensor) for alias, tensor in outputs.items()}
    return values if len(values) > 1 else next(iter(values.values()))


def rows(outputs: Mapping[str, tensor_pb2.TensorProto]) -> list:
    """Outputs as one entry per row, an object where there are several outputs."""
    values = {alias: _to_json(alias, tensor) for alias, tensor in outputs.items()}
    if len(values) == 1:
        return next(iter(values.values()))
    return [
        dict(zip(values, row, strict=True))
        for row in zip(*values.values(), strict=True)
    ]


def _to_json(alias: str, tensor: tensor_pb2.TensorProto):
    array = tf.make_ndarray(tensor)
    if array.dtype != object:
        return _numbers(array)
    encode = _base64_object if alias.endswith("_bytes") else bytes.decode
    return np.frompyfunc(encode, 1, 1)(array).tolist()


def _numbers(array: np.ndarray):
    finite = np.isfinite(array)
    if finite.all():
        return array.tolist()
    return np.where(finite, array.astype(object), None).tolist()


def _base64_object(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}
