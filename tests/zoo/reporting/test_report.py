"""The report on a results directory, and what it refuses."""

from __future__ import annotations

import io
import re

import matplotlib.image
import pytest

from tests.conftest import ROOT, run_command
from tests.support import report_files
from tests.support.html_page import ReportPage
from zoo.reporting import html_pages, result_sections
from zoo.reporting import results_files as report_loader
from zoo.reporting.blocks import Table, markdown
from zoo.reporting.tables import number, reproduced


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    directory = tmp_path_factory.mktemp("results")
    report_files.write(directory / "all")
    return directory / "all"


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    """Files of the report, made by the command."""
    output = tmp_path_factory.mktemp("report") / "report"
    done = run_command(
        "zoo.report",
        f"--results={results}",
        f"--output={output}",
        "--networks=crnet,lora",
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    names = ("report.html", "report.md", "leaderboard.png", "pareto.png")
    assert all(str(output.with_name(name)) in done.stdout for name in names)
    return output.parent


@pytest.fixture(scope="module")
def page(written):
    return ReportPage(written / "report.html")


def test_page_is_self_contained_and_linked(written, page):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "prefers-color-scheme" in text
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    within = {link[1:] for link in page.links if link.startswith("#")}
    assert {"leaderboard", "claims", "results", "pareto", "networks"} <= within
    assert "lora-figure6" in within
    assert within <= page.ids and len(within) > 10
    outside = {link for link in page.links if not link.startswith("#")}
    assert all(link.startswith("https://") for link in outside)
    # outside links are the papers': nothing is loaded from there
    assert not re.search(r"""(src|url\(|@import)\W{0,3}(https?:)?//""", text)
    # leaderboard, costs, bits, a figure, PyTorch's curve
    assert len(page.images) == 1 + 3 + 2 + 1 + 1
    files = [
        (written / f"{name}.png").read_bytes() for name in ("leaderboard", "pareto")
    ]
    assert page.images[:2] == files
    for image in page.images:
        pixels = matplotlib.image.imread(io.BytesIO(image))
        assert pixels.shape[1] > 600 and pixels[..., :3].std() > 0.02


def test_paper_and_ours_have_columns_of_their_own(page):
    data = "tr38901/lora_rma_nlos_quick"
    assert page.table("block", "series", "paper", "ours") == [
        ["4", "mlp", "-29.21", "-14.25", "1", "-11.50", "4,096 (float)", data, ""],
        [
            "4",
            "cnn",
            "-11.23",
            "-10.50",
            "1",
            "-11.50",
            "4,096 (float)",
            data,
            "behind the linear KLT",
        ],
    ]
    assert page.table("side", "series") == [
        ["1/4 ue", "clnet", "1,049,000", "1,048,968"]
    ]
    heads = [[cell.strip() for cell in table[0]] for table in page.tables]
    assert not any("paper" in cell and "ours" in cell for t in heads for cell in t)


def test_figures_have_their_values_below_the_plot(page):
    assert [row[:6] for row in page.table("ratio", "series", "paper")] == [
        ["1/16", "ista_net", "–", "-12.10", "-12.20 to -12.00", "3"],
        ["1/16", "lora", "–", "-14.30", "-14.70 to -14.00", "3"],
        ["1/16", "linear KLT", "–", "-11.50", "", "3"],
        ["1/64", "ista_net", "–", "-7.10", "-7.30 to -7.00", "3"],
        ["1/64", "lora", "–", "-7.03", "-7.20 to -6.90", "3"],
    ]


def test_claims_stand_behind_with_verdict_and_numbers(page):
    text = "".join(page.texts)
    start = text.index("3 claims of the papers: ")
    heads = ("Networks of one table", "The steps are the front", "Budget fast")
    assert all(text.index(head) < start for head in heads)
    summary = text[start : text.index("All numbers are ours.", start)]
    assert "1 confirmed, 1 not confirmed, 1 not decidable at this budget" in summary
    at = [summary.index(f"{mark} ") for mark in "✓✗?"]
    assert at == sorted(at)
    assert "lora better than ista_net" in summary
    assert "1 of 2 decide, seeds 3; " in summary
    assert "at ratio 1/16: -2.20; 1/64: +0.07" in summary
    assert "trainings, " in summary and " hours one after the other" in summary
    assert "at block 4: -3.75; the paper's values: 4: -17.98" in summary
    assert "no common point" in summary


def test_every_number_says_where_it_comes_from(page, results):
    text = "".join(page.texts)
    sections = text.split("Where these numbers come from")[1:]
    assert len(sections) == len(list(results.rglob("*.json")))
    for name in ("lora.figure6.json", "zoo_16.json", "simulators.json"):
        assert re.search(rf"{name}, made by (\w+\.py|python -m zoo.rep)", text)
    assert "zoo.reproduce lora.figure6 --budget=fast --seeds=3, commit" in text
    values = [t for t in page.tables if t[0][:3] == ["value", "origin", "run"]]
    rows = [row for table in values for row in table[1:]]
    assert all(row[1] == "ours" for row in rows)
    found = {(row[0], row[5]): row for row in rows if len(row) > 9}
    for seed in "012":
        row = found["lora, 1/64", seed]
        data = "tr38901/lora_rma_nlos_quick"
        assert row[2:5] == [f"lora_s{seed}-00000020", data, data]
        assert row[6:10] == ["4", "4", "paper", "1,800"]
        assert row[10:12] == ["012345678", "another processor, 1 core"]
    assert found["crnet_16", "0"][-1] == "f" * 12  # its flags
    (count,) = [row for row in rows if row[0] == "clnet, 1/4 ue"]
    assert count[2] == "computed"
    assert text.count("values in the column paper: ") == 2
    assert "1 values in the column paper: Ji, Li: CLNet" in text


def test_other_results_have_tables(page):
    networks = page.table("network", "start", "peak rate")
    assert [row[0] for row in networks] == ["crnet", "csinet", "linear KLT", "transnet"]
    assert page.table("simulator", "drops/s, median", "paths [ms]") == [
        ["fast", "11,874", "0.50"]
    ]
    (row,) = page.table("network", "data set", "ratio", "seed")
    assert row[4:7] == ["-11.75", "-11.00", "768"]
    assert page.table("seed", "zoo, NMSE [dB]", "PyTorch, NMSE [dB]") == [
        ["0", "-9.50", "-9.25", "-0.25", "-11.00"],
        ["mean", "-9.50", "-9.25", "-0.25", "-11.00"],
    ]


def test_markdown_says_the_same(written):
    text = (written / "report.md").read_text(encoding="utf-8")
    assert (
        "| 4 | mlp | -29.21 | -14.25 | 1 | -11.50 | 4,096 (float) | "
        "tr38901/lora_rma_nlos_quick |" in text
    )
    assert "- **not confirmed**: no point in common" in text
    assert '<details id="net-crnet" markdown="1"><summary>crnet: ' in text
    assert text.count("<details") == text.count("</details>")


def test_drawings_of_reproduce_are_taken_as_they_are(tmp_path):
    path = tmp_path / "reproduce" / "lora.figure6.json"
    assert len(result_sections.result_section(path, report_files.FIGURE).blocks) == 4
    path.parent.mkdir()
    path.with_suffix(".png").write_bytes(b"drawn")
    section = result_sections.result_section(path, report_files.FIGURE, tmp_path)
    assert section.blocks[1].png == b"drawn" and not section.blocks[1].plot
    assert "](reproduce/lora.figure6.png)\n" in markdown(section)


def test_what_decides_nothing_is_marked():
    start = report_files.entry("a", 4, [-8.0], init="klt", best_epoch=0)
    entries = [start, report_files.entry("b", 4, [0.3], feedback_bits=512)]
    table = reproduced(report_files.result("x", entries))
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["note"] for row in found] == [
        "at its start: no epoch was better; behind the linear KLT",
        "learned nothing",
    ]
    assert [row["feedback bits"] for row in found] == ["4,096 (float)", "512"]


