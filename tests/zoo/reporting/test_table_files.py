"""Tables as CSV and LaTeX: numbers are numbers, texts are escaped."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest
from pandas.api import types

from tests.conftest import ROOT
from tests.support import report_files
from zoo.reporting import leaderboard, pareto, results_files, table_files
from zoo.reporting.blocks import Details, Section, Table
from zoo.reporting.cells import UNPRINTED, Cell, fixed, millions, number, place, spread
from zoo.reporting.result_sections import verdicts
from zoo.reporting.tables import table_of

LOOKS_NUMERIC = re.compile(r"[+-]?[\d,]*\.?\d+(e[+-]\d+)?[M%]?")


def read(table: Table) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(table_files.csv(table)))


@pytest.fixture(scope="module")
def committed():
    """Tables of the committed results by name."""
    return dict(tables())


def tables():
    contents = results_files.load(ROOT / "zoo" / "results")
    for path, content in contents.items():
        yield path.stem, table_of(path, content)
    for board, trained in leaderboard.boards(contents).items():
        yield board.title, leaderboard.table(board, trained)
    found = [p for path, r in contents.items() for p in pareto.points(path, r)]
    for key, own in pareto.comparisons(found).items():
        yield str(key), pareto.table(own)
    targets = {p: r for p, r in contents.items() if "target" in r}
    yield "claims", verdicts(targets)


def test_numbers_have_full_precision_and_columns_of_their_own():
    rows = [
        ["a", place("1/16"), number(-1.23456), UNPRINTED, spread([1.0, 2.5])],
        ["b", place("1/4"), number(1048968.0), number(-2), ""],
    ]
    rows[0] += [millions(417_792), Cell("9 ●", value=9, **{"on the front": True})]
    rows[1] += ["", Cell("7", value=7, **{"on the front": False})]
    columns = ["", "ratio", "ours", "paper", "ours, spread", "MACs", "bits"]
    found = read(Table(columns, rows))
    assert list(found.columns) == [
        "name", "ratio", "ratio, as number", "ours", "paper", "ours, spread, from",
        "ours, spread, to", "MACs", "bits", "bits, on the front",
    ]  # fmt: skip
    assert found["ratio"].tolist() == ["1/16", "1/4"]
    assert found["ratio, as number"].tolist() == [0.0625, 0.25]
    assert found["ours"].tolist() == [-1.23456, 1048968.0]
    assert found["paper"].isna().tolist() == [True, False] and found["paper"][1] == -2
    assert found["ours, spread, to"][0] == 2.5 and found["MACs"][0] == 417_792
    assert found["bits, on the front"].tolist() == [True, False]


def test_whole_numbers_stay_whole_beside_missing_ones():
    text = table_files.csv(Table(["seeds"], [[number(3)], [""]]))
    assert text == 'seeds\n3\n""\n'
    assert table_files.csv(Table(["a"], [[number(3)], [number(0.5)]])) == "a\n3\n0.5\n"


@pytest.mark.slow
def test_committed_numbers_are_numeric(committed):
    for name, table in committed.items():
        frame = table_files.frame(table)
        assert len(frame) == len(table.rows), name
        assert not [column for column in frame if column.endswith("(2)")], name
        if "ratio" in frame and "ratio, as number" in frame:
            assert types.is_numeric_dtype(frame["ratio, as number"])
            assert all("/" in x for x in frame["ratio"].dropna() if x), name
        for i, column in enumerate(table.columns):
            cells = [row[i] for row in table.rows if row[i] not in ("", UNPRINTED)]
            if column == "series" or column not in frame or not cells:
                continue
            if all(map(LOOKS_NUMERIC.fullmatch, cells)):
                assert types.is_numeric_dtype(frame[column]), (name, column)


def test_published_and_own_numbers_have_columns_of_their_own(committed):
    table = table_of(report_files.HERE / "x.json", report_files.TABLE)
    found = read(table)
    assert found["paper"].tolist() == [-29.21, -11.23]
    assert found["ours"].tolist() == [-14.25, -10.5]
    for shown in committed.values():
        heads = [c for c in shown.columns if re.match("(paper|ours)", c)]
        assert not any("paper" in c and "ours" in c for c in heads)


def test_latex_is_booktabs_and_escaped():
    hostile = r"a_b & 50% \input{x} $y$ #1 ~ ^ <z> |"
    table = Table(["n_1", "ours"], [[hostile, fixed(-1.5)]], "x_y & z", "t")
    text = table_files.latex(table)
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lr}"):
        assert part in text
    for part in (r"\caption{x\_y \& z}", r"\label{tab:t}", r"n\_1 & ours \\"):
        assert part in text
    assert r"a\_b \& 50\% \textbackslash{}input\{x\} \$y\$ \#1" in text
    assert r"\textless{}z\textgreater{}" in text and "-1.50" in text


def test_committed_latex_is_whole(committed):
    for name, table in committed.items():
        text = table_files.latex(table._replace(name="x"))
        body = text.split("\\midrule")[1].split("\\bottomrule")[0]
        lines = body.strip().splitlines()
        assert len(lines) == len(table.rows), name
        for line in lines:
            assert len(re.findall(r"(?<!\\)&", line)) == len(table.columns) - 1
            assert not re.search(r"(?<!\\)[_%#]", line)
        assert text.isascii(), sorted(set(re.findall(r"[^\x00-\x7f]", text)))


def test_files_of_named_tables(tmp_path):
    inner = Table(["a"], [[number(1)]], name="inner")
    blocks = [Section("s", "s", [Details("d", [inner]), Table(["a"], []), "text"])]
    written = table_files.write(table_files.named(blocks), tmp_path / "tables")
    assert [path.name for path in written] == ["inner.csv", "inner.tex"]
    assert (tmp_path / "tables" / "inner.csv").read_text() == "a\n1\n"
