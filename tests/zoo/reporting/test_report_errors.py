"""What the report refuses, in one line."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import assert_one_line_error, run_command
from tests.support import report_files
from zoo.reporting import results_files as loader
from zoo.reporting.tables import table_of


def _without(content, *keys):
    return {k: v for k, v in content.items() if k not in keys}


BROKEN = {
    "list": ([1], "expected an object with 'target'"),
    "neither": ({"a": 1}, "'rows' or 'row'"),
    "empty rows": ({"rows": []}, "expected objects in 'rows'"),
    "not measured": ({"model": "crnet"}, "a 'model' and 'nmse_db' or 'sent'"),
    "rows of numbers": ({"rows": [1]}, "expected objects in 'rows'"),
    "no entries": (_without(report_files.TABLE, "entries"), "'entries' is None"),
    "entries of text": ({**report_files.TABLE, "entries": ["a"]}, "objects in 'ent"),
    "no paper": (
        {**report_files.TABLE, "entries": [{"series": "a"}]},
        "entries without x, ours, ours_by_seed, paper, value, tested_on, line, "
        "handicap, runs",
    ),
    "no verdict": (
        {**report_files.TABLE, "claims": [{"claim": "a", "difference": {}}]},
        "claims without origin, verdict",
    ),
    "other verdict": (
        {
            **report_files.TABLE,
            "claims": [{**report_files.TABLE["claims"][0], "verdict": "yes"}],
        },
        "verdict 'yes', expected one of confirmed",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_result_is_refused(kind, tmp_path):
    content, message = BROKEN[kind]
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        loader.load(tmp_path)
    assert str(tmp_path / "x.json") in str(error.value)


def test_missing_keys_are_named(tmp_path):
    row = _without(report_files.row("crnet", -1.0, 1), "lr")
    with pytest.raises(ValueError, match="zoo_16.json: has no 'lr'"):
        table_of(tmp_path / "zoo_16.json", {"rows": [row]})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], ["--run=DIR | --results=DIR", "nothing to report on"]),
        (["--run=a", "--readme=b"], ["got run and readme"]),
        (["--results=nowhere"], ["--results=nowhere: no such directory"]),
        (["--results=tests"], ["holds no .json", "zoo.reproduce TARGET"]),
        (["--readme=nowhere.md"], ["nowhere.md: no such Markdown file or folder"]),
        (["--pages=tests/support"], ["tests/support: no .md file has a table"]),
        (["--run=a", "--format=jpg"], ["--format=jpg: expected some of png, pdf, svg"]),
    ],
)
def test_mistakes_are_one_line(args, words):
    assert_one_line_error(run_command("zoo.report", *args), *words)


def test_file_that_is_not_json(tmp_path):
    (tmp_path / "x.json").write_text("{")
    done = run_command("zoo.report", f"--results={tmp_path}")
    assert_one_line_error(done, "x.json: not a JSON file")


def test_unknown_network_is_refused(tmp_path):
    from zoo.reporting import pages

    report_files.write(tmp_path / "results")
    with pytest.raises(ValueError, match="crnt.*did you mean crnet"):
        pages.write(loader.load(tmp_path / "results"), tmp_path / "r", ["crnt"])
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
