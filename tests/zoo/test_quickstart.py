"""The whole chain on tiny data, as `make quickstart` runs it, and project rules."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import ROOT, TINY, run_command
from zoo.reporting import quickstart_table


@pytest.mark.serving
def test_quickstart_end_to_end(tmp_path):
    directory = tmp_path / "quickstart"
    overrides = [f"--{k}={v}" for k, v in (TINY | {"epochs": 8}).items()]
    done = run_command(
        "zoo.quickstart", f"--directory={directory}", "--", *overrides, timeout=400
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    summary = json.loads((directory / "summary.json").read_text())
    assert {
        "nmse_float_db", "nmse_quantised_db", "nmse_served_db", "nmse_pca_db", "rho",
        "feedback_bits", "encoder_bytes", "encode_ms_p50", "decode_ms_p50",
        "train_seconds",
    } <= set(summary)  # fmt: skip
    assert summary["feedback_bits"] == 32 * 6
    assert abs(summary["nmse_served_db"] - summary["nmse_quantised_db"]) < 0.05
    assert abs(summary["nmse_served_dynamic_db"] - summary["nmse_quantised_db"]) < 0.05
    assert summary["encoder_dynamic_bytes"] < summary["encoder_bytes"]
    assert f"{summary['nmse_served_db']:.3f}" in done.stdout
    assert "server stopped" in done.stdout
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) <= 49  # of 60: a longer one tells more of its progress
    assert len(re.findall(r"^\$ python -m ", done.stdout, re.M)) == 6
    assert not re.search(r"\.cc:|InitializeLog|XNNPACK|WARNING", "\n".join(lines))
    page = (directory / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3


def test_readme_shows_the_committed_results():
    result = json.loads(
        (ROOT / "zoo" / "results" / "crnet_quickstart.json").read_text()
    )
    readme = (ROOT / "README.md").read_text()
    assert quickstart_table.table(result["summary"]) in readme
    row = result["row"]
    assert row["origin"] == "ours" and not row["commit"].endswith("-dirty")
    assert row["nmse_float_db"] == result["summary"]["nmse_float_db"]


def test_every_flagfile_is_a_valid_configuration():
    from absl import flags

    from tfds_builders import flagfiles
    from zoo import config_flags, registry, train_stages

    paths = sorted((ROOT / "zoo" / "flagfiles").rglob("*.cfg"))
    assert len(paths) > 200
    for path in paths:
        values = flags.FlagValues()
        config_flags.define_flags(values)
        flags.DEFINE_multi_string("stage", [], "of train_stages", flag_values=values)
        args = flagfiles.expand(["train", f"--flagfile={path}"])
        values(args)
        settings = config_flags.from_flags(values)
        assert path.read_text().startswith("#")
        spec = registry.get(settings.model)
        if "_small" not in settings.dataset:  # of fewer taps
            assert settings.codeword_dim in spec.codeword_dims
        if values.stage:
            stages = train_stages.stage_settings(args[1:])
            assert len(stages) == 3
            assert stages[2].receiver != "none" or stages[2].quantizer == "polar"


def test_there_is_a_flagfile_for_every_published_row():
    from zoo import published, registry
    from zoo.experiments.lora_tables import L1_NORMS

    wanted = published.flagfiles()
    stored = {path.name: path.read_text() for path in published.PUBLISHED.glob("*")}
    assert stored == wanted, "run python -m zoo.published"
    figures = sum(
        len(scenarios)
        for spec in registry.MODELS.values()
        for rows in (spec.published, *(v.published for v in spec.variants.values()))
        for scenarios in rows.values()
    )
    assert len(wanted) == figures + sum(map(len, L1_NORMS.values()))
    text = wanted["crnet_7x7_4_outdoor.cfg"]
    assert '--model_args={"head": "7x7"}' in text and "-11.84 dB" in text


def test_fast_flagfiles_say_what_was_measured():
    from zoo import published

    stored = {path.name: path.read_text() for path in published.FAST.glob("*.cfg")}
    assert stored == published.fast_flagfiles(), "run python -m zoo.published"
    rows = json.loads(published.FAST_ROWS.read_text())["rows"]
    assert "crnet.cfg" in stored and len(stored) == len(rows)
    page = (ROOT / "docs" / "results" / "cost2100.md").read_text()
    for row in rows:
        assert row["origin"] == "ours" and not row["train_commit"].endswith("-dirty")
        assert "/tmp" not in json.dumps(row)
        assert f"| {row['model']} |" in page
