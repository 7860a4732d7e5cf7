"""The soak test's own judgement, and a short soak of the tiny decoder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from benchmarks import soak_client
from serving import bitstream
from tests.conftest import run_command
from tests.tiny_export import CSI_SHAPE, MODEL_ID, frames, random_indices

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.serving


def answer(h, valid):
    response = predict_pb2.PredictResponse()
    response.outputs["h"].CopyFrom(tf.make_tensor_proto(np.float32(h)))
    response.outputs["valid"].CopyFrom(tf.make_tensor_proto(valid))
    return response


def test_damage_is_always_found():
    rng = np.random.default_rng(0)
    (frame,) = frames(random_indices(1))
    for _ in range(1000):
        with pytest.raises(bitstream.BitstreamError):
            bitstream.unframe(soak_client.damaged(frame, rng), MODEL_ID)


def test_every_wrong_reply_is_named():
    known = np.random.default_rng(0).random((4, *CSI_SHAPE)).astype(np.float32)
    rows, bad = np.array([2, 0, 3]), np.array([False, True, False])
    h = known[rows].copy()
    h[1] = np.nan

    def verdict(h, valid=~bad):
        return soak_client.check(answer(h, valid), rows, bad, known)

    assert verdict(h) == ""
    assert "shape" in verdict(h[:2], ~bad[:2])
    assert "damaged" in verdict(h, np.array([True, True, True]))
    assert "damaged" in verdict(h, np.array([False, False, True]))
    assert "differs" in verdict(h[[2, 1, 0]])
    zero = h.copy()
    zero[1] = 0
    assert "not NaN" in verdict(zero)


@pytest.mark.slow
def test_short_soak(tiny_export, tmp_path):
    report = tmp_path / "soak.json"
    short = ("--minutes=0.4", "--clients=8", "--processes=2", "--kills=1")
    done = run_command(
        "benchmarks.soak", f"--export={tiny_export}", *short, f"--json={report}"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(report.read_text())
    assert not {"lost", "wrong"} & set(found["counts"])
    assert found["counts"]["damaged"] > 0
    assert found["num_versions"] > 3
