"""Frames of several encoders at one endpoint: the header picks the model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import bitstream, framing
from serving.ue_side.router import Router, read_routes
from tests.support.decoder_process import NumpyDecoders, serve
from tests.support.tiny_export import BITS, MODEL_ID, decode, random_indices

pytestmark = pytest.mark.serving
OTHER = bytes.fromhex("deadbeef")
ROUTES = {
    "csi_shape": (32, 32, 2),
    "models": {
        MODEL_ID.hex(): {"name": "small", "uplink": False},
        OTHER.hex(): {"name": "large", "uplink": False},
    },
}


@pytest.fixture
def decoders():
    served = NumpyDecoders({"small": MODEL_ID, "large": OTHER})
    server, port = serve(served)
    served.endpoint = f"127.0.0.1:{port}"
    yield served
    server.stop(None)


def frames_of(ids: list[bytes], indices: np.ndarray) -> list[bytes]:
    payloads = bitstream.pack(indices, BITS)
    return [framing.frame(p.tobytes(), i) for p, i in zip(payloads, ids, strict=True)]


def test_answers_come_back_in_the_order_of_the_frames(decoders):
    ids = [MODEL_ID, OTHER, b"none", OTHER, MODEL_ID, MODEL_ID]
    indices = random_indices(6)
    frames = frames_of(ids, indices)
    frames[5] = frames[5][:3]
    with Router(decoders.endpoint, ROUTES, 30) as router:
        h, valid = router.decode(frames)
        assert valid.tolist() == [True, True, False, True, True, False]
        np.testing.assert_allclose(h[valid], decode(indices[valid]), atol=1e-6)
        assert np.isnan(h[~valid]).all()
        assert router.unknown == 2
    sent = {
        request.model_spec.name: list(request.inputs["feedback_bytes"].string_val)
        for request in decoders.requests
    }
    assert sent == {"small": [frames[0], frames[4]], "large": [frames[1], frames[3]]}


def test_no_request_is_larger_than_a_batch(decoders):
    ids = [MODEL_ID, OTHER] * 35 + [MODEL_ID]
    indices = random_indices(71)
    uplink = np.random.default_rng(0).random((71, 32, 32), np.float32)
    models = {**ROUTES["models"], OTHER.hex(): {"name": "large", "uplink": True}}
    routes = {**ROUTES, "models": models}
    for max_rows, sizes in (({}, [32, 4, 32, 3]), ({"max_rows": 20}, [20, 16, 20, 15])):
        decoders.requests.clear()
        with Router(decoders.endpoint, {**routes, **max_rows}, 30) as router:
            h, valid = router.decode(frames_of(ids, indices), uplink)
        assert valid.all()
        np.testing.assert_allclose(h, decode(indices), atol=1e-6)
        sent = [request.inputs["feedback_bytes"] for request in decoders.requests]
        assert [len(frames.string_val) for frames in sent] == sizes
    sides = [request.inputs["uplink"] for request in decoders.requests[2:]]
    sides = np.concatenate([tf.make_ndarray(side) for side in sides])
    np.testing.assert_array_equal(sides, uplink[1::2])


def test_a_model_that_fails_ends_the_call(decoders):
    with Router(decoders.endpoint, ROUTES, 30) as router:
        del decoders.models["large"]
        with pytest.raises(ValueError, match="NOT_FOUND"):
            router.decode(frames_of([MODEL_ID, OTHER], random_indices(2)))
    assert [r.model_spec.name for r in decoders.requests] == ["small"]


def test_label_is_sent(decoders):
    with Router(decoders.endpoint, ROUTES, 30, label="stable") as router:
        router.decode(frames_of([OTHER], random_indices(1)))
    assert decoders.requests[0].model_spec.version_label == "stable"


def test_uplink_goes_to_the_models_that_take_it(decoders):
    models = {**ROUTES["models"], OTHER.hex(): {"name": "large", "uplink": True}}
    frames = frames_of([MODEL_ID, OTHER], random_indices(2))
    with Router(decoders.endpoint, {**ROUTES, "models": models}, 30) as router:
        with pytest.raises(ValueError, match="model deadbeef takes the uplink"):
            router.decode(frames)
        router.decode(frames, np.zeros((2, 32, 32), np.float32))
    inputs = [set(request.inputs) for request in decoders.requests[-2:]]
    assert inputs == [{"feedback_bytes"}, {"feedback_bytes", "uplink"}]


def test_a_model_that_is_not_served_is_an_error(decoders):
    models = {**ROUTES["models"], "00000000": {"name": "absent", "uplink": False}}
    with pytest.raises(ValueError, match="NOT_FOUND"):
        Router(decoders.endpoint, {**ROUTES, "models": models}, 30)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not the routes.json"),
        ("[]", "not the routes.json"),
        ('{"models": {"00": "x"}}', "not the routes.json"),
        ('{"models": {}, "csi_shape": [2], "max_rows": 0}', "not the routes.json"),
        ('{"models": {}, "csi_shape": [32, 32, 2]}', "routes to no model"),
    ],
)
def test_routes_are_checked(tmp_path, text, match):
    path = tmp_path / "routes.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        read_routes(path)
    path.write_text(json.dumps({**ROUTES, "csi_shape": [32, 32, 2]}))
    assert read_routes(path) == ROUTES
