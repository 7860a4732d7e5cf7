"""Payloads and flags of the networks on eigenvectors; the trainings are for later."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from benchmarks import eigen_networks
from tests.conftest import assert_one_line_error, run_command
from zoo import config_flags


@pytest.fixture
def benchmark(monkeypatch):
    given = {"_EPOCHS": 5, "_DIRECTORY": "runs", "_DATA_DIR": "", "_CODEBOOKS": "x"}
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


def test_codebooks_without_a_rank(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"rows": []}))
    done = run_command("benchmarks.eigen_networks", f"--codebooks={path}")
    assert_one_line_error(done, "no etype2 of rank 1")
