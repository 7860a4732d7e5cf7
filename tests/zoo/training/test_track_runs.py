"""A run on a track is tested in its neighbourhood, behind it and on other tracks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import assert_one_line_error, run_command
from tfds_builders import blocks
from zoo import baseline
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.run_directory import RunDirectory
from zoo.training import session
from zoo.training.evaluation import evaluate

TRACK = {
    "model": "lora", "model_args": '{"hidden": 16, "blocks": 2}', "codeword_dim": 8,
    "dataset": "tr38901/lora_rma_nlos_track_small_tiny", "epochs": 2, "batch_size": 50,
    "num_train": 0, "num_validation": 0, "num_test": 0, "adam_epsilon": 1e-12,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("track")
    return session.train(tiny_config(folder / "run", **TRACK))


def test_three_tests_of_one_run(run):
    found = {name: evaluate(run, test_split=name)[0] for name in blocks.TRACK_TESTS}
    found["test"] = evaluate(run)[0]
    for name, row in found.items():
        assert f" {name}[:100] of 100" in row["test_data"]
        test = splits.load_split(
            ExperimentConfig(
                **{**TRACK, "data_dir": run.config().data_dir, "test_split": name}
            ),
            "test",
        )
        # The KLT of the same training CSI, worked out here.
        train = splits.load_split(run.config(), "train").h
        x, y = (h.reshape(len(h), -1, 2) @ [1, 1j] for h in (train, test.h))
        basis = np.linalg.svd(x, full_matrices=False)[2][:4]
        error = y - (y @ basis.conj().T) @ basis
        expected = 10 * np.log10(np.sum(np.abs(error) ** 2) / np.sum(np.abs(y) ** 2))
        assert row["nmse_pca_db"] == pytest.approx(expected, abs=0.05)
    assert found["test"]["nmse_pca_db"] < found["test_stretch"]["nmse_pca_db"]
    assert found["test_stretch"]["nmse_pca_db"] < found["test_tracks"]["nmse_pca_db"]


def test_another_test_continues_the_same_run(run, tiny_config):
    settings = tiny_config(run.path, **{**TRACK, "test_split": "test_tracks"})
    session.train(settings)
    assert evaluate(run)[0]["nmse_db"] == evaluate(run, test_split="test")[0]["nmse_db"]


def test_a_baseline_on_other_tracks(run):
    own = {"dataset": TRACK["dataset"], "data_dir": run.config().data_dir}
    rows = [
        baseline.evaluate_baseline(
            None, ExperimentConfig(codeword_dim=8, test_split=name, **own)
        )
        for name in ("test", "test_tracks")
    ]
    assert rows[0]["nmse_db"] < rows[1]["nmse_db"]
    assert "test_tracks[:100]" in rows[1]["test_data"]


def test_what_a_data_set_has_not_is_refused(data_dir):
    with pytest.raises(ValueError, match="--test_split=other: expected one of test,"):
        ExperimentConfig(test_split="other")
    settings = ExperimentConfig(
        dataset="cost2100_sim/indoor_tiny",
        data_dir=str(data_dir),
        test_split="test_tracks",
    )
    for check in (splits.check, lambda s, parts: splits.load_split(s, *parts)):
        with pytest.raises(ValueError, match="--test_split=test_tracks: cost2100_sim"):
            check(settings, ("test",))
    with pytest.raises(ValueError, match="--test_split=test_tracks: cost2100_sim"):
        splits.check(settings)  # of a training, which reads no test
    alone = ExperimentConfig(dataset="cost2100/indoor_test", data_dir=str(data_dir))
    with pytest.raises(ValueError, match="indoor_test has test, no train split: give"):
        splits.check(alone)
    assert splits.check(alone, ("test",)) == (32, 32, 2)
    small = ExperimentConfig(**{**TRACK, "dataset": TRACK["dataset"] + ":stream"})
    with pytest.raises(ValueError, match=r"examples are \(32, 4, 2\)"):
        splits.check(small)


def test_the_command_names_the_splits(run):
    done = run_command("zoo.evaluate", f"--run={run.path}", "--test_split=elsewhere")
    assert_one_line_error(done, "elsewhere", code=2)
