"""Which complete runs an experiment takes up."""

from __future__ import annotations

import json

import pytest

from tests.conftest import tiny_flags
from zoo import config_flags
from zoo.experiments import runner
from zoo.run_directory import RunDirectory


@pytest.fixture
def complete(tmp_path):
    """Flags of a run that was trained and evaluated, as far as files say."""
    given = tiny_flags("", tmp_path / "run")
    settings = config_flags.from_flags(config_flags.parse(given, "test"))
    run = RunDirectory.create(settings)
    run.checkpoint.parent.mkdir()
    run.checkpoint.touch()
    (run.path / "evaluation.json").write_text(json.dumps({"nmse_db": -5.0}))
    return given


def test_a_complete_run_is_not_repeated(complete, tmp_path):
    assert runner.evaluated(tmp_path / "run", *complete) == {"nmse_db": -5.0}
    assert runner.found(tmp_path / "other", *complete[:-1]) is None


def test_a_run_of_other_flags_is_refused(complete, tmp_path):
    for asked in (runner.evaluated, runner.found):
        with pytest.raises(ValueError, match=r"run holds a run .*--seed: 0 -> 7"):
            asked(tmp_path / "run", *complete, "--seed=7")
