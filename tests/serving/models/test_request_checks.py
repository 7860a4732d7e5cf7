"""Tensors of a request, read with and without the parser of TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.models import request_checks
from serving.models.request_checks import Limits, ServingError
from tests.support.serving_harness import predict

pytestmark = pytest.mark.serving
FLOATS = np.float32([[0.5, -np.inf, np.nan], [3, -0.0, 1e-45]])


def tensor(dtype, *shape, **fields):
    dims = [{"size": size} for size in shape]
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, **fields)
    proto.tensor_shape.dim.extend(type(proto.tensor_shape).Dim(**dim) for dim in dims)
    return proto


def read(proto):
    """What `feeds` makes of a tensor whose signature leaves the shape open."""
    signature = meta_graph_pb2.SignatureDef()
    info = meta_graph_pb2.TensorInfo(name="x:0", dtype=proto.dtype)
    info.tensor_shape.unknown_rank = True
    signature.inputs["x"].CopyFrom(info)
    return request_checks.feeds(signature, predict(x=proto), Limits())["x:0"]


PLAIN = [
    tf.make_tensor_proto([b"a", b"", b"\0\xff"]),
    tf.make_tensor_proto([[b"a", b"b"]]),
    tf.make_tensor_proto(FLOATS),
    tf.make_tensor_proto(np.int32([[1, -2], [3, 4]])),
    tf.make_tensor_proto(np.uint8([[255, 0, 1]])),
]
OTHER = [
    tensor(tf.string, 3, string_val=[b"ab", b"c"]),
    tensor(tf.string, 2, tensor_content=b"\x02\x01abc"),
    tensor(tf.string, 2, tensor_content=b"\x02\x01abc", string_val=[b"x", b"y"]),
    tensor(tf.float32, 2, 3, float_val=FLOATS.ravel()),
    tensor(tf.float32, 2, 3, float_val=[0.25]),
    tf.make_tensor_proto(np.float64([[1.5, 2], [3, 4]])),
]


@pytest.mark.parametrize("proto", PLAIN + OTHER)
def test_every_encoding_means_what_the_parser_of_tensorflow_says(proto):
    dtype = tf.as_dtype(proto.dtype)
    expected = tf.io.parse_tensor(proto.SerializeToString(), dtype).numpy()
    found = read(proto)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if dtype == tf.string:
        assert found.tolist() == expected.tolist()
    else:
        assert found.tobytes() == expected.tobytes()


def test_plain_encodings_need_no_operation(monkeypatch):
    monkeypatch.setattr(tf.io, "parse_tensor", None)
    for proto in PLAIN:
        read(proto)
    for proto in OTHER:
        with pytest.raises(TypeError):
            read(proto)


@pytest.mark.parametrize(
    "proto",
    [
        tensor(tf.float32, 2, 3, tensor_content=bytes(23)),
        tensor(tf.float32, 2, 3, tensor_content=bytes(25)),
        tensor(tf.string, 2, tensor_content=b"\x02\x01ab"),
    ],
)
def test_content_of_another_size_is_refused(proto):
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: tensor parsing error: x"):
        read(proto)
