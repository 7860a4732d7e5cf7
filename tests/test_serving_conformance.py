"""Refused requests: status codes and messages of the TensorFlow Serving table."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
)

from tests.serving_harness import MODEL, outputs, predict, refusal
from tests.tiny_export import NUM_INDICES, PAYLOAD_BYTES, frames, random_indices

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.serving


def version(request, value=None, label=None):
    if label:
        request.model_spec.version_label = label
    else:
        request.model_spec.version.value = value
    return request


def filtered(*aliases):
    request = predict(**GOOD)
    request.output_filter.extend(aliases)
    return request


def tensor(dtype, shape, **fields):
    proto = TensorProto(dtype=dtype.as_datatype_enum, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


F32, STRING = tf.float32, tf.string
GOOD = {"feedback_bytes": frames(random_indices(1))}
NO_SPEC = predict(**GOOD)
NO_SPEC.ClearField("model_spec")
BAD, MISSING, EARLY = "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"
PARSING = "tensor parsing error: codeword"
CONFORMANCE = {
    "no spec": (NO_SPEC, BAD, "Missing ModelSpec"),
    "no name": (predict(name="", **GOOD), BAD, "ModelSpec has no name specified."),
    "unknown model": (
        predict(name="x", **GOOD),
        MISSING,
        "Servable not found for request: Latest(x)",
    ),
    "unknown version": (
        version(predict(**GOOD), 99),
        MISSING,
        f"Servable not found for request: Specific({MODEL}, 99)",
    ),
    "unknown label": (
        version(predict(**GOOD), label="zzz"),
        BAD,
        "Unrecognized servable version label: zzz",
    ),
    "unknown signature": (
        predict("zz", **GOOD),
        EARLY,
        'Serving signature key "zz" not found.',
    ),
    "no input": (
        predict(),
        BAD,
        "input size does not match signature: 0!=1 len({}) != len({feedback_bytes}). "
        "Sent extra: {}. Missing but required: {feedback_bytes}.",
    ),
    "extra input": (
        predict(x=[1], **GOOD),
        BAD,
        "input size does not match signature: 2!=1 len({feedback_bytes,x}) != "
        "len({feedback_bytes}). Sent extra: {x}. Missing but required: {}.",
    ),
    "wrong input name": (
        predict(x=[b""]),
        BAD,
        "Signature input alias: feedback_bytes(feed name: "
        "serving_default_feedback_bytes:0) not found in request and no default value "
        "provided. Inputs expected to be in the request {x}, or default input alias "
        "set: ",
    ),
    "truncated content": (
        predict("decode_float", codeword=tensor(F32, [1, 25], tensor_content=b"abc")),
        BAD,
        PARSING,
    ),
    "negative dim that fits": (
        predict(
            "decode_float", codeword=tensor(F32, [-1, 25], tensor_content=bytes(100))
        ),
        BAD,
        PARSING,
    ),
    "overflowing shape": (
        predict("decode_float", codeword=tensor(F32, [2**62, 25], float_val=[1])),
        BAD,
        PARSING,
    ),
    "unknown rank": (
        predict(
            "decode_float",
            codeword=TensorProto(dtype=1, tensor_shape={"unknown_rank": True}),
        ),
        BAD,
        PARSING,
    ),
    "unknown dtype": (
        predict("decode_float", codeword=TensorProto(dtype=77)),
        BAD,
        PARSING,
    ),
    "wrong dtype": (
        predict("decode_u8", packed=np.zeros((1, PAYLOAD_BYTES), np.float32)),
        BAD,
        "Expects arg[0] to be uint8 but float is provided",
    ),
    "20 bytes that stand for 64 MB": (
        predict("decode_float", codeword=tensor(F32, [4000, 4000], float_val=[1])),
        BAD,
        "input codeword has shape [4000, 4000]: expected [-1, 25]",
    ),
    "too many rows": (
        predict("decode_float", codeword=tensor(F32, [513, 25], float_val=[1])),
        BAD,
        "Task size 513 is larger than maximum input batch size 512",
    ),
    "one long string for all rows": (
        predict(feedback_bytes=tensor(STRING, [512], string_val=[bytes(1 << 20)])),
        BAD,
        "input feedback_bytes of shape [512] exceeds 16777216 bytes",
    ),
    "wrong width": (
        predict("decode_u8", packed=np.zeros((1, 2 * PAYLOAD_BYTES), np.uint8)),
        BAD,
        "input packed has shape [1, 20]: expected [-1, 10]",
    ),
    "wrong rank": (
        predict("decode_u8", packed=np.zeros(PAYLOAD_BYTES, np.uint8)),
        BAD,
        "input packed has shape [10]: expected [-1, 10]",
    ),
    "no rows": (
        predict("decode_u8", packed=np.zeros((0, PAYLOAD_BYTES), np.uint8)),
        BAD,
        "input packed of shape [0, 10] is empty",
    ),
    "unknown output": (
        filtered("z"),
        BAD,
        "output tensor alias not found in signature: z Outputs expected to be in the "
        "set {h,valid}.",
    ),
    "output twice": (
        filtered("h", "h"),
        BAD,
        "duplicate output tensor alias: h",
    ),
    "initialiser as signature": (
        predict("__saved_model_init_op"),
        "INTERNAL",
        "Expected prediction signature method_name to be one of "
        "{tensorflow/serving/predict, tensorflow/serving/classify, "
        "tensorflow/serving/regress}. Was: ",
    ),
}


@pytest.mark.parametrize("case", CONFORMANCE)
def test_conformance(tiny_stub, case):
    request, code, message = CONFORMANCE[case]
    assert refusal(tiny_stub.Predict, request) == (code, message)


def test_long_error_messages_are_cut(tiny_stub):
    code, message = refusal(tiny_stub.Predict, predict("z" * 2000, **GOOD))
    assert code == EARLY
    assert len(message) == 1024 + len("...TRUNCATED")


def test_encodings_of_a_tensor_are_equivalent(tiny_stub):
    spread = tensor(F32, [2, NUM_INDICES], float_val=[0.25])
    full = np.full((2, NUM_INDICES), 0.25, np.float32)
    answers = [
        outputs(tiny_stub.Predict(predict("decode_float", codeword=codeword)))["h"]
        for codeword in (spread, full)
    ]
    np.testing.assert_array_equal(*answers)


def test_output_filter_selects(tiny_stub):
    assert list(tiny_stub.Predict(filtered("valid")).outputs) == ["valid"]


def test_message_too_big_garbage_and_unknown_methods(tiny_stub, tiny_channel):
    large = predict(feedback_bytes=[bytes(17 << 20)])
    code, message = refusal(tiny_stub.Predict, large)
    assert code == "RESOURCE_EXHAUSTED" and "larger than max" in message
    raw = tiny_channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    assert refusal(raw, b"\xff\xff")[0] == "INTERNAL"
    other = tiny_channel.unary_unary("/tensorflow.serving.PredictionService/Nothing")
    assert refusal(other, b"")[0] == "UNIMPLEMENTED"
    request = classification_pb2.ClassificationRequest()
    assert refusal(tiny_stub.Classify, request)[0] == "UNIMPLEMENTED"
