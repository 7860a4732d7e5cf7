"""Bits in the report: curves, the codec beside each network, the front picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import figure_checks, report_files
from zoo import files
from zoo.reporting import rate_columns, rate_curves, rate_plot, rate_section
from zoo.reporting.rate_curves import BETWEEN, EXACT, FEWER, Curve
from zoo.reporting.rate_tables import everything, overview
from zoo.reporting.tables import table_of

PATH = Path("results/rate_hall.json")


def row(model: str, bits: float, nmse_db: float, **changes) -> dict:
    return {
        "model": model, "report_bits": round(bits), "rate": "mean", "fitted_on": None,
        "dataset": "cost2100_sim", "dataset_config": "indoor", "codeword_dim": None,
        "bits": None, "feedback_bits": bits, "feedback_bits_min_max": [8, 2 * bits],
        "nmse_db": nmse_db, "nmse_worst_db": nmse_db / 2, "rho": 0.9, "num_train": 1000,
        "seed": 0, **report_files.ENVIRONMENT, **changes,
    }  # fmt: skip


def network(bits: int, nmse_db: float) -> dict:
    own = {"report_bits": None, "rate": None, "run": "crnet_16", "codeword_dim": 128}
    return row("crnet", bits, nmse_db, quantised="after training", **own)


@pytest.fixture
def content():
    rows = [
        row("pursuit", 100, -12.0), row("pursuit", 400, -30.0),
        row("pursuit", 96.0, -10.0, rate="fixed"),
        row("dft", 50, -5.0), row("dft", 200, -25.0),
        row("dft", 200, -60.0, fitted_on="cost2100_sim/outdoor_quick"),
        network(768, -11.0),
    ]  # fmt: skip
    return {
        "rate_curves": {"dataset": "cost2100_sim/indoor"},
        "rows": rows,
        "gaussian_klt": {"points": [[32.0, -2.0], [4000.0, -30.0]]},
        **report_files.ENVIRONMENT,
    }


@pytest.fixture
def budgets(content):
    """The same errors, of codecs whose reports are at most so long."""
    rows = [r | ({} if r.get("run") else {"rate": "fixed"}) for r in content["rows"]]
    return content | {"rows": rows}


def test_a_mean_is_no_budget(content):
    """Networks always send as many bits: a codec that may send more is no match."""
    found = rate_curves.best_classic("cost2100_sim/indoor", 400, [content])
    assert found == ("pursuit", -10.0, FEWER)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (20, None),
        (50, ("dft", -5.0, EXACT)),
        (100, ("dft", -15.0, BETWEEN)),  # half way over the logarithm
        (200, ("dft", -25.0, EXACT)),
        (401, ("pursuit", -30.0, EXACT)),
        (4096, ("pursuit", -30.0, FEWER)),
    ],
)
def test_best_codec_in_a_number_of_bits(budgets, bits, expected):
    found = rate_curves.best_classic("cost2100_sim/indoor_quick", bits, [budgets])
    assert found == (expected and pytest.approx(expected))
    assert rate_curves.best_classic("cost2100_sim/outdoor", bits, [budgets]) is None


def test_columns_beside_a_network(budgets, monkeypatch):
    monkeypatch.setattr(rate_curves, "committed", lambda: (budgets,))
    cells = rate_columns.cells

    def shown(data="cost2100_sim/indoor_quick:stream", **changes):
        return cells({"codeword_dim": 128, "feedback_bits": None, **changes}, data)

    assert shown() == ["4,096 (float)", "≤ -30.00"]
    assert shown(feedback_bits=400) == ["400", "-30.00"]
    assert shown(feedback_bits=100) == ["100", "~ -15.00"]
    assert shown(feedback_bits=100)[1].values["codec"] == "dft"
    assert shown(test_snr_db=10.0)[1] == shown("own/mine")[1] == "–"


def test_tables_of_networks_have_them(budgets, monkeypatch):
    monkeypatch.setattr(rate_curves, "committed", lambda: (budgets,))
    rows = [report_files.row("crnet", -11.5, 1)]
    table = table_of(Path("x.json"), {"rows": rows})
    found = dict(zip(table.columns, table.rows[0], strict=True))
    assert [found[name] for name in rate_columns.COLUMNS] == [
        "4,096 (float)",
        "≤ -30.00",
    ]


def test_overview_has_nmse_and_the_bits_behind_it(content):
    table = table_of(PATH, content)
    assert table == overview(content)
    assert table.columns[2:] == ["50", "96", "100", "200", "400", "768"]
    names = [(row[0], row[1]) for row in table.rows]
    assert names == [
        ("pursuit", "mean"),
        ("DFT taps", "mean"),
        ("crnet, M = 128, bits after training", "always"),
        ("pursuit", "at most"),
        ("DFT taps, fitted on cost2100_sim/outdoor", "mean"),
    ]
    assert table.rows[0][-2] == "-30.00 (400)" and table.rows[0][2] == ""
    every = everything(content, "points")
    assert len(every.rows) == len(content["rows"]) and "ours, SGCS" not in every.columns
    assert "8 to 200" in every.rows[0]


def test_section_shows_networks_of_all_results(content):
    own = report_files.row("clnet", -9.0, 1) | {"feedback_bits": 128}
    noisy = own | {"model": "csinet", "test_snr_db": 5.0}
    other = own | {"feedback_bits": None}
    results = {PATH: content, Path("y.json"): {"rows": [own, noisy, other]}}
    (panel,) = rate_section.panels(results).values()
    assert [curve.name for curve in panel] == [
        "pursuit", "DFT taps", "crnet, M = 128, bits after training",
        rate_curves.GAUSSIAN, "clnet, M = 128",
    ]  # fmt: skip
    assert panel[-1].points == [(128, -9.0)]
    section = rate_section.section(results, "rate.png")
    picture = section.blocks[1]
    assert picture.link == "rate.png" and "clnet, M = 128 -9.0 dB" in picture.alt
    assert rate_section.section({Path("y.json"): {"rows": [own]}}) is None


def test_plot_has_nothing_cut_off(content, monkeypatch, tmp_path):
    own = rate_curves.curves(content)
    panels = {"indoor": own, "outdoor": [*own, Curve("a network", "network", [(9, 0)])]}
    for figures in figure_checks.kept(monkeypatch):
        rate_plot.save(panels, tmp_path / "x.png")
        rate_plot.save({"indoor": own}, tmp_path / "y.png")
        assert len(figures) == 2
        for figure in figures:
            figure_checks.check(figure)


def test_committed_curves_are_whole():
    paths = sorted(files.RESULTS.glob("rate_*.json"))
    assert len(paths) == len(rate_curves.committed())
    for path in paths:
        content = files.read_json(path)
        assert content["commit"] and content["gaussian_klt"]["points"]
        codecs = {row["model"] for row in content["rows"] if not row.get("run")}
        assert codecs >= {"pursuit", "dft", "klt_coded"}
        for row in content["rows"]:
            assert row["commit"] and row["test_data"] and row["nmse_worst_db"] < 3
            if row["rate"] == "fixed":
                assert row["feedback_bits_min_max"][1] <= row["report_bits"]
