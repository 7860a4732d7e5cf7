"""One command at a time in a folder."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tfds_builders import locks

HOLD = """
import sys
from pathlib import Path
from tfds_builders import locks
with locks.alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """A process that holds a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "held")], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_held_folder_names_its_holder(tmp_path, other):
    with pytest.raises(OSError, match=f"held is in use by process {other.pid} .*-c"):
        with locks.alone(tmp_path / "held", wait=False):
            pass
    with locks.alone(tmp_path / "another", wait=False):
        assert os.listdir(tmp_path / "another") == []


def test_a_killed_holder_holds_nothing(tmp_path, other):
    other.kill()
    other.wait()
    with locks.alone(tmp_path / "held", wait=False):
        pass


def test_an_error_inside_is_that_error_and_frees_the_folder(tmp_path):
    with pytest.raises(BlockingIOError):
        with locks.alone(tmp_path, wait=False):
            raise BlockingIOError("of something else")
    with locks.alone(tmp_path, wait=False):
        pass
