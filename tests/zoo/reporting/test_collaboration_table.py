"""Means and losses of sides trained apart, against numbers done by hand."""

from __future__ import annotations

from pathlib import Path

from zoo.reporting.tables import table_of


def row(order, encoder, seed, nmse_db, sgcs, first, agreement=None) -> dict:
    return {
        "order": order, "encoder": encoder, "decoder": "crnet", "seed": seed,
        "feedback_bits": 128, "nmse_db": nmse_db, "sgcs": sgcs,
        "index_agreement": agreement, "first": first, "train_cpu_seconds": 1.0,
    }  # fmt: skip


def test_losses_are_against_the_first_pair_of_each_seed():
    firsts = [{"nmse_db": -8.0, "sgcs": 0.9}, {"nmse_db": -10.0, "sgcs": 0.8}]
    rows = [
        row("joint", "crnet", i, **first, first=first) for i, first in enumerate(firsts)
    ]
    rows += [
        row("nw_first", "csinet", 0, -7.0, 0.85, firsts[0], 0.9),
        row("nw_first", "csinet", 1, -9.5, 0.79, firsts[1], 0.8),
    ]
    found = table_of(Path("collaboration.json"), {"rows": rows})
    lines = [dict(zip(found.columns, cells, strict=True)) for cells in found.rows]
    joint, apart = lines
    assert joint["training"] == "joint" and joint["equal indices"] == ""
    assert apart["training"] == "network first" and apart["encoder"] == "csinet"
    assert apart["seeds"] == "2" and apart["feedback bits"] == "128"
    assert float(joint["dB lost against the first pair"]) == 0
    assert apart["dB lost against the first pair"] == "+0.75"
    assert apart["SGCS lost against the first pair"] == "+0.0300"
    assert apart["equal indices"] == "85.0%"
    assert apart["SGCS, spread"] == "0.7900 to 0.8500"
    for line in rows:
        line["nmse_db"] = None  # trained for the direction of eigenvectors
    found = table_of(Path("collaboration.json"), {"rows": rows})
    assert "dB lost against the first pair" not in found.columns
    assert "SGCS" in found.columns
