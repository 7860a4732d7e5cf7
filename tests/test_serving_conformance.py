"""The reference server against the conformance table, over gRPC and REST."""

from __future__ import annotations

from collections import Counter

import pytest

from serving.conformance import conformance
from serving.conformance_target import Target
from tests.serving_harness import MODEL
from tests.tiny_export import MODEL_ID

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.serving

# Where the reference server refuses more than TensorFlow Serving.
STRICTER = {
    "wrong width",
    "wrong rank",
    "no rows",
    "20 bytes that stand for 64 MB",
    "513 rows",
    "one long string for all rows",
    "message of 17 MiB",
    "classify with a predict signature",
    "REST classify",
}
MAY_BE_OFF = {
    "batching: more rows than a batch",
    "batching: queue full (128 full batches at once)",
    "health of ModelService",
    "health of PredictionService",
    "REST Prometheus page",
}


@pytest.fixture(scope="module")
def results(tiny_server):
    rest = f"127.0.0.1:{tiny_server.rest_port}"
    target = Target(tiny_server.endpoint, rest, MODEL)
    yield {result.case: result for result in conformance(target, model_id=MODEL_ID)}
    target.close()


def test_every_row_is_answered_as_tensorflow_serving_does(results):
    assert [r for r in results.values() if r.verdict == "FAIL"] == []
    counts = Counter(result.verdict for result in results.values())
    assert counts["pass"] >= 65


def test_the_differences_are_the_known_ones(results):
    verdicts = {case: result.verdict for case, result in results.items()}
    stricter = {case for case, verdict in verdicts.items() if verdict == "stricter"}
    assert stricter - {"reload with an empty configuration"} == STRICTER
    assert {case for case, verdict in verdicts.items() if verdict == "skip"} <= (
        MAY_BE_OFF
    )
