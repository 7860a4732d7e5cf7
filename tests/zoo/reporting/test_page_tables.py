"""The README's tables are those of the committed results."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT, run_command
from tests.support import report_files
from zoo.reporting import readme_tables

TEXT = """before
<!-- results: results/zoo_16.json -->
| old |
<!-- end of results -->
after
<!-- results: results/simulators.json -->
<!-- end of results -->
"""


@pytest.fixture
def root(tmp_path):
    report_files.write(tmp_path / "results")
    (tmp_path / "README.md").write_text(TEXT)
    return tmp_path


def test_readme_is_in_sync():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("<!-- results: ") >= 6
    assert readme_tables.updated(text, ROOT) == text, (
        "run python -m zoo.report --readme=README.md"
    )


def test_tables_are_made_again(root):
    new = readme_tables.updated(TEXT, root)
    first, second = new.split("after\n")
    assert first.startswith(
        "before\n<!-- results: results/zoo_16.json -->\n| network |"
    )
    assert first.endswith(" |\n<!-- end of results -->\n") and "old" not in new
    assert "| crnet | klt | 0.002 | -12.25 | 0.9600 | 0.42M | 2.58M |\n" in first
    assert "| linear KLT |  |  | -11.00 |  | 0.26M | 0.26M |\n" in first
    assert "| fast | 11,874 | 0.50 |\n" in second
    assert readme_tables.updated(new, root) == new


def test_values_of_the_json_are_shown(root):
    path = root / "results" / "zoo_16.json"
    content = json.loads(path.read_text())
    content["rows"][0]["nmse_db"] = -99.0
    path.write_text(json.dumps(content))
    assert "| crnet | klt | 0.002 | -99.00 |" in readme_tables.updated(TEXT, root)


def test_command(root):
    done = run_command("zoo.report", f"--readme={root / 'README.md'}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "tables made again" in done.stdout
    new = (root / "README.md").read_text()
    assert new == readme_tables.updated(TEXT, root)
    done = run_command("zoo.report", f"--readme={root / 'README.md'}")
    assert "as it was" in done.stdout and (root / "README.md").read_text() == new


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TEXT.replace("<!-- end of results -->\nafter", ""),
            "zoo_16.json -->: no <!--",
        ),
        (TEXT.replace("zoo_16", "zoo_17"), "zoo_17.json: no such file"),
    ],
)
def test_mistakes_are_named(root, text, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        readme_tables.updated(text, root)
