"""The soak test's own judgement, and a short soak of the tiny decoder."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from benchmarks import soak_client, soak_processes
from serving.codec import bitstream, framing
from tests.conftest import run_command
from tests.support.tiny_export import CSI_SHAPE, MODEL_ID, frames, random_indices

pytest_plugins = ["tests.support.serving_fixtures"]
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
            framing.unframe(soak_client.damaged(frame, rng), MODEL_ID)


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


def test_reply_that_cannot_be_read_is_wrong():
    known = np.zeros((4, *CSI_SHAPE), np.float32)
    rows, bad = np.array([0]), np.array([False])
    whole = answer(known[:1], [True])
    assert soak_client.check(whole, rows, bad, known) == ""
    lacking = predict_pb2.PredictResponse()
    lacking.outputs["valid"].CopyFrom(whole.outputs["valid"])
    broken, short = answer(known[:1], [True]), answer(known[:1], [True])
    broken.outputs["h"].dtype = 99
    short.outputs["h"].tensor_content = b"123"
    for response in (lacking, broken, short):
        assert "cannot be read" in soak_client.check(response, rows, bad, known)


def test_what_makes_a_soak_fail():
    report = {"counts": {"rows": 9}, "examples": [], "memory_mb_per_minute": 4.9}
    assert soak_processes.failures(report, 5) == []
    (found,) = soak_processes.failures(report, 4)
    assert "4.9 MB/min" in found and "--max_mb_per_minute=4" in found
    assert soak_processes.failures(report | {"memory_mb_per_minute": np.nan}, 5)
    wrong = report | {"counts": {"wrong": 2}, "examples": ["wrong: shape"]}
    assert "2 replies wrong" in (found := soak_processes.failures(wrong, 5))
    assert "shape" in found[1]
    for health in ({"health": 0}, {"health": 9, "health_lost": 1}):
        (found,) = soak_processes.failures(report | {"hostile": health}, 5)
        assert "health did not always answer" in found


class _Sleeping(soak_processes.Clients):
    """Processes that do nothing, or end at once with an error."""

    def __init__(self, *statuses):
        self._statuses = list(statuses)
        self.reports, self.running = [], []
        self.running = [self._start() for _ in statuses]

    def _start(self):
        status = self._statuses.pop(0) if self._statuses else 0
        code = (
            f"import sys, time; time.sleep({0 if status else 60}); sys.exit({status})"
        )
        return subprocess.Popen([sys.executable, "-S", "-c", code]), None


def test_client_that_ends_early_fails_the_soak():
    for statuses in ((0, 3), (3, 0)):
        clients = _Sleeping(*statuses)
        clients.running[statuses.index(3)][0].wait()
        for step in (clients.check, clients.kill_one):
            with pytest.raises(ValueError, match="ended before its time with status 3"):
                step()
        clients.kill()
    clients = _Sleeping(0, 0)
    clients.kill_one()
    clients.check()
    clients.kill()


@pytest.mark.slow
def test_short_soak(tiny_export, tmp_path):
    report = tmp_path / "soak.json"
    short = ("--minutes=0.4", "--clients=8", "--processes=2", "--kills=1")
    short += ("--max_mb_per_minute=1e6",)  # it has only just started
    done = run_command(
        "benchmarks.soak",
        f"--export={tiny_export}",
        *short,
        f"--json={report}",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(report.read_text())
    assert not {"lost", "wrong"} & set(found["counts"])
    assert found["counts"]["damaged"] > 0
    assert found["num_versions"] > 3
    hostile = found["hostile"]
    for name in ("streams", "unread", "garbage", "bodies", "large", "health"):
        assert hostile[name] > 0, hostile
    assert "health_lost" not in hostile
