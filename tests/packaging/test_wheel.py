"""The wheel in a new environment without the checkout, from an empty folder."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT, TINY
from tests.support.wheels import build_wheel, commit_all, copy_project, install
from tfds_builders import provenance

OURS = {k: v for k, v in TINY.items() if k not in ("model", "codeword_dim")}


@pytest.fixture(scope="module")
def empty(tmp_path_factory, data_dir):
    """An empty folder in somebody's repository; the data sets are beside it."""
    theirs = tmp_path_factory.mktemp("theirs")
    (theirs / "data").symlink_to(data_dir)
    commit_all(theirs)
    (theirs / "empty").mkdir()
    return theirs / "empty"


@pytest.fixture(scope="module")
def installed(empty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    tree = copy_project(folder / "project")
    commit_all(tree)
    return install(build_wheel(tree, folder), empty.parent / ".venv")


@pytest.fixture
def run(installed, empty):
    def succeed(*command: str) -> str:
        done = installed.run(empty, *command)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    return succeed


def tiny(name: str, flagfile: str, **changes) -> list[str]:
    values = {**OURS, "data_dir": "../data", "run_dir": name, **changes}
    overrides = [f"--{key}={value}" for key, value in values.items()]
    return ["zoo.train", f"--flagfile={flagfile}", *overrides]


def test_it_is_the_wheel_that_runs(installed, empty):
    code = "import serving, tfds_builders, zoo; print(serving.__file__, zoo.__file__)"
    done = installed.run(empty, "timeit", "-n1", "-r1", code)
    places = done.stdout.split()[:2]
    assert len(places) == 2, done.stderr
    for place in places:
        assert place.startswith(str(installed.packages)), done.stdout


def test_commands_that_print(run, installed, empty):
    assert "crnet" in run("zoo", "list")
    assert "crnet" in run("zoo", "info", "crnet")
    assert "lora.figure11" in run("zoo.reproduce", "--list")
    console_script = str(installed.python.with_name("csizoo"))
    done = installed.execute(empty, console_script, "train", "--flagfile=crnett")
    assert done.returncode == 2 and "close to it: crnet" in done.stderr
    assert "replicas" in run("serving.capacity", "--ues=100")
    assert "lora.table4" in run("zoo.reproduce", "lora.table4", "--directory=r")


def test_train_evaluate_export_report(run, installed, empty):
    run(*tiny("a", "published/crnet_4_indoor", codeword_dim=32))
    settings = json.loads((empty / "a" / "config.json").read_text())
    assert settings["model"] == "crnet" and settings["epochs"] == TINY["epochs"]
    run("zoo.evaluate", "--run=a")
    row = json.loads((empty / "a" / "evaluation.json").read_text())
    built = installed.packages / "tfds_builders" / provenance.BUILD_INFO
    made_by = json.loads(built.read_text())
    assert {key: row[key] for key in made_by} == made_by  # not their repository
    assert row["train_commit"] == made_by["commit"]
    run("zoo.export", "--run=a", "--out=export")
    codec = json.loads((empty / "export" / "codec.json").read_text())
    assert "per sample" in codec["normalisation"]["says"]
    run("zoo.report", "--run=a")
    assert (empty / "a" / "report.html").is_file()


def test_path_of_a_checkout(run, empty):
    flagfile = "zoo/flagfiles/crnet.cfg"
    assert (ROOT / flagfile).exists() and not (empty / flagfile).exists()
    run(*tiny("b", flagfile, codeword_dim=32, epochs=1))
    assert (empty / "b" / "best.weights.h5").is_file()


def test_nothing_is_left_by_a_name_that_nothing_has(installed, empty):
    done = installed.run(empty, "zoo.train", "--flagfile=published/crnet_4_indor")
    assert done.returncode == 2 and "published/crnet_4_indoor" in done.stderr
    assert not (empty / "runs").exists()
