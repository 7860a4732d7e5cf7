"""Runs of the first version: 30 epochs of warm-up, no record of data, no figures."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import run_command, tiny_flags
from zoo import files
from zoo.config import ExperimentConfig
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

LATER = ("quantizer_args", "train_part", "loss", "num_frames", "bn_statistics")


@pytest.fixture(scope="module")
def made(tiny_config, tmp_path_factory):
    """A run as the first version left it after the second of three epochs."""
    path = tmp_path_factory.mktemp("older") / "run"
    settings = tiny_config(path, epochs=2, warmup_epochs=None)
    settings = dataclasses.replace(settings, schedule="constant")
    run = session.train(settings)
    stored = files.read_json(run.path / "config.json")
    stored = {k: v for k, v in stored.items() if k not in LATER}
    stored |= {"warmup_epochs": 30.0, "epochs": 3}
    files.write_json(run.path / "config.json", stored)
    run.data.unlink()
    return run


@pytest.fixture
def older(made, tmp_path):
    """A copy of it."""
    return RunDirectory(Path(shutil.copytree(made.path, tmp_path / "run")))


def flags_of(run, data_dir) -> list[str]:
    flags = tiny_flags(data_dir, run.path, epochs=3, schedule="constant")
    return [flag for flag in flags if "warmup" not in flag]


def test_it_resumes(older, data_dir):
    done = run_command("zoo.train", *flags_of(older, data_dir))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "resuming" in done.stdout
    assert [r["epoch"] for r in older.read_metrics()] == [1, 2, 3]
    assert json.loads((older.path / "config.json").read_text())["warmup_epochs"] == 30
    assert older.config().bn_statistics == "moving"


def test_it_is_evaluated_and_reported(older):
    row, *_ = evaluation.evaluate(older)
    assert "not on record" in row["train_data"]
    target = older.path / "evaluation.json"
    done = run_command("zoo.evaluate", f"--run={older.path}", f"--json={target}")
    assert done.returncode == 0, done.stderr[-2000:]
    (older.path / "evaluation_figures.npz").unlink()
    done = run_command("zoo.report", f"--run={older.path}")
    assert done.returncode == 0, done.stderr[-2000:]
    page = (older.path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3


def test_weights_beside_a_foreign_configuration(older, tiny_config, tmp_path):
    path = tmp_path / "foreign" / "x.weights.h5"
    path.parent.mkdir()
    path.write_bytes(older.weights.read_bytes())
    (path.parent / "config.json").write_text('{"architectures": ["bert"]}')
    assert RunDirectory(path.parent).trained_on().startswith("unknown: ")
    settings = tiny_config(tmp_path / "next", epochs=1, weights=str(path))
    assert session.train(settings).weights.is_file()


@pytest.mark.parametrize(
    ("dataset", "kept"), [("cost2100/indoor", True), ("cost2100_sim/indoor", False)]
)
def test_a_folder_of_published_files_may_go(tmp_path, dataset, kept):
    """What was built of them stays; a simulated data set never took any."""
    folder = tmp_path / "files"
    config = ExperimentConfig(dataset=dataset, manual_dir=str(folder))
    files.write_json(tmp_path / "config.json", config.to_json())
    run = RunDirectory(tmp_path)
    assert run.config().manual_dir == ""
    folder.mkdir()
    assert run.config().manual_dir == ""
    (folder / "DATA_Htestin.mat").touch()
    assert run.config().manual_dir == (str(folder) if kept else "")
