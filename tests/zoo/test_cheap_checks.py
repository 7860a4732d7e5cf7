"""What needs no data is checked before data are made or anything is written."""

from __future__ import annotations

import json
import os
import re
import resource

import pytest

from tests.conftest import (
    TINY,
    assert_one_line_error,
    run_command,
)
from zoo import (
    baseline,
)
from zoo.baselines.methods import Method
from zoo.config import ExperimentConfig
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session


def seconds() -> float:
    """Processor time of the commands so far: TensorFlow's import alone takes two."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


BEFORE_DATA = [
    ({"model": "crnett"}, "did you mean crnet"),
    ({"dataset": "cost21/indoor"}, "unknown dataset 'cost21'"),
    ({"dataset": "cost2100_sim/indor"}, "no configuration 'indor'"),
    ({"dataset": "cost2100_sim/indoor:strem"}, "expected ':stream'"),
    ({"model": "cl_csinet", "codeword_dim": 31}, "31"),
    ({"model_args": '{"head": "4x4"}'}, "head"),
    ({"model_args": '{"hed": "3x3"}'}, "no option hed"),
    ({"model": "deepcmc"}, "without --quantizer"),
    ({"model": "csinet_lstm"}, "choose a data set of [T, N_t, N_a, 2] sequences"),
    ({"quantizer_args": '{"beta": 3}'}, "no option beta"),
    ({"weights": "nowhere.weights.h5"}, "no such file"),
    ({"weights": "pretrained"}, "--weights=pretrained: 0 fit"),
    ({"model": "tilista_joint", "init": "klt"}, "give --normaliser=none"),
    ({"model": "bacrnet", "init": "klt"}, "--init=klt cannot start"),
    ({"num_train": 10**6}, "--num_train=1000000"),
    ({"batch_size": 161}, "160 training examples"),
    ({"train_part": "phase", "weights": "x"}, "no branch of the magnitudes"),
]


@pytest.mark.parametrize(("changes", "word"), BEFORE_DATA)
def test_checks_that_need_no_data_come_before_them(changes, word, tmp_path):
    values = {**TINY, "data_dir": str(tmp_path / "tfds"), **changes}
    settings = ExperimentConfig(**values, run_dir=str(tmp_path / "run"))
    with pytest.raises((ValueError, OSError), match=re.escape(word)):
        session.train(settings)
    assert not any(tmp_path.iterdir())


def test_wrong_name_fails_in_a_second_and_leaves_nothing(tmp_path):
    flags = [f"--data_dir={tmp_path / 'tfds'}", f"--run_dir={tmp_path / 'run'}"]
    for command in (["zoo.train"], ["zoo.train_stages", "--stage=--epochs=1"]):
        for wrong in ("--model=crnett", "--dataset=cost21/indoor"):
            began = seconds()
            done = run_command(*command, wrong, *flags)
            assert_one_line_error(done, "crnet" if "model" in wrong else "cost2100")
            assert seconds() - began < 1 and not any(tmp_path.iterdir())


def test_run_directory_is_checked_before_data(tmp_path, tiny_run):
    (tmp_path / "file").write_text("")
    values = {**TINY, "data_dir": str(tmp_path / "tfds")}
    with pytest.raises(OSError, match="no directory that can be written to"):
        session.train(
            ExperimentConfig(**values, run_dir=str(tmp_path / "file" / "run"))
        )
    with pytest.raises(ValueError, match="holds a run with other flags"):
        session.train(
            ExperimentConfig(**values | {"lr": 0.1}, run_dir=str(tiny_run.path))
        )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"feedback_snr_db": 3.0}, "sends bits"),
        ({"uplink": "shuffled"}, "takes no uplink"),
        ({"csi_noise": "awgn"}, "do not fit"),
    ],
)
def test_evaluation_checks_before_data(options, word, tiny_run, tmp_path, monkeypatch):
    moved = run_elsewhere(tiny_run, tmp_path)
    with pytest.raises(ValueError, match=word):
        evaluation.evaluate(moved, **options)
    moved.weights.unlink()
    with pytest.raises(FileNotFoundError, match="at least one epoch"):
        evaluation.evaluate(moved)
    assert not (tmp_path / "tfds").exists()


@pytest.mark.parametrize(
    ("method", "codeword_dim", "word"),
    [("klt", 31, "give an even one"), ("lasso", 3000, "expected 1 to 2048")],
)
def test_baseline_checks_before_data(method, codeword_dim, word, tmp_path):
    settings = ExperimentConfig(
        codeword_dim=codeword_dim, dataset=TINY["dataset"], data_dir=str(tmp_path)
    )
    with pytest.raises(ValueError, match=word):
        baseline.evaluate_baseline(
            None if method == "klt" else Method(method), settings
        )
    assert not any(tmp_path.iterdir())


def run_elsewhere(run, folder) -> RunDirectory:
    """A copy of a run whose data are not there yet."""
    moved = RunDirectory(folder / "run")
    moved.path.mkdir()
    for file in (run.weights, run.metrics, run.path / "config.json"):
        (moved.path / file.name).write_bytes(file.read_bytes())
    values = run.config().to_json() | {"data_dir": str(folder / "tfds")}
    (moved.path / "config.json").write_text(json.dumps(values))
    return moved


@pytest.mark.parametrize("module", ["zoo.evaluate", "zoo.export", "zoo.pretrained"])
def test_missing_run_is_said_at_once(module, tmp_path):
    more = {"zoo.export": [f"--out={tmp_path / 'x'}"], "zoo.pretrained": ["--name=x"]}
    began = seconds()
    done = run_command(module, f"--run={tmp_path / 'no'}", *more.get(module, []))
    assert_one_line_error(done, "no such run directory")
    assert seconds() - began < 1 and not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("override", "word"),
    [
        pytest.param(
            "--model=cl_csinet --codeword_dim=31", "31", marks=pytest.mark.slow
        ),
        pytest.param(
            "--num_validation=1000000", "--num_validation", marks=pytest.mark.slow
        ),
        ("--model=crnett", "did you mean crnet"),
        ("--epocs=1", "epocs"),
        ("--dataset=cost21/indoor", "unknown dataset"),
        ("--quantizer=none --bits=0", "sends bits"),
    ],
)
def test_quickstart_checks_before_it_moves_an_earlier_one(override, word, tmp_path):
    (tmp_path / "kept" / "run").mkdir(parents=True)
    flags = [f"--directory={tmp_path / 'kept'}", "--", *override.split()]
    assert_one_line_error(run_command("zoo.quickstart", *flags), word)
    assert os.listdir(tmp_path) == ["kept"]


def test_quickstart_moves_no_other_files(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    done = run_command("zoo.quickstart", f"--directory={tmp_path / 'mine'}")
    assert_one_line_error(done, "holds thesis.tex and no earlier quickstart")
    assert os.listdir(tmp_path) == ["mine"]
