"""Units, places, labels and origins in the tables of the report."""

from __future__ import annotations

import re

import numpy as np

from tests.conftest import ROOT
from tests.support import report_files
from zoo.experiments import drawings
from zoo.metrics import plots
from zoo.reporting import origins, result_sections, results_files
from zoo.reporting.blocks import markdown
from zoo.reporting.tables import reproduced, table_of


def several_units():
    counted = {"runs": [], "value": "measured"}
    entries = [
        report_files.entry("crnet", "indoor 1/4", [-20.0], paper=-26.99),
        report_files.entry("clnet", "indoor 1/4", [-22.0]),
        {**report_files.entry("crnet flops", "1/4", [7659520.0], 7_660_000), **counted},
        {**report_files.entry("clnet flops", "1/4", [7659000.0]), **counted},
    ]
    more = {"x": "scenario, ratio", "unit": "NMSE [dB], or as the series says"}
    of_paper = report_files.FIGURE["claims"][0]
    claims = [{**of_paper, "difference": {"indoor 1/4": -2.0}},
              {**of_paper, "difference": {"1/4": -520.0}, "unit": "FLOPs"}]  # fmt: skip
    title = "Head, 1/4 (fast: 1/16)"
    return report_files.result("crnet.table1", entries, claims, title=title, **more)


def test_each_row_has_its_unit_scenario_and_ratio():
    result = several_units()
    table = reproduced(result)
    heads = ["scenario", "ratio", "series", "unit", "paper", "ours"]
    assert table.columns[:6] == heads
    assert [row[:6] for row in table.rows] == [
        ["indoor", "1/4", "crnet", "NMSE [dB]", "-26.99", "-20.00"],
        ["indoor", "1/4", "clnet", "NMSE [dB]", "–", "-22.00"],
        ["", "1/4", "crnet flops", "FLOPs", "7,660,000", "7,659,520"],
        ["", "1/4", "clnet flops", "FLOPs", "–", "7,659,000"],
    ]
    text = markdown(result_sections.result_section(report_files.HERE / "x", result))
    assert "difference in NMSE [dB] at scenario, ratio indoor 1/4: -2.00" in text
    assert "difference in FLOPs at scenario, ratio 1/4: -520.00" in text
    assert "as the series says" not in text
    assert "Head, 1/16, NMSE" not in text and "crnet.table1: Head, 1/16\n" in text


def test_published_values_of_other_places_have_rows_without_ours():
    """In the paper's column, never in ours."""
    entries = [
        report_files.entry("0.3", "indoor 1/16", [-11.5]),
        report_files.entry("0.5", "indoor 1/16", [-11.6]),
    ]
    elsewhere = [
        {"series": "0.3", "x": "indoor 1/4", "paper": -26.99},
        {"series": "0.3", "x": "indoor 1/16", "paper": -11.35},
    ]
    own = report_files.result(
        "x", entries, x="scenario, ratio", published_elsewhere=elsewhere
    )
    table = reproduced(own)
    assert [row[1:5] for row in table.rows] == [
        ["1/16", "0.3", "–", "-11.50"],
        ["1/16", "0.5", "–", "-11.60"],
        ["1/16", "0.3", "-11.35", "not run"],
        ["1/4", "0.3", "-26.99", "not run"],
    ]
    text = markdown(result_sections.result_section(report_files.HERE / "x", own))
    assert "Origin of 2 values in the column paper" in text


def test_data_sets_of_the_test_have_one_column_which_is_filled():
    here, there = (report_files.entry(s, "a", [-1.0]) for s in ("here", "there"))
    entries = [here, {**there, "tested_on": "other/set"}]
    table = reproduced(report_files.result("x", entries))
    data = "tr38901/lora_rma_nlos_quick"
    place = table.columns.index("tested on")
    assert [row[place] for row in table.rows] == [data, "other/set"]
    table = reproduced(report_files.result("x", entries, x="tested on"))
    assert table.columns.count("tested on") == 1 and table.rows[0][0] == "a"


def test_all_data_sets_of_a_mix_are_named():
    data = "tr38901/a_quick/1.1.0 train[:9] of 20 + cost2100/b/1.0.0 train[:9] of 30"
    mix = report_files.entry("mix", "a", [-1.0], train_data=f"{data}; before: x/y/1 t")
    table = reproduced(report_files.result("x", [mix]))
    place = table.columns.index("trained on")
    assert table.rows[0][place] == "tr38901/a_quick, cost2100/b"
    details = origins.provenance(report_files.HERE / "x", {}, [("1", mix["runs"][0])])
    shown = details.blocks[1].rows[0]
    assert shown[3:5] == ["tr38901/a_quick, cost2100/b", "tr38901/lora_rma_nlos_quick"]


def test_provenance_is_that_of_the_rows_where_a_file_has_none():
    rows = {"rows": [report_files.row("crnet", -1.0, 1)]}
    own = {**rows, **report_files.ENVIRONMENT}
    runs = [("1", rows["rows"][0])]
    for content, words in (
        (rows, "made by the commands of its rows; commits and devices below."),
        (own, f"commit 012345678, {own['date']}, a processor, 2 cores."),
    ):
        details = origins.provenance(report_files.HERE / "x", content, runs)
        assert words in details.blocks[0] and ", ," not in details.blocks[0]


def test_pictures_of_an_earlier_drawing_say_so(tmp_path):
    path = tmp_path / "zoo.drop.json"
    result = report_files.result("zoo.drop", report_files.FIGURE["entries"])
    plots.save_curves(result, path.with_suffix(".png"))
    text = markdown(result_sections.result_section(path, result, tmp_path))
    assert "An earlier drawing" in text
    h = np.ones((4, 4, 2))
    drawings.pictures([[("true", h), ("x", h)]], path.with_suffix(".png"))
    text = markdown(result_sections.result_section(path, result, tmp_path))
    assert "An earlier drawing" not in text


def test_labels_of_committed_measurements_are_words():
    for path, content in results_files.load(ROOT / "zoo" / "results").items():
        table = table_of(path, content)
        names = [*table.columns, *(row[0] for row in table.rows if path.stem == "soak")]
        for name in names:
            assert not re.search(r" per s\b|\bmb\b|\bnum\b|target", name), (path, name)
        assert not any("1 cores" in cell for row in table.rows for cell in row)
