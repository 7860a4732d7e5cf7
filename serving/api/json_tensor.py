"""JSON of a REST predict request -> TensorProtos, checked before they are made."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from serving.api import no_collections
from serving.models import request_checks
from serving.models.request_checks import Limits, ServingError, invalid_argument
from serving.models.servable import DEFAULT_SIGNATURE

_JSON_TYPES = {
    type(None): "Null",
    bool: "Bool",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def parse(body: bytes) -> dict:
    """Parse a request body.

    Raises:
        ServingError: not JSON, or not an object.
    """
    try:
        with no_collections.PAUSE:
            document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {_excerpt(document)} Is not object")
    return document


def signature_name(document: dict) -> str:
    """Return the signature the request names, or the default one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {_excerpt(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    _utf8(name)
    return name or DEFAULT_SIGNATURE


def fill_inputs(
    document: dict,
    infos: Mapping[str, meta_graph_pb2.TensorInfo],
    request: predict_pb2.PredictRequest,
    limits: Limits,
) -> bool:
    """Fill `request.inputs` from "instances" (rows) or "inputs" (columns).

    Args:
        document: parsed body.
        infos: the signature's inputs by alias.
        request: filled in place.
        limits: largest request.

    Returns:
        True for the row form, which the answer then takes too.

    Raises:
        ServingError: no key or both, another type or shape than the signature's, too
            large, ragged lists.
    """
    row_form = "instances" in document
    if row_form and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {_excerpt(document)} Not formatted correctly expecting only "
            "one of 'inputs' or 'instances' keys to exist "
        )
    if row_form:
        values = _columns_of_rows(document["instances"], infos, limits)
    elif "inputs" in document:
        values = _columns(document["inputs"], infos)
    else:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    for alias, value in values.items():
        request.inputs[alias].CopyFrom(_tensor(alias, value, infos[alias], limits))
    return row_form


def _columns(inputs, infos: Mapping) -> dict:
    if isinstance(inputs, dict) and not _is_base64(inputs):
        for alias in infos:
            if alias not in inputs:
                raise invalid_argument(
                    f"Missing named input: {alias} in 'inputs' object."
                )
        return {alias: inputs[alias] for alias in infos}
    if len(infos) > 1:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple "
            "input tensors required as per tensorinfo_map"
        )
    return {alias: inputs for alias in infos}


def _columns_of_rows(instances, infos: Mapping, limits: Limits) -> dict:
    if not isinstance(instances, list) or not instances:
        raise invalid_argument(
            f"JSON Value: {_excerpt(instances)} Expecting 'instances' to be a "
            "list/array with at least one value"
        )
    request_checks.check_rows(len(instances), limits)
    named = [isinstance(row, dict) and not _is_base64(row) for row in instances]
    if not any(named):
        return _columns(instances, infos)
    for item, row in enumerate(instances):
        if not named[item]:
            raise invalid_argument(
                f"Expecting object but got list at item {item} of input list"
            )
        if len(row) != len(infos) or any(alias not in row for alias in infos):
            raise invalid_argument(
                f"Failed to process element: {item} of 'instances' list. JSON object: "
                f"{_excerpt(row)} keys must be equal to: {','.join(sorted(infos))}"
            )
    return {alias: [row[alias] for row in instances] for alias in infos}


def _tensor(
    alias: str, value, info: meta_graph_pb2.TensorInfo, limits: Limits
) -> tensor_pb2.TensorProto:
    if isinstance(value, list):
        request_checks.check_rows(len(value), limits)
    leaves, shape = _flatten(value)
    dtype = tf.as_dtype(info.dtype)
    request_checks.check_shape(alias, shape, info)
    request_checks.check_size(alias, shape, dtype.size, limits)
    if dtype == tf.string:
        values = [_bytes(leaf, dtype) for leaf in leaves]
    else:
        ends = _range(dtype)
        values = [_number(leaf, dtype, ends) for leaf in leaves]
    return tf.make_tensor_proto(np.array(values, dtype.as_numpy_dtype), dtype, shape)


def _flatten(value) -> tuple[list, list[int]]:
    items, shape = [value], []
    while items and isinstance(items[0], list):
        size = len(items[0])
        for item in items:
            if not isinstance(item, list) or len(item) != size:
                received = len(item) if isinstance(item, list) else "no list"
                raise invalid_argument(
                    f"Encountered list at unexpected size: {received} at level: "
                    f"{len(shape)} expected size: {size}"
                )
        shape.append(size)
        items = list(itertools.chain.from_iterable(items))
    return items, shape


def _bytes(leaf, dtype: tf.DType) -> bytes:
    if isinstance(leaf, str):
        return _utf8(leaf)
    if not isinstance(leaf, dict):
        raise _type_error(leaf, dtype)
    if not _is_base64(leaf):
        raise invalid_argument(
            f"JSON Value: {_excerpt(leaf)} not formatted correctly for base64 data"
        )
    try:
        return base64.b64decode(leaf["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise invalid_argument(
            f"JSON Parse error: half a surrogate pair in {_excerpt(text)}"
        ) from error


def _range(dtype: tf.DType) -> tuple:
    if dtype.is_bool:
        return False, True
    # Python's numbers: NumPy's do not compare with an integer of 310 digits.
    return np.asarray(dtype.min).item(), np.asarray(dtype.max).item()


def _number(leaf, dtype: tf.DType, ends: tuple) -> bool | int | float:
    kinds = (bool,) if dtype.is_bool else (int,) if dtype.is_integer else (int, float)
    if not isinstance(leaf, kinds) or isinstance(leaf, bool) != dtype.is_bool:
        raise _type_error(leaf, dtype)
    low, high = ends
    finite = not isinstance(leaf, float) or math.isfinite(leaf)
    if finite and not low <= leaf <= high:
        raise invalid_argument(
            f"Cannot convert JSON value: {_excerpt(leaf)} to {dtype.name} "
            "without loss of precision."
        )
    return leaf


def _type_error(leaf, dtype: tf.DType) -> ServingError:
    return invalid_argument(
        f"JSON Value: {_excerpt(leaf)} Type: {_JSON_TYPES[type(leaf)]} "
        f"is not of expected type: {dtype.name}"
    )


def _is_base64(value: dict) -> bool:
    return set(value) == {"b64"} and isinstance(value["b64"], str)


def _excerpt(value) -> str:
    text = ""
    for part in json.JSONEncoder().iterencode(value):  # no more of it than is shown
        text += part[:201]
        if len(text) > 200:
            return text[:200] + "..."
    return text
