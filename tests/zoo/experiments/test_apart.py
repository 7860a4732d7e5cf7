"""Jobs in a folder of their own, without a cluster."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from zoo.experiments import apart
from zoo.experiments.jobs import Job


@pytest.fixture
def nodes_folder(tmp_path, monkeypatch):
    """A working directory of a node, and an environment that is given back."""
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "1")
    return tmp_path


@pytest.mark.parametrize("directory", ["../runs", "runs/x", "..", "/absent/runs"])
def test_a_job_stays_in_its_folder(nodes_folder, monkeypatch, directory):
    found = []

    def work(job):
        found.append((Path.cwd(), job.directory.resolve()))
        (job.directory / job.result).write_text("{}")

    monkeypatch.setattr(apart.jobs, "work", work)
    job = Job(Path(directory), "a", (), "a.json")
    failure, written = apart.work(job, apart.packed(Path(), ()), 1)
    ((folder, place),) = found
    assert not failure and folder in place.parents
    assert [path.name for path in nodes_folder.iterdir()] == ["there"]
    apart.extract(written, nodes_folder)
    assert (nodes_folder / "a.json").is_file()


def test_files_come_out_as_they_were_packed_and_below_the_folder(tmp_path):
    for name in ("run/empty", "run/ckpt", "left"):
        (tmp_path / "from" / name).mkdir(parents=True)
    for name in ("run/ckpt/a.bin", "run/b.json", "c.json", "left/d"):
        (tmp_path / "from" / name).write_bytes(name.encode())
    os.utime(tmp_path / "from/c.json", (0, 0))  # before there were archives
    apart.extract(apart.packed(tmp_path / "from", ["run", "c.json"]), tmp_path / "to")
    found = sorted((tmp_path / "to").rglob("*"))
    names = [str(path.relative_to(tmp_path / "to")) for path in found]
    assert names == ["c.json", "run", "run/b.json", "run/ckpt", "run/ckpt/a.bin"] + [
        "run/empty"
    ]
    for path in filter(Path.is_file, found):
        assert path.read_bytes() == str(path.relative_to(tmp_path / "to")).encode()
    hostile = io.BytesIO()
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("../outside", "")
        archive.writestr("/absolute", "")
    apart.extract(hostile.getvalue(), tmp_path / "to")
    assert (tmp_path / "to/outside").is_file() and (tmp_path / "to/absolute").is_file()
    assert not (tmp_path / "outside").exists()


def test_a_full_disk_is_a_failed_job(nodes_folder, monkeypatch):
    def work(job):
        raise OSError(28, os.strerror(28), "a.json")

    monkeypatch.setattr(apart.jobs, "work", work)
    job = Job(Path("runs"), "a", (), "a.json")
    failure, _ = apart.work(job, apart.packed(Path(), ()), 1)
    assert "No space left" in failure


def test_the_reason_of_an_error_is_its_last_line():
    text = "ray::work() (pid=1)\n  File x, line 2\nMemoryError: out of it\n\n"
    assert apart.reason(text) == "MemoryError: out of it"
    assert apart.reason("\n") == "no reason given"
