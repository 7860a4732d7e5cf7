"""Commands and devices in a result are as one types and says them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from zoo import files


def test_command_of_a_module_is_as_one_types_it(tmp_path):
    (tmp_path / "some").mkdir()
    text = "from zoo import files\nprint(files.command())\n"
    for name in ("own", "__main__"):
        (tmp_path / "some" / f"{name}.py").write_text(text)
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    for start, expected in (
        (["-m", "some.own"], "python -m some.own --a=1"),
        (["-m", "some"], "python -m some --a=1"),
        ([str(tmp_path / "some" / "own.py")], "own.py --a=1"),
    ):
        done = subprocess.run(
            [sys.executable, *start, "--a=1"], capture_output=True, text=True,
            env=os.environ | path, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == expected


@pytest.mark.parametrize(("cores", "text"), [({0}, "1 core"), ({0, 1}, "2 cores")])
def test_cores_are_counted_in_words(cores, text, monkeypatch):
    monkeypatch.setattr(files.os, "sched_getaffinity", lambda _: cores)
    assert f", {text}" in files.device_name() + ","
    assert "1 cores" not in files.device_name()
