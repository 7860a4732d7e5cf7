"""The leaderboard: equal ratio and equal data only, the KLT in every table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import figure_checks, report_files
from zoo.reporting import leaderboard, results_files
from zoo.reporting.cells import Cell
from zoo.reporting.tables import KLT

HERE = Path("x.json")


def rows(*changes):
    names = ("crnet", "clnet", "csinet", "lora")
    return [
        {**report_files.row(name, -11.5 - i, 1), **more}
        for i, (name, more) in enumerate(zip(names, changes, strict=False))
    ]


def boards(found):
    return leaderboard.boards({HERE: {"rows": found}})


def test_table_is_sorted_and_says_whose_minutes():
    (board,) = boards(rows({}, {"seed": 1}, {}))
    assert board == ("cost2100_sim/indoor_quick:stream", 128, 20_000, -11.0)
    table = leaderboard.table(board, boards(rows({}, {}, {}))[board])
    assert [row[0] for row in table.rows] == ["csinet", "clnet", "crnet", KLT]
    found = dict(zip(table.columns, table.rows[0], strict=True))
    assert found["better than KLT [dB]"] == "+2.50" and found["ours, minutes"] == "8.3"
    assert found["seeds"] == "1" and found["file"] == "x.json"
    assert table.caption.startswith("1/16, cost2100_sim/indoor_quick, 20,000")


@pytest.mark.parametrize(
    "change",
    [
        {"codeword_dim": 512},
        {"dataset_config": "outdoor_quick:stream"},
        {"dataset_config": "indoor_quick"},
        {"num_train": 1000},
        {"nmse_pca_db": -10.5},
        {"feedback_bits": 768},
        {"nmse_pca_db": None},
        {"model": "dualnet_mag"},
    ],
    ids=str,
)
def test_what_is_not_equal_is_not_compared(change):
    assert len(boards(rows({}, {}, {}))) == 1
    assert not boards(rows({}, {}, change))


def test_noise_is_other_data():
    entries = [
        report_files.entry(name, 0, [-9.0]) for name in ("crnet", "clnet", "lora")
    ]
    for x, count in (("ratio", 1), ("SNR [dB]", 0)):
        content = report_files.result("x", entries, x=x)
        assert len(leaderboard.boards({HERE: content})) == count


def test_seeds_are_a_mean_and_the_best_training_is_shown():
    found = rows({}, {}, {})
    found += [report_files.row("crnet", v, 1, seed=i, epochs=99)
              for i, v in enumerate((-12.0, -14.0))]  # fmt: skip
    ((board, trained),) = boards(found).items()
    (row,) = [r for r in leaderboard.table(board, trained).rows if r[0] == "crnet"]
    assert row[1] == "-13.00" and row[2].values == {"from": -14.0, "to": -12.0}
    assert row[4] == "2" and row[6] == "99"


def test_committed_boards(monkeypatch):
    contents = results_files.load(ROOT / "zoo" / "results")
    found = leaderboard.boards(contents)
    assert len(found) >= 5 and len(next(iter(found.values()))) >= 15
    for board, trained in found.items():
        table = leaderboard.table(board, trained)
        assert [row[0] for row in table.rows].count(KLT) == 1
        values = [row[1].values[""] for row in table.rows]
        assert values == sorted(values)
        assert all(isinstance(row[7], Cell) for row in table.rows if row[0] != KLT)
    for figures in figure_checks.kept(monkeypatch):
        leaderboard.section(contents)
        assert len(figures) == len(found)
        for figure in figures:
            figure_checks.check(figure)
