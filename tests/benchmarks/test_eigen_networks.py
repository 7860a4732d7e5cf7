"""Payloads and flags of the networks on eigenvectors; the trainings are for later."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from tests.conftest import assert_one_line_error, run_command
from tests.support.benchmark_modules import imported
from tfds_builders import locks
from zoo import config_flags

eigen_networks = imported("eigen_networks")


@pytest.fixture
def benchmark(monkeypatch):
    given = {
        "_SEEDS": 2,
        "_RANKS": ["1", "2"],
        "_JSON": "",
        "_EPOCHS": 5,
        "_DIRECTORY": "runs",
        "_DATA_DIR": "",
        "_CODEBOOKS": str(eigen_networks.CODEBOOKS),
    }
    for name, value in given.items():
        monkeypatch.setattr(eigen_networks, name, SimpleNamespace(value=value))
    return eigen_networks


def test_lengths_fit_into_the_reports(benchmark):
    bits = [("etype2", 1, 64.9), ("etype2", 2, 116.0), ("etype2", 1, 311.9)]
    bits += [("pursuit", 1, 200.0)]
    keys = "model", "rank", "feedback_bits"
    rows = [dict(zip(keys, values, strict=True)) for values in bits]
    assert benchmark.lengths(rows, 1) == [32, 155]
    assert benchmark.lengths(rows, 2) == [58]


@pytest.mark.parametrize("rank", [1, 2])
def test_flags_are_those_of_a_training(benchmark, rank):
    found = config_flags.parse(benchmark.Cell(2, rank, 57).flags(), "eigen_networks")
    values = {name: found[name].value for name in ("rank", "codeword_dim", "bits")}
    assert values == {"rank": rank, "codeword_dim": 57, "bits": 2}
    assert found["target"].value == "eigenvectors" and found["seed"].value == 2
    assert found["epochs"].value == 5


def test_the_first_seed_of_all_comes_first(benchmark, monkeypatch, tmp_path):
    """And the file holds what is complete, of whichever call, under its lock."""
    target, locked = tmp_path / "rows.json", []
    monkeypatch.setattr(benchmark, "_JSON", SimpleNamespace(value=str(target)))
    monkeypatch.setattr(benchmark, "lengths", lambda rows, rank: [32 * rank, 40 * rank])
    complete = {}

    def evaluated(run, *flags):
        with pytest.raises(OSError, match=r"rows.json is in use by"):
            locks.check(target)
        locked.append(run.name)
        complete[run.name] = dict.fromkeys(benchmark.SHOWN, 0.5)
        return complete[run.name]

    monkeypatch.setattr(benchmark, "evaluated", evaluated)
    monkeypatch.setattr(benchmark, "found", lambda run, *flags: complete.get(run.name))
    benchmark.main(["eigen_networks"])
    ends = ("r1_m32_s", "r1_m40_s", "r2_m64_s", "r2_m80_s")
    asked = [f"subband_transformer_{end}{seed}" for seed in (0, 1) for end in ends]
    assert locked == asked
    rows = json.loads(target.read_text())["rows"]
    assert [row["name"] for row in rows] == asked and rows[0]["sgcs"] == 0.5


def test_bad_codebooks_are_refused(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"rows": [{"model": "crnet", "nmse_db": -9.0}]}))
    for given, message, code in (
        (f"--codebooks={path}", "no etype2 of rank 1", 1),
        ("--codebooks=README.md", "README.md: not a JSON file", 1),
        ("--ranks=x", "expected some of 1, 2, 3, 4", 2),
    ):
        done = run_command("benchmarks.eigen_networks", given)
        assert_one_line_error(done, message, code=code)
