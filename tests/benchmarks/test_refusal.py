"""What means nothing is refused in a time that grows as its size does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tensorflow_serving.apis import model_management_pb2, predict_pb2

from benchmarks.hostile_requests import KINDS, REST, field
from benchmarks.refusal_target import request, seconds, served
from tests.conftest import run_command
from tests.support.tiny_export import save_decoder
from zoo.reporting.tables import table_of

pytestmark = pytest.mark.serving
SMALL, LARGE = 128 << 10, 512 << 10
# CPU time of a machine that others use, too: what is not linear takes 16 times as long.
MOST, SLACK_SECONDS = 6, 0.05
# Frames of another length than those of the decoder: not valid, and no error.
FRAMES = {"512 long frames", "one long frame", "names of dimensions"}
ANSWERED = {**dict.fromkeys(FRAMES, "OK"), "JSON: text": "200", "JSON: base64": "200"}
REFUSED = {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "INTERNAL"}
REFUSED |= {"400", "429"}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    decoder = tmp_path_factory.mktemp("refusal") / "decoder"
    save_decoder(decoder / "1")
    with served(decoder) as target:
        yield target


@pytest.mark.parametrize("kind", KINDS)
def test_time_to_refuse_is_linear(target, kind):
    small, _ = seconds(target, kind, SMALL, 2)
    large, status = seconds(target, kind, LARGE, 2)
    assert status in (
        {ANSWERED[kind]} if kind in ANSWERED else REFUSED | {"400", "429"}
    )
    assert large < MOST * small + SLACK_SECONDS


def test_requests_are_what_they_say():
    """By the official messages, where these can read them."""
    for kind in KINDS:
        assert len(request(kind, LARGE)) == pytest.approx(LARGE, rel=0.1), kind
    parse = predict_pb2.PredictRequest.FromString
    (tensor,) = parse(request("dimensions of 2^62", SMALL)).inputs.values()
    assert {dim.size for dim in tensor.tensor_shape.dim} == {2**62}
    assert len(tensor.tensor_shape.dim) > 10_000
    assert len(parse(request("inputs", SMALL)).inputs) > 5_000
    (tensor,) = parse(request("empty strings", SMALL)).inputs.values()
    assert len(tensor.string_val) > 50_000 and tensor.dtype == 7
    parse = model_management_pb2.ReloadConfigRequest.FromString
    models = parse(request("models", SMALL)).config.model_config_list.config
    assert len({model.name for model in models}) > 3_000
    (model,) = parse(request("versions", SMALL)).config.model_config_list.config
    versions = model.model_version_policy.specific.versions
    assert set(versions) == {2**62} and len(versions) > 10_000
    (model,) = parse(request("labels", SMALL)).config.model_config_list.config
    assert len(model.version_labels) > 5_000
    for kind in set(REST) - {"JSON: brackets", "JSON: no JSON"}:
        try:
            assert json.loads(request(kind, 4096))
        except ValueError as error:
            assert "limit" in str(error), kind  # of Python's digits


def test_numbers_on_the_wire():
    for number in (0, 1, 127, 128, 2**62):
        version = field(2, field(1, number))
        parsed = predict_pb2.PredictRequest.FromString(field(1, version))
        assert parsed.model_spec.version.value == number


def test_the_table_has_a_line_a_kind():
    rows = [
        {"kind": kind, "bytes": size, "seconds": size / 1e8, "status": "400"}
        for kind in ("a", "b")
        for size in (1 << 20, 16_600_000)
    ]
    table = table_of(Path("refusal.json"), {"rows": rows, "row": {}})
    assert table.columns == ["request", "1 MB [s]", "16 MB [s]", "answer"]
    assert table.rows == [[kind, "0.010", "0.166", "400"] for kind in ("a", "b")]


@pytest.mark.slow
def test_the_command_writes_rows_and_a_plot(tmp_path):
    save_decoder(tmp_path / "decoder" / "1")
    result = tmp_path / "refusal.json"
    flags = (f"--export={tmp_path}", f"--json={result}", "--repeats=1")
    done = run_command("benchmarks.refusal", *flags, "--max_seconds=20", timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    written = json.loads(result.read_text())
    assert {row["kind"] for row in written["rows"]} == set(KINDS)
    assert written["commit"] and written["row"]["seconds_of_16_mb"] > 0
    assert Path(result.with_suffix(".png")).read_bytes().startswith(b"\x89PNG")
    sizes = np.unique([row["bytes"] >> 20 for row in written["rows"]])
    assert sizes.max() >= 15
