"""Which rows of its file the benchmark of codebooks takes up; the reports are slow."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from benchmarks import eigen_rows
from tests.conftest import assert_one_line_error, run_command
from zoo import files
from zoo.codecs.eigen_report import EigenReport
from zoo.config import ExperimentConfig

COMMITTED = files.RESULTS / "eigenvectors_r18_2ghz.json"
SETTINGS = ExperimentConfig(dataset="tr38901/r18_dense_urban_2ghz_quick")


@pytest.fixture
def benchmark(monkeypatch):
    """With a data set that says how large it is."""

    def builder(dataset, data_dir):
        sizes = {"test": SimpleNamespace(num_examples=2_000)}
        name = f"{dataset}/1.1.0"
        info = SimpleNamespace(metadata=None, splits=sizes, full_name=name)
        return SimpleNamespace(version="1.1.0", info=info)

    monkeypatch.setattr(eigen_rows.splits, "open_builder", builder)
    return eigen_rows


def test_committed_rows_are_taken_up(benchmark):
    benchmark.check(COMMITTED, SETTINGS)
    rows = files.read_json(COMMITTED)["rows"]
    for rank in (1, 2):
        own = [row for row in rows if row["rank"] == rank]
        books = [row for row in own if row["model"] == "etype2"]
        bits = [round(row["feedback_bits"]) for row in books]
        asked = [*benchmark.reports(rank, [round(0.8 * min(bits)), *bits])]
        for row in books:
            options = {"param_combination": row["model_args"]["param_combination"]}
            asked.append(EigenReport("etype2", rank, options=options))
        for row in own:
            assert sum(benchmark.is_row(row, report) for report in asked) == 1


def test_rows_of_another_phase_are_others(benchmark):
    report = EigenReport("klt_coded", phase="sequential", bits=64)
    args = {"report_bits": 64, "rate": "mean"}
    row = {"model": "klt_coded", "rank": 1, "phase": "sequential", "model_args": args}
    assert benchmark.is_row(row, report)
    assert not benchmark.is_row(row | {"phase": "port"}, report)


@pytest.mark.parametrize(
    ("asked", "changes", "message"),
    [
        ({"num_test": 100}, {}, r"test\[:2000\] of 2000', expected .*test\[:100\]"),
        ({"dataset": "tr38901/r18_dense_urban_4ghz"}, {}, "a row with dataset_config"),
        ({"seed": 1}, {}, "has a row with seed 0, expected 1"),
        ({}, {"dataset_version": "1.0.0"}, "dataset_version '1.0.0', expected '1.1.0'"),
        ({}, {"snr_db": 0.0}, "has a row with snr_db 0.0, expected 10.0"),
        ({}, {"num_users": 2}, "has a row with num_users 2, expected 4"),
        ({}, {"sent": "csi"}, "has a row with sent 'csi'"),
    ],
)  # fmt: skip
def test_a_file_of_another_measurement_is_refused(
    benchmark, tmp_path, asked, changes, message
):
    rows = files.read_json(COMMITTED)["rows"]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"rows": [rows[0] | changes]}))
    settings = ExperimentConfig(**{"dataset": SETTINGS.dataset, **asked})
    with pytest.raises(ValueError, match=message):
        benchmark.check(path, settings)


@pytest.mark.parametrize(
    ("flag", "message", "code"),
    [
        ("--ranks=0", "expected some of 1, 2, 3, 4", 2),
        ("--param_combinations=", "expected some of 1, 2", 2),
        ("--codecs=pursuit,nothing", "expected some of pursuit, pursuit_fixed", 2),
        ("--json=README.md", "not a JSON file", 1),
    ],
)
def test_bad_flags_are_refused_at_once(flag, message, code):
    done = run_command("benchmarks.eigenvectors", "--json=unused.json", flag)
    assert_one_line_error(done, message, code=code)
