"""Codecs away from simulated channels: what is measured, and how it is shown."""

import dataclasses
import math

import pytest

from tests.conftest import ROOT, run_command
from zoo import files
from zoo.config import ExperimentConfig
from zoo.experiments import robustness
from zoo.experiments import robustness_conditions as given
from zoo.experiments.robustness_conditions import Condition
from zoo.reporting.blocks import markdown
from zoo.reporting.codec_tables import SYSTEMS, pursuit_ablation
from zoo.reporting.codec_tables import robustness as shown

ERRORS = given.PERTURBATIONS["antennas 2 dB, 20 degrees"]
FEW = (
    Condition("indoor"),
    Condition("indoor", "noise 10 dB", snr_db=10),
    Condition("indoor", "antennas 2 dB, 20 degrees", perturbation=ERRORS),
)


@pytest.fixture
def settings(data_dir, monkeypatch):
    monkeypatch.setitem(robustness.CHANNELS, "indoor", "cost2100_sim/indoor_tiny")
    monkeypatch.setattr(robustness, "conditions", lambda: iter(FEW))
    monkeypatch.setattr(robustness, "OVERSAMPLING", 4)
    return ExperimentConfig(data_dir=str(data_dir), num_test=20)


def test_every_condition_has_its_own_name():
    every = list(given.conditions())
    assert len({(c.channels, c.name) for c in every}) == len(every) == 33
    assert {name for c in every for name, _ in given.systems(c)} == set(SYSTEMS)
    assert all(c.perturbation.options() for c in every if "diffuse" in c.name)


def test_rows_are_measured_once(settings, tmp_path):
    path, names = tmp_path / "rows.json", tuple(SYSTEMS)[:5]
    told: list[dict] = []
    content = robustness.measure(settings, (96,), names, path, told.append)
    rows = {(r["condition"], r["system"]): r for r in content["rows"]}
    assert len(told) == len(rows) == 3 + 1 + 1 + 1 + 3
    clean, noisy, uneven = (rows[c.name, "pursuit"] for c in FEW)
    assert clean["snr_db"] is None and noisy["snr_db"] == 10
    assert noisy["feedback_bits"] > clean["feedback_bits"]  # noise is described, too
    assert clean["nmse_db"] < uneven["nmse_db"] - 1
    known = rows["noise 10 dB", "pursuit noise known"]
    assert known["nmse_db"] < 0 and known["feedback_bits"] < 200
    calibrated = rows[FEW[2].name, "pursuit calibrated"]
    assert calibrated["nmse_db"] < uneven["nmse_db"]
    assert uneven["perturb"] == {"gain_db": 2, "phase_deg": 20}
    before = path.read_text()
    robustness.measure(settings, (96,), names, path, told.append)
    assert path.read_text() == before and len(told) == len(rows)
    assert clean["num_train"] == 400 and clean["seed"] == 0 and clean["date"]
    for changes in ({"num_train": 50}, {"seed": 1}, {"num_test": 10}):
        ((name, new),) = changes.items()
        other = dataclasses.replace(settings, **changes)
        with pytest.raises(ValueError, match=f"{name}: {clean[name]} -> {new}.*--json"):
            robustness.measure(other, (96,), names, path)
    table = markdown(shown(files.read_json(path)))
    assert f"{clean['nmse_db']:.1f} ({clean['feedback_bits']:.0f})" in table
    assert "| calibrated | DFT taps |" in table and "16 KLTs" not in table


def test_committed_rows_are_known(monkeypatch):
    """Those of an older file say nothing of their data."""
    settings = ExperimentConfig(num_test=200, num_train=500)
    monkeypatch.setattr(robustness, "_num_train", lambda *_: 500)
    monkeypatch.setattr(robustness, "data_digest", lambda _: "0")
    monkeypatch.setattr(robustness, "_builder", lambda *_: None)
    path = ROOT / "zoo" / "results" / "robustness.json"
    rows = list(robustness._rows(settings, (256, 768), ("pursuit", given.NETWORK)))
    assert len(rows) > 60 and all(robustness._known(row, path) for row in rows)


@pytest.mark.slow
def test_the_shipped_network_is_tested_with_bits(settings, tmp_path):
    settings = dataclasses.replace(settings, num_test=100)
    content = robustness.measure(
        settings, (96,), (given.NETWORK,), tmp_path / "rows.json"
    )
    clean, noisy, _ = content["rows"]
    assert clean["report_bits"] == clean["feedback_bits"] == 768
    assert clean["nmse_db"] < -10 and clean["nmse_db"] < noisy["nmse_db"] < -5


def test_rows_of_the_ablation_say_what_made_them(data_dir, tmp_path):
    sizes = "--bits=48", "--num_train=20", "--num_test=5", f"--json={tmp_path / 'x'}"
    data = "--datasets=cost2100_sim/indoor_tiny", f"--data_dir={data_dir}"
    done = run_command("benchmarks.pursuit_ablation", *data, *sizes)
    assert done.returncode == 0, done.stderr[-2000:]
    for row in files.read_json(tmp_path / "x")["rows"]:
        assert row["seed"] == 0 and row["commit"] and row["date"]


def test_the_ablation_has_a_column_for_each_place():
    rows = [
        {
            "choice": choice, "dataset_config": config, "report_bits": bits,
            "nmse_db": -10.0, "feedback_bits": 99.0, "search_ms_per_atom": 0.25,
        }
        for choice in ("reference", "grid 2x")
        for config in ("indoor_quick", "outdoor_quick")
        for bits in (256, 768)
    ]  # fmt: skip
    table = pursuit_ablation({"rows": rows})
    assert table.columns[1:4] == ["indoor, 256", "indoor, 768", "outdoor, 256"]
    assert table.rows[1] == ["grid 2x", *["-10.0 (99)"] * 4, "0.25"]
    assert not math.isnan(table.rows[0][1].values[""])
