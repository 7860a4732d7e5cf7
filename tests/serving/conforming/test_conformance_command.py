"""`python -m serving.conformance`: it can fail, skips with a reason, and reports."""

from __future__ import annotations

import json
import socket
from concurrent import futures

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving import conformance
from serving.conforming.rows import Row
from serving.conforming.target import Answer, Target
from tests.support.serving_harness import MODEL, TIMEOUT, command

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving


class _AcceptsEverything(prediction_service_pb2_grpc.PredictionServiceServicer):
    """A decoder's metadata, and an empty answer to whatever is asked."""

    def __init__(self, stub):
        self.GetModelMetadata = lambda request, context: stub.GetModelMetadata(request)

    def Predict(self, request, context):
        return predict_pb2.PredictResponse()


@pytest.fixture
def lax_endpoint(tiny_stub):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _AcceptsEverything(tiny_stub), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_command_finds_a_server_that_accepts_everything(lax_endpoint, tmp_path):
    report = tmp_path / "report.json"
    process = command(
        "serving.conformance", f"--endpoint={lax_endpoint}", f"--json={report}"
    )
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "cases differ from TensorFlow Serving: no model_spec" in err.splitlines()[-1]
    assert "Traceback" not in err and "expected: INVALID_ARGUMENT Missing" in out
    rows = {row["case"]: row for row in json.loads(report.read_text())["rows"]}
    for case in ("empty name", "truncated tensor_content", "513 rows", "status"):
        assert rows[case]["verdict"] == "FAIL", case
    assert rows["unknown method"]["verdict"] == "pass"
    assert rows["REST bad JSON"] == {
        "case": "REST bad JSON",
        "expected": "400 JSON Parse error",
        "got": "give --rest=HOST:PORT",
        "verdict": "skip",
    }


TOO_LARGE = "is larger than maximum input batch size"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer("OK", "rows 2"), "pass"),
        (Answer("OK", "rows 1"), "FAIL"),
        (Answer("NOT_FOUND", "rows 2"), "FAIL"),
        (Answer("INVALID_ARGUMENT", "too many"), "stricter"),
        (Answer("INVALID_ARGUMENT", "other"), "FAIL"),
        (Answer("INVALID_ARGUMENT", f"Task size 2 {TOO_LARGE} 1"), "pass"),
        (Answer("INVALID_ARGUMENT", f"Task size 3 {TOO_LARGE} 1"), "FAIL"),
        (Answer("UNIMPLEMENTED", "no"), "skip"),
    ],
)
def test_verdicts(answer, verdict):
    row = Row(
        "a case",
        lambda: answer,
        "OK",
        "rows 2",
        rows=2,
        stricter=("INVALID_ARGUMENT", "many"),
        off=("UNIMPLEMENTED", ""),
    )
    assert conformance.judge(row).verdict == verdict


def test_targets_are_checked(tiny_server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no answer from {endpoint}"):
            Target(endpoint, "", MODEL, 5)
    with pytest.raises(ValueError, match="not found for request.*--model_name"):
        Target(tiny_server.endpoint, "", "x")
