"""The leaderboard: equal ratio and equal data only, the KLT in every table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import figure_checks, report_files
from zoo.reporting import leaderboard, pareto, published_weights, results_files
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
    assert board == ("cost2100_sim/indoor_quick:stream", 128, 20_000, 17, -11.0, 2048)
    table = leaderboard.table(board, boards(rows({}, {}, {}))[board])
    assert [row[0] for row in table.rows] == ["csinet", "clnet", "crnet", KLT]
    found = dict(zip(table.columns, table.rows[0], strict=True))
    assert found["better than KLT [dB]"] == "+2.50" and found["ours, minutes"] == "8.3"
    assert found["seeds"] == "1" and found["file"] == "x.json"
    assert found["epochs"] == "17" and found["best epoch"] == "17"
    assert table.caption.startswith("1/16, cost2100_sim/indoor_quick, 17 epochs of 20,")


@pytest.mark.parametrize(
    "change",
    [
        {"codeword_dim": 512},
        {"dataset_config": "outdoor_quick:stream"},
        {"dataset_config": "indoor_quick"},
        {"num_train": 1000},
        {"epochs": 16},
        {"epochs": None},
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


def row_of(found, name="crnet"):
    ((board, trained),) = boards(found).items()
    (row,) = [r for r in leaderboard.table(board, trained).rows if r[0] == name]
    return dict(zip(leaderboard.COLUMNS, row, strict=True))


def test_of_several_trainings_the_test_split_picks_none():
    worse = [report_files.row("crnet", v, 1, seed=i, init="paper", best_epoch=9 + i)
             for i, v in enumerate((-8.0, -10.0))]  # fmt: skip
    row = row_of(rows({}, {}, {}) + worse)  # another one of a single seed is better
    assert row["ours, NMSE [dB]"] == "-9.00" and row["seeds"] == "2"
    assert row["ours, spread"].values == {"from": -10.0, "to": -8.0}
    assert row["best epoch"] == "9, 10"
    one = rows({"best_val_nmse_db": -9.0}, {}, {})
    one += [report_files.row("crnet", -8.0, 1, init="paper", best_val_nmse_db=-9.5)]
    assert row_of(one)["ours, NMSE [dB]"] == "-8.00"  # validation has picked it
    assert row_of(one[:-1] + worse[:1])["ours, NMSE [dB]"] == "-11.50"  # the first


def test_variants_have_rows_of_their_own():
    variant = {"model_args": {"variant": "se", "a": 1}, "best_epoch": 0}
    found = rows({}, {}, {}) + [report_files.row("clnet", -20.0, 1, **variant)]
    assert row_of(found, "clnet")["ours, NMSE [dB]"] == "-12.50"
    row = row_of(found, "clnet (a=1, variant=se)")
    assert row["ours, NMSE [dB]"] == "-20.00" and row["best epoch"] == "0"
    same = [{"model": "crnet", "model_args": {"head": i}} for i in range(3)]
    assert not boards(rows(*same))  # variants are no networks of their own


def test_what_the_page_promises():
    (note, *_) = leaderboard.section({}).blocks
    assert "never the best on the test split" in note and "worth its op" not in note


def test_committed_boards(monkeypatch):
    contents = results_files.load(ROOT / "zoo" / "results")
    found = leaderboard.boards(contents)
    assert len(found) >= 5 and len(next(iter(found.values()))) >= 15
    for board, trained in found.items():
        table = leaderboard.table(board, trained)
        assert [row[0] for row in table.rows].count(KLT) == 1
        values = [row[1].values[""] for row in table.rows]
        assert values == sorted(values)
        minutes = table.columns.index("ours, minutes")
        trained_rows = [row for row in table.rows if row[0] != KLT]
        assert all(isinstance(row[minutes], Cell) for row in trained_rows)
        assert all(row[table.columns.index("best epoch")] for row in trained_rows)
        seen = {r["epochs"] * r["num_train"] for own in trained for r in own.rows}
        assert seen == {board.epochs * board.num_train}
    for figures in figure_checks.kept(monkeypatch):
        leaderboard.section(contents)
        assert len(figures) == len(found)
        for figure in figures:
            figure_checks.check(figure)


def test_published_weights_stand_apart():
    """In a table of their own below the others; no board and no cost knows them."""
    file = {"name": "net.pth", "sha256": "0123456789abcdef"}
    theirs = {"origin": "published_checkpoint", "repository": "A/B", "files": [file]}
    path = Path("published_weights.json")
    row = report_files.row("fista_net", -17.4, 0) | theirs | {"published_db": -17.51}
    contents = {HERE: {"rows": rows({}, {}, {})}, path: {"rows": [row]}}
    assert not list(pareto.trained(contents[path]))
    plain, with_theirs = (
        leaderboard.section(found).blocks
        for found in ({HERE: contents[HERE]}, contents)
    )
    *others, note, table = with_theirs
    assert len(others) == len(plain) and "authors published" in note
    found = dict(zip(table.columns, table.rows[0], strict=True))
    assert found["published weights, NMSE [dB]"] == "-17.40"
    assert found["paper [dB]"] == "-17.51" and found["source"] == "A/B"
    assert found["file (SHA-256)"] == "0123456789ab"
    board = published_weights.table({"rows": [row]})
    assert board.rows == table.rows
    del row["repository"]
    with pytest.raises(ValueError, match="published_weights.json: has no 'repository'"):
        leaderboard.section(contents)
