"""Leaderboard, plots and page of a comparison, and its page in the documentation."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT, assert_one_line_error, run_command
from tests.support.report_files import ENVIRONMENT, row
from zoo import files
from zoo.experiments.comparison_summary import summary
from zoo.reporting import (
    comparison_page,
    comparison_plots,
    comparison_table,
    page_tables,
    tables,
)

STORED = sorted(files.RESULTS.glob("compare_*.json"))


def content(**changes) -> dict:
    """A comparison of two networks at two lengths, one of which failed once."""
    rows = [
        row(
            name,
            value - seed,
            macs,
            network=name,
            codeword_dim=dim,
            bits=4,
            feedback_bits=4 * dim,
            seed=seed,
            sgcs=0.9,
        )  # fmt: skip
        for name, macs in (("crnet", 400_000), ("my_net", 90_000))
        for dim, value in ((128, -9.0), (64, -6.0))
        for seed in (0, 1)
    ]
    lines = [
        row("klt", value, 2048 * dim, network="klt", codeword_dim=dim)
        for dim, value in ((128, -10.0), (64, -7.0))
    ]
    what = {"network": "crnet", "codeword_dim": 64, "bits": 4, "seed": 2}
    failures = [{**what, "error": "out of luck & <memory>, see runs/a.log"}]
    about = {"dataset": "own/mine", "seeds": 2, "minutes": 10.0, "epochs": None}
    return {
        "comparison": about, "rows": rows, "baselines": lines, "failures": failures,
        "summary": summary(rows, lines, failures), **ENVIRONMENT, "origin": "ours",
        **changes,
    }  # fmt: skip


def test_leaderboard_has_every_payload_and_says_what_failed(tmp_path):
    table = comparison_table.leaderboard(content())
    cells = [dict(zip(table.columns, r, strict=True)) for r in table.rows]
    order = [(c["network"], c["M"]) for c in cells]
    assert order[:3] == [("linear KLT", "128"), ("crnet", "128"), ("my_net", "128")]
    assert (
        cells[0]["feedback bits"] == "4,096 (float)"
        and cells[1]["feedback bits"] == "512"
    )
    assert cells[1]["NMSE [dB]"] == "-9.50"
    assert cells[1]["spread"] == "-10.00 to -9.00"
    assert cells[4]["note"] == "1 failed: out of luck & <memory>"
    assert table.caption.startswith("own/mine: 10 minutes each on 20,000 training CSI")
    noted = comparison_table.caption(content(notes=["without dft: no bits"]))
    assert noted == f"{table.caption}; without dft: no bits"
    text = comparison_table.text(content())
    assert "crnet, M = 64: out of luck & <memory>, see runs/a.log" in text
    assert "linear KLT 128" in text and "note" not in text


def test_a_comparison_without_any_row_is_still_written(tmp_path):
    failures = content()["failures"]
    lost = content(rows=[], baselines=[], failures=failures)
    lost["summary"] = summary([], [], failures)
    written = comparison_page.write_all(tmp_path / "comparison.json", lost)
    assert "out of luck" in (tmp_path / "comparison.md").read_text()
    assert not [path for path in written if path.suffix in (".png", ".pdf")]


def test_everything_is_written(tmp_path):
    written = comparison_page.write_all(tmp_path / "comparison.json", content())
    assert all(path.is_file() for path in written)
    with (tmp_path / "leaderboard.csv").open() as file:
        first, *_ = csv.DictReader(file)
    assert first["network"] == "linear KLT" and float(first["NMSE [dB]"]) == -10
    assert r"\& \textless{}memory" in (tmp_path / "leaderboard.tex").read_text()
    page = (tmp_path / "comparison.html").read_text()
    assert "&lt;memory&gt;" in page and "own/mine" in page
    text = (tmp_path / "comparison.md").read_text()
    for cost in comparison_plots.COSTS:
        assert f"](comparison_{cost}.png)" in text
        assert (tmp_path / f"comparison_{cost}.pdf").read_bytes()[:4] == b"%PDF"
    folder = tmp_path / "again"
    path = tmp_path / "comparison.json"
    files.write_json(path, content())
    done = run_command(
        "zoo.report", f"--comparison={path}", f"--output={folder / 'mine'}"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "](mine_bits.png)" in (folder / "mine.md").read_text()
    files.write_json(path, {"rows": []})
    done = run_command("zoo.report", f"--comparison={path}")
    assert_one_line_error(done, "no comparison, expected comparison.json")


def test_a_line_per_network_and_what_is_too_bad_stands_at_the_edge():
    shown = comparison_plots.lines_of(content(), "feedback_bits")
    assert list(shown) == ["crnet", "my_net", "linear KLT"]
    assert [point[0] for point in shown["crnet"]] == [256, 512]
    assert shown["crnet"][1][1:] == (-9.5, -10.0, -9.0)
    bad = content()
    bad["rows"] = [{**r, "nmse_db": 32.0} if r["model"] == "my_net" else r
                   for r in bad["rows"]]  # fmt: skip
    bad["summary"] = summary(bad["rows"], bad["baselines"], [])
    images = []
    for values in (content(), bad):
        buffer = io.BytesIO()
        comparison_plots.save(values, "macs", buffer)
        images.append(np.asarray(Image.open(buffer).convert("L"), float))
    assert images[0].shape == images[1].shape and (images[0] != images[1]).any()
    both = content()
    both["summary"] += [{**line, "bits": 0} for line in both["summary"][1:2]]
    assert "crnet, float" in comparison_plots.lines_of(both, "ue_macs")


def test_pages_take_a_comparison_between_marks(tmp_path):
    path = tmp_path / "compare_mine.json"
    files.write_json(path, content())
    text = f"<!-- results: {path.name} -->\n<!-- end of results -->\n"
    made = page_tables.updated(text, tmp_path)
    assert "| crnet | 128 | 4 | 512 | -9.50 |" in made
    assert tables.table_of(path, content()).name == "leaderboard"


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_page_of_a_stored_comparison_is_in_sync(path, tmp_path):
    page = ROOT / "docs" / "results" / path.stem
    comparison_page.write_page(path, files.read_json(path), tmp_path / path.stem)
    stored = page.with_suffix(".md").read_text(encoding="utf-8")
    assert stored == (tmp_path / page.with_suffix(".md").name).read_text(), (
        f"run python -m zoo.report --comparison={path} --output={page}"
    )
