"""10,000 random and mutated frames, and as many requests, against a running server."""

from __future__ import annotations

import itertools
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2

from serving.codec import bitstream, framing
from tests.support.serving_harness import PATH, outputs, predict, rest
from tests.support.tiny_export import (
    BITS,
    CSI_SHAPE,
    MODEL_ID,
    NUM_INDICES,
    decode,
    frames,
    random_indices,
)

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving

NUM_FRAMES, NUM_REQUESTS, NUM_BODIES = 10_000, 10_000, 500
IN_FLIGHT = 32
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INTERNAL,  # how grpc answers what is no message at all
}
METHOD = "/tensorflow.serving.PredictionService/Predict"


def mutated(original: bytes, rng: np.random.Generator) -> bytes:
    """One of seven damages: flips, a cut, an insertion, a repetition, other bytes."""
    octets = bytearray(original)
    begin, end = sorted(rng.integers(0, len(octets) + 1, 2))
    match rng.integers(7):
        case 0:
            octets[rng.integers(len(octets))] ^= 1 << rng.integers(8)
        case 1:
            for place in rng.integers(0, len(octets), 8):
                octets[place] = rng.integers(256)
        case 2:
            del octets[begin:end]
        case 3:
            octets[begin:begin] = rng.bytes(rng.integers(1, 40))
        case 4:
            octets[begin:begin] = octets[begin:end]
        case 5:
            octets[begin:end] = b"\xff" * (end - begin)
        case 6:
            octets = rng.bytes(rng.integers(0, 2 * len(octets)))
    return bytes(octets)


def test_frames_are_refused_one_by_one(tiny_stub):
    rng = np.random.default_rng(0)
    indices = random_indices(100)
    good, exact = frames(indices), decode(indices)
    for _ in range(NUM_FRAMES // len(good)):
        damaged = [mutated(frame, rng) for frame in good]
        batch = list(itertools.chain(*zip(good, damaged, strict=True)))
        found = outputs(tiny_stub.Predict(predict(feedback_bytes=batch)))
        np.testing.assert_allclose(found["h"][::2], exact, atol=1e-5)
        expected = [is_a_frame(frame) for frame in damaged]
        np.testing.assert_array_equal(found["valid"][::2], True)
        np.testing.assert_array_equal(found["valid"][1::2], expected)
        assert np.isnan(found["h"][~found["valid"]]).all()
        assert np.isfinite(found["h"][found["valid"]]).all()


def is_a_frame(octets: bytes) -> bool:
    """What the NumPy codec says of received bytes."""
    try:
        payload = framing.unframe(octets, MODEL_ID)
        bitstream.unpack(np.frombuffer(payload, np.uint8)[None], NUM_INDICES, BITS)
        return True
    except bitstream.BitstreamError:
        return False


def corpus() -> list[bytes]:
    """Serialised requests of every signature."""
    indices = random_indices(3)
    requests = [
        predict(feedback_bytes=frames(indices)),
        predict("decode_u8", packed=bitstream.pack(indices, BITS)),
        predict("decode_indices", indices=indices),
        predict("decode_float", codeword=np.zeros((3, NUM_INDICES), np.float32)),
    ]
    return [request.SerializeToString() for request in requests]


@pytest.mark.parametrize(
    ("seed", "requests"),
    [(1, NUM_REQUESTS), pytest.param(4, 28_000, marks=pytest.mark.slow)],
)
def test_requests_are_answered_or_refused(tiny_channel, tiny_server, seed, requests):
    rng = np.random.default_rng(seed)
    call = tiny_channel.unary_unary(METHOD)
    sources = corpus()
    answered = refused = 0
    for _ in range(requests // IN_FLIGHT):
        sent = [mutated(sources[i % 4], rng) for i in range(IN_FLIGHT)]
        futures = [call.future(octets, timeout=60) for octets in sent]
        for octets, future in zip(sent, futures, strict=True):
            error = future.exception()
            if error is None:
                check_answer(octets, future.result())
                answered += 1
            else:
                assert error.code() in REFUSALS, (error.code(), error.details())
                refused += 1
    assert min(answered, refused) > requests // 20
    assert tiny_server.process.poll() is None
    assert "Traceback" not in tiny_server.log()


def check_answer(octets: bytes, answer: bytes) -> None:
    """As many CSI as rows were sent; NaN where not valid."""
    request = predict_pb2.PredictRequest.FromString(octets)
    found = outputs(predict_pb2.PredictResponse.FromString(answer))
    (tensor,) = request.inputs.values()
    rows = tensor.tensor_shape.dim[0].size
    for alias, shape in {"h": (rows, *CSI_SHAPE), "valid": (rows,)}.items():
        assert alias not in found or found[alias].shape == shape
    if len(found) == 2:
        assert np.isnan(found["h"][~found["valid"]]).all()


def test_mutations_parse_often_enough():
    rng = np.random.default_rng(2)
    sources = corpus()
    parsed = 0
    for i in range(400):
        try:
            predict_pb2.PredictRequest.FromString(mutated(sources[i % 4], rng))
            parsed += 1
        except DecodeError:
            pass
    assert 40 < parsed < 360  # both the parser and what follows it are reached


def bodies() -> list[bytes]:
    """REST requests: good, and what the parser lets through and a tensor does not."""
    documents = [
        {
            "signature_name": "decode_indices",
            "inputs": {"indices": random_indices(2).tolist()},
        },
        {"instances": [{"b64": "AAAA"}, "text", "\ud800"]},
        {"signature_name": "\udfff", "instances": ["x"]},
        {
            "signature_name": "decode_float",
            "inputs": [[10**400, -(10**310), *[0.5] * (NUM_INDICES - 2)]],
        },
    ]
    return [json.dumps(document).encode() for document in documents]


def test_bodies_are_answered_or_refused(tiny_server):
    rng = np.random.default_rng(3)
    sources = bodies()
    codes = set()
    for number in range(NUM_BODIES):
        body = mutated(sources[number % len(sources)], rng)
        status, answer = rest(tiny_server, "POST", f"{PATH}:predict", body)
        codes.add(status)
        assert status in (200, 400, 404), (status, answer)
        assert ("error" in answer) == (status != 200)
    assert codes >= {200, 400}
    assert "Traceback" not in tiny_server.log()
    assert tiny_server.process.poll() is None


def test_good_after_bad(tiny_stub):
    indices = random_indices(2)
    found = outputs(tiny_stub.Predict(predict(feedback_bytes=frames(indices))))
    np.testing.assert_allclose(found["h"], decode(indices), atol=1e-5)
    assert tf.reduce_all(found["valid"])
