"""The tables of committed Markdown are those of the committed results."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.conftest import ROOT, run_command
from tests.support import report_files
from zoo.reporting import page_tables

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


def committed_pages():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "README.md", "docs/*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    pages = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [
        page for page in pages if page_tables.BEGIN.search(page_tables.text_of(page))
    ]


def test_committed_pages_are_in_sync():
    pages = committed_pages()
    tables = sum(page_tables.text_of(page).count("<!-- results: ") for page in pages)
    assert tables >= 6
    for page in pages:
        text = page_tables.text_of(page)
        assert page_tables.updated(text, page.parent) == text, (
            f"run python -m zoo.report --pages={page.relative_to(ROOT)}"
        )


def test_a_folder_of_weights_has_the_table_of_their_cards(tmp_path):
    """In the order of ratios; those of before have no bits."""
    grids = {str(b): {"nmse_db": -float(b), "classic_db": None} for b in (4, 6)}
    new = {"grids": grids, "nmse_db_by_seed": {"0": -9.0, "1": -9.5}}
    for name, more in (("crnet_indoor_16", new), ("crnet_indoor_4", {})):
        (tmp_path / name).mkdir()
        card = {**report_files.row("crnet", -9.5, 10), "num_test": 2000, **more}
        (tmp_path / name / "card.json").write_text(json.dumps(card))
    header, _, first, second = page_tables.block(tmp_path).splitlines()
    cells = [[x.strip() for x in line.split("|")[1:-1]] for line in (header, first)]
    named = dict(zip(*cells, strict=True))
    assert named["weights"] == "crnet_indoor_4"
    assert named["ours, 6 bits an entry [dB]"] == "–" and named["seeds"] == "1"
    assert second.startswith("| crnet_indoor_16 | crnet | 1/16 |")
    assert "| -6.00 |" in second and "| -4.00 |" in second
    assert named["training drops"] == "340,000"
    del card["nmse_pca_db"]
    (tmp_path / name / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="nmse_pca_db"):
        page_tables.block(tmp_path)


def test_tables_are_made_again(root):
    new = page_tables.updated(TEXT, root)
    first, second = new.split("after\n")
    assert first.startswith(
        "before\n<!-- results: results/zoo_16.json -->\n| network |"
    )
    assert first.endswith(" |\n<!-- end of results -->\n") and "old" not in new
    assert (
        "| crnet | klt | 0.002 | -12.25 | 0.9600 | 0.42M | 2.58M | 4,096 (float) |"
        in first
    )
    assert "| linear KLT |  |  | -11.00 |  | 0.26M | 0.26M | 4,096 (float) |" in first
    assert "| fast | 11,874 | 0.50 |\n" in second
    assert page_tables.updated(new, root) == new


def test_values_of_the_json_are_shown(root):
    path = root / "results" / "zoo_16.json"
    content = json.loads(path.read_text())
    content["rows"][0]["nmse_db"] = -99.0
    path.write_text(json.dumps(content))
    assert "| crnet | klt | 0.002 | -99.00 |" in page_tables.updated(TEXT, root)


def test_command(root):
    done = run_command("zoo.report", f"--readme={root / 'README.md'}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "tables made again" in done.stdout
    new = (root / "README.md").read_text()
    assert new == page_tables.updated(TEXT, root)
    done = run_command("zoo.report", f"--readme={root / 'README.md'}")
    assert "as it was" in done.stdout and (root / "README.md").read_text() == new


def test_files_are_found_from_below(root):
    below = root / "docs" / "results"
    below.mkdir(parents=True)
    page = below / "page.md"
    page.write_text(TEXT)
    (below / "other.md").write_text("no table")
    done = run_command("zoo.report", f"--pages={root / 'docs'}", f"--pages={page}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{page}: tables made again" in done.stdout and "other" not in done.stdout
    assert f"{page}: as it was" in done.stdout
    assert page.read_text() == page_tables.updated(TEXT, root)
    near = below / "results"  # nearer than the project's
    report_files.write(near)
    assert page_tables.find("results/zoo_16.json", below) == near / "zoo_16.json"


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
        page_tables.updated(text, root)