def test_open_places_say_why():
    claim = {
        **report_files.FIGURE["claims"][0], "unrecorded": True,
        "open": {"1/4": "behind", "1/16": "within", "1/64": "behind"},
    }  # fmt: skip
    result = {**report_files.FIGURE, "claims": [claim]}
    (shown,) = result_sections.claims_of(report_files.HERE / "a.json", result)
    assert "; open: behind (1/4, 1/64); within (1/16); starts and" in shown.numbers
    earlier = result_sections.claims_of(
        report_files.HERE / "a.json", report_files.FIGURE
    )[0]
    assert "open" not in earlier.numbers


def test_claims_of_our_own_stand_apart():
    of_paper = report_files.FIGURE["claims"][0]
    both = [of_paper, {**of_paper, "origin": "ours", "verdict": "confirmed"}]
    results = {report_files.HERE / "a.json": {**report_files.FIGURE, "claims": both}}
    text = markdown(result_sections.summary_section(results))
    assert "1 claims of the papers: 0 confirmed" in text
    assert "1 statements of our own: 1 confirmed" in text
    rows = result_sections.verdicts(results).rows
    assert [row[4:] for row in rows[1:]] == [["0", "0", "1"], ["1", "0", "0"]]


def test_committed_report_is_of_the_committed_results():
    folder = ROOT / "zoo" / "results"
    docs = ROOT / "docs" / "results"
    text = (docs / "report.md").read_text(encoding="utf-8")
    for path, content in report_loader.load(folder).items():
        if "target" in content:
            section = result_sections.result_section(path, content, docs)
            assert markdown(section) in text, (
                f"{path.name}: run python -m zoo.report --results=zoo/results"
            )


def test_text_is_escaped_and_papers_are_linked():
    table = Table(["a", "paper, b"], [["<b>", "see https://x.org/1."]], "x & y")
    html = html_pages.html(table)
    assert "&lt;b&gt;" in html and "x &amp; y" in html
    assert 'see <a href="https://x.org/1" rel="noopener">https://x.org/1</a>.' in html
    assert "| see" in markdown(table) and "a|b" not in markdown(Table(["a|b"], []))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (0.0, "0.00"), (0.0042, "0.0042"), (-11.005, "-11.01"),
        (12345.6, "12,346"), (1000, "1,000"), (True, "True"), ("1/4", "1/4"),
    ],
)  # fmt: skip
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_entries_at_the_same_place_stand_together():
    entries = [report_files.entry(*e) for e in (("a", 4, [1.0]), ("a", 8, [1.0]))]
    entries.append(report_files.entry("b", 4, [2.0, 2.0]))
    table = reproduced(report_files.result("x", entries))
    assert [row[:2] for row in table.rows] == [["4", "a"], ["4", "b"], ["8", "a"]]
    assert "ours, spread" not in table.columns and "seeds" in table.columns


def test_figures_are_drawn_again_from_their_json(tmp_path):
    report_files.write(tmp_path)
    folder = tmp_path / "reproduce"
    (folder / "lora.figure6.png").unlink()
    done = run_command("zoo.reproduce", f"--redraw={folder}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert [path.stem for path in folder.glob("*.png")] == ["lora.figure6"]
    assert f"drawn: {folder / 'lora.figure6.png'}" in done.stdout
