"""The speed workers' protocol and one small comparison."""

from __future__ import annotations

import io
import json

import pytest

from benchmarks import worker
from tests.conftest import run_command


def test_worker_answers_in_lines(capsys):
    calls = []
    worker.serve(lambda: calls.append(1), io.StringIO("2\n1\nquit\n5\n"))
    first, second = (json.loads(x) for x in capsys.readouterr().out.splitlines())
    assert (len(first), len(second), len(calls)) == (2, 1, 3)
    with pytest.raises(ValueError, match="'x', expected a number of steps"):
        worker.serve(lambda: 0.0, io.StringIO("x\n"))


def test_worker_reports_what_fails(capsys):
    def prepare():
        raise RuntimeError("no compiler\nlong trace")

    assert worker.run(prepare) == 1
    assert json.loads(capsys.readouterr().out) == {"error": "RuntimeError: no compiler"}


@pytest.mark.slow
def test_systems_side_by_side(tmp_path):
    small = ("--codeword_dim=4", "--batch_size=2", "--rounds=2", "--steps=1")
    target = tmp_path / "speed.json"
    done = run_command(
        "benchmarks.train", "--networks=csinet", *small, f"--json={target}", timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (row,) = json.loads(target.read_text())["rows"]
    assert row["ours_over"]["fused"] == 1
    assert {"keras", "keras, oneDNN off"} < set(row["step_ms"])
