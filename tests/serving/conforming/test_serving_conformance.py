"""The reference server against the conformance table, over gRPC and REST."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from serving.api import server_flags
from serving.codec.framing import Framer
from serving.conformance import conformance
from serving.conforming.target import Target
from serving.models.batching_parameters import Parameters
from tests.conftest import run_command
from tests.support.serving_harness import MODEL, running_server
from tests.support.tiny_export import MODEL_ID
from zoo.files import read_json

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving

# Where the reference server refuses more than TensorFlow Serving.
STRICTER = {
    "wrong width",
    "wrong rank",
    "no rows",
    "20 bytes that stand for 64 MB",
    "one long string for all rows",
    "message of 17 MiB",
    "classify with a predict signature",
    "REST classify",
}
MAY_BE_OFF = {
    "batching: more rows than a batch",
    "batching: queue full (128 full batches at once)",
    "REST batching: more rows than a batch",
    "REST batching: queue full (128 full batches at once)",
    "health of ModelService",
    "health of PredictionService",
    "REST Prometheus page",
}
BATCHING = """max_batch_size { value: 16 } num_batch_threads { value: 1 }
max_enqueued_batches { value: 1 }"""


@pytest.fixture(scope="module")
def results(tiny_server):
    rest = f"127.0.0.1:{tiny_server.rest_port}"
    target = Target(tiny_server.endpoint, rest, MODEL)
    yield {
        result.case: result
        for result in conformance(target, framed=Framer({"model_id": MODEL_ID.hex()}))
    }
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


@pytest.mark.slow
def test_a_full_queue_is_seen_by_the_command(tiny_export, tmp_path):
    (tmp_path / "batching.txt").write_text(BATCHING)
    args = "--enable_batching", f"--batching_parameters_file={tmp_path}/batching.txt"
    with running_server(tiny_export / "decoder", *args) as server:
        done = run_command(
            "serving.conformance",
            f"--endpoint={server.endpoint}",
            f"--rest=127.0.0.1:{server.rest_port}",
            f"--codec={tiny_export / 'codec.json'}",
            "--max_batch_size=16",
            f"--json={tmp_path / 'report.json'}",
        )
        assert "Traceback" not in server.log()
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["case"]: row for row in read_json(tmp_path / "report.json")["rows"]}
    for case in MAY_BE_OFF:
        if "batching" in case:
            assert rows[case]["verdict"] == "pass", rows[case]


def test_threads_suffice_to_fill_the_queue():
    def threads(num_threads=None, max_concurrent_rpcs=1024, **parameters):
        values = SimpleNamespace(
            num_threads=num_threads, max_concurrent_rpcs=max_concurrent_rpcs
        )
        batching = Parameters(**parameters) if parameters else None
        return server_flags.num_threads(values, batching)

    assert threads() == 16
    assert threads(max_enqueued_batches=1) == 64
    for batches, workers in ((64, 2), (100, 8)):
        number = threads(max_enqueued_batches=batches, num_batch_threads=workers)
        assert batches + workers < number < batches + workers + 32
    assert threads(max_enqueued_batches=10**6) == 1024
    assert threads(num_threads=3, max_enqueued_batches=64) == 3
