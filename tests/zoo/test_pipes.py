"""Pipes and devices are no files of channels or weights: refused, never read."""

from __future__ import annotations

import os

import numpy as np
import pytest

from serving.ue_side.csi_source import open_source
from tests.conftest import assert_one_line_error, run_command
from tfds_builders.untrusted import numpy_files

COMMANDS = [
    ("serving.ue --encoder=x --source={}", "source"),
    ("serving.client --encoder=x --samples={}", "samples"),
    ("tfds_builders.add --name=mine --source=a.npy,{}", "source"),
    ("zoo.evaluate --run={}", "run"),
    ("zoo.train --weights={}", "weights"),
    ("zoo.train --model={}:SPEC", "model"),
    ("zoo.report --pages=a.md --pages={}", "pages"),
]
KINDS = {"pipe": "is a pipe", "/dev/zero": "is a device"}


@pytest.fixture
def pipe(tmp_path) -> str:
    path = tmp_path / "pipe.npy"
    os.mkfifo(path)
    return str(path)


@pytest.mark.parametrize(("line", "flag"), COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_pipes_and_devices_are_refused(line, flag, kind, pipe):
    path = pipe if kind == "pipe" else kind
    done = run_command(*line.format(path).split(), timeout=30)
    assert_one_line_error(done, f"--{flag}=", f"{path} {KINDS[kind]}", "regular file")


def test_a_result_does_not_replace_a_device(tmp_path):
    done = run_command("zoo.baseline", "--method=klt", "--json=/dev/null")
    assert_one_line_error(done, "--json=/dev/null: /dev/null is a device")


def test_a_pipe_among_the_files_of_a_folder_is_refused(pipe, tmp_path):
    with pytest.raises(OSError, match="pipe.npy is no regular file"):
        numpy_files.load(pipe)
    source = open_source(tmp_path)
    with pytest.raises(ValueError, match=r"pipe.npy cannot be read"):
        source.read()
    os.unlink(pipe)
    np.save(tmp_path / "h.npy", np.zeros((2, 3)))
    assert source.read().h.shape == (2, 3)
