"""What a results row says of its data is what was read."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from tests.conftest import TINY
from zoo import baseline, files
from zoo.baselines.iteration import Stop
from zoo.baselines.methods import Method
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.experiments import codewords
from zoo.exporting import weight_sets
from zoo.importing import weights_by_name
from zoo.metrics import results_row
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

NAME = "cost2100_sim/indoor_tiny/1.0.0"
PLAIN = {"model": "csinet", "quantizer": "none", "bits": 0, "epochs": 1}


@pytest.fixture(scope="module")
def row(tiny_run) -> dict:
    return evaluation.evaluate(tiny_run)[0]


@pytest.fixture(scope="module")
def plain(tiny_config, tmp_path_factory) -> RunDirectory:
    """A run on streamed drops."""
    directory = tmp_path_factory.mktemp("runs") / "csinet"
    changes = {"dataset": f"{TINY['dataset']}:stream", "num_train": 40}
    return session.train(tiny_config(directory, **PLAIN, **changes))


def copied(run: RunDirectory, target) -> RunDirectory:
    shutil.copytree(run.path, target)
    return RunDirectory(target)


def test_parts_of_the_splits(row):
    assert row["test_data"] == f"{NAME} test[:50] of 100"
    assert row["train_data"] == f"{NAME} train[:160] of 400"
    assert row["klt_data"] == row["train_data"]
    assert row["num_test"] == 50 and row["num_train"] == 160
    here = files.environment()["commit"].removesuffix("-dirty")
    assert row["data_commit"].removesuffix("-dirty") == here
    assert row["version"] == row["train_version"] == files.environment()["version"]


def test_the_record_is_what_was_read(tiny_run):
    """The counts in the text are those of the arrays."""
    settings = tiny_run.config()
    data = files.read_json(tiny_run.data)
    for split, text in (("train", data["train"]), ("validation", data["validation"])):
        assert f"[:{len(splits.load_split(settings, split).csi)}]" in text


@pytest.mark.slow
def test_a_stream_is_named_in_training_and_stored_splits_elsewhere(plain):
    row = evaluation.evaluate(plain)[0]
    assert row["train_data"] == f"{NAME} stream[:40] an epoch, seed 0"
    assert row["test_data"] == f"{NAME} test[:50] of 100"
    assert row["klt_data"] == f"{NAME} train[:400] of 400"
    assert row["dataset_config"] == "indoor_tiny:stream"


@pytest.mark.parametrize("method", [None, Method("fista", 0.1, "gaussian", Stop(1, 2))])
def test_baselines_read_no_stream(method, tiny_config, tmp_path):
    settings = tiny_config(tmp_path, dataset=f"{TINY['dataset']}:stream", num_test=5)
    row = baseline.evaluate_baseline(method, settings)
    assert row["dataset_config"] == "indoor_tiny"
    assert row["test_data"] == f"{NAME} test[:5] of 100"
    wanted = None if method else f"{NAME} train[:160] of 400"
    assert row["train_data"] == wanted


def test_frames_are_named(tiny_config, tmp_path):
    settings = tiny_config(
        tmp_path, dataset="cost2100_sim/indoor_track_tiny", model="csinet_lstm",
        quantizer="none", bits=0, num_frames=3,
    )  # fmt: skip
    data = splits.read_from(settings)
    assert data["train"].endswith(
        "indoor_track_tiny/1.0.0 train[:160] of 400, 3 frames"
    )


def test_a_folder_of_another_name_is_refused(data_dir, tmp_path):
    source = data_dir / "cost2100_sim" / "indoor_tiny"
    shutil.copytree(source, tmp_path / "cost2100_sim" / "outdoor_tiny")
    with pytest.raises(ValueError, match="holds cost2100_sim/indoor_tiny/1.0.0, expec"):
        splits.open_builder("cost2100_sim/outdoor_tiny", str(tmp_path))


def test_data_of_before_still_load(data_dir, tmp_path):
    """Their metadata lack the statements of today."""
    shutil.copytree(data_dir / "cost2100_sim", tmp_path / "cost2100_sim")
    path = tmp_path / "cost2100_sim" / "indoor_tiny" / "1.0.0" / "metadata.json"
    metadata = json.loads(path.read_text())
    assert "per sample" in metadata.pop("normalisation")
    assert metadata.pop("package_version")
    path.write_text(json.dumps(metadata | {"git_commit": "1" * 40}))
    builder = splits.open_builder(TINY["dataset"], str(tmp_path))
    settings = ExperimentConfig(**{**TINY, "data_dir": str(tmp_path)})
    row = results_row.data_set(settings, builder)
    assert row["data_commit"] == "1" * 40  # who made them, not who reads them
    said = splits.read_from(settings)["normalisation"]
    assert "per sample" in said["scale"]


def test_a_run_does_not_go_on_with_other_data(tiny_run, tiny_config, tmp_path):
    run = copied(tiny_run, tmp_path / "run")
    session.train(tiny_config(run.path))  # complete, with the same data
    data = files.read_json(run.data)
    other = data["train"].replace("1.0.0", "0.9.0")
    files.write_json(run.data, data | {"train": other})
    with pytest.raises(ValueError, match="was trained on .*/0.9.0 .* now .*/1.0.0 "):
        session.train(tiny_config(run.path))
    run.data.unlink()  # of a run of before
    assert session.train(tiny_config(run.path)).trained_on() == (
        f"{TINY['dataset']} as configured, version and part are not on record"
    )


def test_weights_of_another_training_are_named(plain, tiny_config, tmp_path):
    settings = tiny_config(tmp_path / "b", **PLAIN, weights=str(plain.path))
    second = session.train(settings)
    row = evaluation.evaluate(second)[0]
    first = f"{NAME} stream[:40] an epoch, seed 0"
    assert row["train_data"] == f"{NAME} train[:160] of 400; before: {first}"
    loose = tmp_path / "weights.h5"
    shutil.copyfile(plain.weights, loose.with_suffix(".weights.h5"))
    settings = tiny_config(
        tmp_path / "c", **PLAIN, weights=str(loose.with_suffix(".weights.h5"))
    )
    third = session.train(settings).trained_on()
    assert third.endswith(f"before: unknown: no run directory around {tmp_path.name}")


def test_weights_of_others_have_no_training_of_ours(plain, tmp_path):
    """The configuration of a converted network names what it is tested on only."""
    run = copied(plain, tmp_path / "imported")
    files.write_json(run.path / "source.json", {"origin": "published_checkpoint"})
    row = evaluation.evaluate(run)[0]
    assert row["train_data"].startswith("unknown: weights of others (published_check")
    for key in ("num_train", "batch_size", "init", "train_commit", "train_seconds"):
        assert row[key] is None
    assert row["test_data"] == f"{NAME} test[:50] of 100"


def test_cards_are_of_their_own_data(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(weights_by_name, "SHIPPED", tmp_path / "shipped")
    run = copied(plain, tmp_path / "run")
    row = evaluation.evaluate(run)[0]
    files.write_json(
        run.path / "evaluation.json", row | {"dataset_config": "outdoor_tiny"}
    )
    with pytest.raises(ValueError, match="is of cost2100_sim/outdoor_tiny, the run of"):
        weight_sets.ship([run], "card")
    files.write_json(run.path / "evaluation.json", row)
    card = weight_sets.ship([run], "card")
    assert card.trained_on() == row["train_data"]


def test_another_test_is_that_of_its_name(plain, tiny_config, tmp_path):
    """`tested_on` of a cross evaluation reads the data set that it names."""
    there = "cost2100_sim/outdoor_tiny"
    settings = codewords.on(plain.config(), there)
    own = plain.config()
    assert dataclasses.replace(settings, dataset=own.dataset) == own
    builder = splits.open_builder(there, settings.data_dir)
    h = codewords.tested(plain, there).test.h
    assert results_row.stored_part(settings, builder, "test").startswith(there)
    expected = splits.load_split(tiny_config(tmp_path, dataset=there), "test").h
    assert (h == expected).all()
