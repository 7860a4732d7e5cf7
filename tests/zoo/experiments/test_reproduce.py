"""Targets of python -m zoo.reproduce: cached runs, judged claims, text and plots."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT, TINY, assert_one_line_error, run_command
from tests.support import report_files
from zoo import files, reproduce
from zoo.baselines import sparse
from zoo.baselines.ista_graph import IstaGraph
from zoo.baselines.iteration import Stop
from zoo.baselines.sensing import measurement_matrix
from zoo.codeword.codeword_path import make_quantizer
from zoo.experiments import (
    drawings,
    dualnet,
    lora,
    lora_quantisers,
    lora_system,
    lora_tables,
    lora_track,
)
from zoo.experiments.pool import PendingRow
from zoo.experiments.runner import Runner, settings_of
from zoo.experiments.target import Entry, Lab, decibel, klt


def row(values: dict) -> PendingRow:
    return PendingRow("run", lambda: values)


SMALL = ("num_validation", "num_test", "epochs", "batch_size")
TRACK = "tr38901/lora_rma_nlos_track_small_tiny"


@pytest.fixture(scope="module")
def lab(data_dir, tmp_path_factory) -> Lab:
    """Fast flagfile cut down to seconds, on a tiny data set of a track."""
    extra = " ".join(f"--{name}={TINY[name]}" for name in SMALL)
    extra += f" --data_dir={data_dir} --dataset={TRACK} --cpu_step=native"
    directory = tmp_path_factory.mktemp("reproduce")
    return Lab(Runner(directory, ROOT / lora.FLAGFILES["fast"], extra), "fast", seeds=1)


def test_runs_are_named_by_what_they_are(lab):
    first = lab.runner.settings("a", codeword_dim=32)
    assert lab.runner.settings("a", codeword_dim=32) == first
    assert lab.runner.settings("a", codeword_dim=64).run_dir != first.run_dir
    assert lab.runner.settings("a", codeword_dim=32, data_dir="x").run_dir == (
        first.run_dir
    )
    assert first.dataset == TRACK and first.model == "lora"


@pytest.mark.slow
def test_table1_end_to_end(lab, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = reproduce.make("lora.table1", lab)
    entries = result["entries"]
    series = [e["series"] for e in entries]
    assert series == ["mlp"] * 4 + ["cnn"] * 4 + ["klt"] * 4
    assert entries[8]["ours"] == entries[3]["runs"][0]["nmse_pca_db"]
    assert entries[3]["paper"] == -29.21
    last = entries[3]
    for value, run in zip(last["ours_by_seed"], last["runs"], strict=True):
        assert value == pytest.approx(run["nmse_db"], abs=1e-3)  # block 4 is the output
        assert run["train_commit"] and run["weights_sha256"]
    assert result["claims"][0]["difference"].keys() == {"1", "2", "3", "4"}
    began = {p: p.stat().st_mtime_ns for p in lab.runner.directory.rglob("*.h5")}
    again = reproduce.make("lora.table1", lab)
    assert again["entries"] == entries  # nothing is trained twice
    assert began == {p: p.stat().st_mtime_ns for p in began}
    text = reproduce.render(result)
    assert "-29.21" in text and "the MLP is the better regulariser" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lora.table2", "lora.figure6", "lora.joint"])
def test_other_targets_run(name, lab, monkeypatch):
    monkeypatch.chdir(ROOT)
    for module in (lora, lora_tables):
        monkeypatch.setattr(module, "data_set", lambda *_: TRACK)
    monkeypatch.setattr(lora, "ratios", lambda lab: ("1/16",))
    result = reproduce.make(name, lab)
    assert result["entries"] and reproduce.render(result)


@pytest.mark.slow
def test_a_track_is_tested_in_three_places(lab, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(lora_track, "ORDER", ("ista", "ista_net"))
    monkeypatch.setattr(lora_track, "WIDER", "ista_net")
    monkeypatch.setattr(lora_track, "data_set", lambda *_: TRACK)
    result = reproduce.make("lora.track", lab)
    found = {(e["series"], e["x"]): e for e in result["entries"]}
    for series in ("ista", "ista_net", "klt"):
        assert found[series, "other tracks"]["tested_on"] == f"{TRACK} test_tracks"
        values = [found[series, place]["ours"] for place in lora_track.PLACES]
        assert len(set(values)) == 3
    (run,) = found["ista_net", "same segment"]["runs"]
    same = found["ista_net", "same segment"]["ours"]
    assert same == pytest.approx(run["nmse_db"], abs=1e-4)
    klt_db = found["klt", "same segment"]["ours"]
    assert klt_db == pytest.approx(run["nmse_pca_db"], abs=1e-3)


def test_networks_of_the_small_system_have_the_papers_shares(lab):
    fast, full = lab, dataclasses.replace(lab, budget="full")
    for model, args, widths in (
        ("lora", {}, ({"hidden": 128}, {})),
        ("lora", {"hidden": 4096, "blocks": 7}, ({"hidden": 512, "blocks": 7},) * 2),
        ("tilista_joint", {}, ({"code": 318}, {})),
        ("ista_net", {}, ({}, {})),
    ):
        small = lora_system.network(fast, model, **args)
        assert json.loads(small["model_args"]) == widths[0]
        whole = json.loads(lora_system.network(full, model, **args)["model_args"])
        assert whole == args
    assert lora_system.codeword_dim(fast, "1/32") == 8
    assert lora_system.data_set(full, "uma") == "tr38901/lora_uma_nlos_track"


def test_quantisers_by_hand_tile_what_bounds_the_codewords(lab):
    args = lora_quantisers.by_hand(4)
    layer = make_quantizer("lszq", 4, args)
    layer.build((None, 8))
    layer.fit(np.zeros((1, 8), np.float32))
    ends = np.asarray(layer.dequantize(np.array([[0] * 8, [15] * 8])))
    np.testing.assert_allclose(ends[:, 0], [-1, 1 - args["scale"]])
    assert {w.name.split("/")[-1] for w in layer.trainable_weights} == {"scale", "zero"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dualnet.uplink", "dualnet.figure3"])
def test_targets_of_two_stages_run(name, lab, monkeypatch):
    monkeypatch.chdir(ROOT)
    tiny = "cost2100_sim/dualnet_indoor_fdd_tiny"
    monkeypatch.setattr(dualnet, "_data_set", lambda lab, scenario: tiny)
    monkeypatch.setattr(dualnet, "SIGN_SHARE", {8: 0.25})
    own = dataclasses.replace(
        lab.runner,
        flagfile=ROOT / dualnet.FLAGFILES["fast"],
        extra=lab.runner.extra.replace(TRACK, tiny),  # --flags win
    )
    result = reproduce.make(name, dataclasses.replace(lab, runner=own))
    assert result["entries"] and reproduce.render(result)
    if name == "dualnet.figure3":
        bits = {e["series"]: e["runs"][0]["feedback_bits"] for e in result["entries"]}
        phases = {"mdpq": 720 + 312, "mse0": 1024, "mdpp": 1280, "smape": 1280}
        assert bits == {loss: 256 * 6 + count for loss, count in phases.items()}


def test_parameters_of_table4(lab):
    result = reproduce.make("lora.table4", lab)
    found = {(e["series"], e["x"]): (e["paper"], e["ours"]) for e in result["entries"]}
    for ratio in ("1/4", "1/64"):
        paper, ours = found["tilista_joint", f"{ratio} bs"]
        assert paper == ours
        assert found["lora", f"{ratio} bs"] == (16_777_220, 4_194_308)
    assert "16,777,220" in reproduce.render(result)


def test_entries_hold_mean_spread_and_paper():
    rows = [row({"nmse_db": -3.0, "seed": 0}), row({"nmse_db": -5.0, "seed": 1})]
    got = Entry("LORA", "1/4", rows, decibel(0.0012)).finished()
    assert got["ours"] == -4 and got["ours_by_seed"] == [-3, -5]
    assert got["paper"] == -29.21 and got["runs"][1]["seed"] == 1
    assert got["value"] == "nmse_db" and got["tested_on"] == ""
    there = Entry("LORA", "1/4", rows, None, lambda row: -1.0, "b/outdoor").finished()
    assert there["ours"] == -1 and there["value"] == "measured"
    assert there["tested_on"] == "b/outdoor"
    timed = Entry("LORA", "train", [], value=lambda: [2.0]).finished()
    assert timed["ours"] == 2 and timed["runs"] == []


def test_a_missing_klt_line_is_named():
    entry = klt("1/4", [row({"nmse_pca_db": None})])
    with pytest.raises(ValueError, match="klt at 1/4: run has none"):
        entry.finished()


def test_figure_is_drawn(tmp_path, lab):
    result = {
        "title": "t", "unit": "NMSE [dB]", "x": "ratio", "budget": "fast",
        "entries": [Entry("a", "1/4", [row({"nmse_db": -3.0})]).finished()],
    }  # fmt: skip
    drawings.curves(lab, result, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_claims_are_judged_again_from_the_entries(tmp_path, monkeypatch, capsys):
    """A verdict and a claim that a result has no longer; entries stay as they are."""
    monkeypatch.chdir(ROOT)
    entries = [
        report_files.entry("crnet", "1/4", [-12.0, -12.1, -12.2]),
        report_files.entry("1x1", "1/4", [-13.0, -13.1, -13.2]),
    ]
    old = {"claim": "SE helps", "verdict": "confirmed"}
    gone = {"claim": "nobody claims this", "verdict": "confirmed"}
    own = {
        key: getattr(reproduce.TARGETS["clnet.table2"], key) for key in ("title", "x")
    }
    stale = report_files.result("clnet.table2", entries, [old, gone], **own)
    (tmp_path / "a.json").write_text(json.dumps(stale))
    (tmp_path / "b.json").write_text(json.dumps({"rows": []}))
    earlier = json.dumps({**stale, "title": "Another table"})
    (tmp_path / "c.json").write_text(earlier)
    reproduce.rejudge(tmp_path)
    new = json.loads((tmp_path / "a.json").read_text())
    assert new["entries"] == stale["entries"] and new["commit"] == stale["commit"]
    found = {c["claim"]: c["verdict"] for c in new["claims"]}
    assert found["the forged complex input alone is better than CRNet"] == "confirmed"
    assert found["SE helps"] == "not decidable at this budget"
    elsewhere = {(v["series"], v["x"]): v["paper"] for v in new["published_elsewhere"]}
    assert elsewhere["cbam", "1/64"] == -6.086
    said = capsys.readouterr().out
    assert "a: SE helps: confirmed -> not decidable at this budget" in said
    assert "a: nobody claims this: confirmed -> claimed no more" in said
    assert "c: of an earlier target of that name, make it again" in said
    assert json.loads((tmp_path / "b.json").read_text()) == {"rows": []}
    assert (tmp_path / "c.json").read_text() == earlier


def test_committed_verdicts_follow_from_the_entries():
    for path in sorted((files.RESULTS / "reproduce").glob("*.json")):
        result = files.read_json(path)
        if reproduce.is_current(result):
            assert reproduce.verdicts(result) == result["claims"], path.name


def test_ista_graph_is_the_numpy_iteration():
    a = measurement_matrix(24, 96)
    y = tf.random.stateless_normal((5, 24), (1, 2)).numpy()
    graph = IstaGraph(a, weight=0.1, iterations=60)
    expected = sparse.lasso(a, y, 0.1, Stop(0.0, 60), alpha=graph.alpha).x
    assert abs(graph.recover(y).numpy() - expected).max() < 1e-5
    with pytest.raises(ValueError, match="iterations is 0"):
        IstaGraph(a, 0.1, 0)


@pytest.mark.parametrize(
    ("extra", "message"),
    [("--epocs=3", "epocs"), ("word", "are not flags"), ("--epochs=0", "epochs=0")],
)
def test_unusable_flags_are_refused(extra, message):
    with pytest.raises(ValueError, match=message):
        settings_of(ROOT / lora.FLAGFILES["fast"], extra)


@pytest.mark.slow
def test_command_line():
    done = run_command("zoo.reproduce", "--list")
    assert "lora.figure11" in done.stdout and done.returncode == 0
    done = run_command("zoo.reproduce", "lora.table9")
    assert_one_line_error(done, "'lora.table9' is no target", "lora.table1")


def test_command_writes_json(tmp_path):
    path = tmp_path / "t4.json"
    done = run_command("zoo.reproduce", "lora.table4", f"--json={path}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(path.read_text())["entries"][0]["paper"] == 1_048_772
