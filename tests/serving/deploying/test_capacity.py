"""Capacity arithmetic and its table in the documentation."""

from __future__ import annotations

import json

import pytest

from serving import capacity
from tests.support.serving_harness import ROOT, TIMEOUT, command

SERVED = {"engine": "server", "rows": 32, "clients": 4, "p99_ms": 40.0}
RESULTS = {
    "device": "a machine, 2 cores",
    "rows": [
        {"engine": "LiteRT", "rows": 1, "matrices_per_s": 3000, "p99_ms": 1.0},
        {**SERVED, "matrices_per_s": 2000},
    ],
}


def test_arithmetic():
    # 20,000 UEs every 40 ms report 500,000 matrices/s.
    rate = capacity.needed_rate(20_000, 40)
    assert rate == 500_000
    assert capacity.needed_rate(20_000, 40, share=0.1) == 50_000
    assert capacity.replicas(rate, 2000, utilisation=0.5) == 500
    assert capacity.replicas(1, 2000) == 1
    with pytest.raises(ValueError, match="expected a positive rate"):
        capacity.replicas(1, 0)
    with pytest.raises(ValueError, match="utilisation 1.5"):
        capacity.replicas(1, 1, 1.5)


def test_command_writes_the_marked_block(tmp_path):
    results, document = tmp_path / "serving.json", tmp_path / "capacity.md"
    results.write_text(json.dumps(RESULTS))
    document.write_text(f"# A\n\n<!-- capacity: none -->\nold\n{capacity.END}\n\nB\n")
    process = command(
        "serving.capacity",
        f"--results={results}",
        "--ues=1000",
        "--period_ms=100",
        f"--doc={document}",
    )
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    # 10,000 / (2,000 * 0.6) = 8.3
    assert "| server | 32 | 4 | 2,000 | 40.0 | 9 |" in out
    assert "`python -m serving.deployment --max_replicas=9 --utilisation=0.6`" in out
    text = document.read_text()
    assert text.startswith("# A\n") and text.endswith("\n\nB\n") and "old" not in text
    assert out.strip() in text and "LiteRT" not in text
    assert f"<!-- capacity: python -m serving.capacity --results={results}" in text


def test_files_are_checked(tmp_path):
    path = tmp_path / "x"
    path.write_text(json.dumps({"rows": RESULTS["rows"][:1]}))
    with pytest.raises(ValueError, match="no served rows .*benchmarks.serving --json"):
        capacity.read_rows(path)
    with pytest.raises(ValueError, match="expected one block"):
        capacity.write_block(path, "c", "t")


def test_the_documents_have_one_block():
    text = (ROOT / "docs" / "deploy" / "capacity.md").read_text()
    assert len(capacity._BLOCK.findall(text)) == 1
