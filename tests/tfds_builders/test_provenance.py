"""Version and commit of the code, also where it lies in somebody else's repository."""

from __future__ import annotations

import json
import os
import runpy
import shutil

import pytest

from tests.conftest import ROOT
from tests.support.wheels import commit_all, git
from tfds_builders import provenance

FILE = "tfds_builders/provenance.py"


def copy(folder, project: bool = True):
    """The module, with or without the project's pyproject.toml, in a folder."""
    (folder / "tfds_builders").mkdir(parents=True)
    shutil.copyfile(ROOT / FILE, folder / FILE)
    if project:
        shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    return folder


def source(folder):
    return runpy.run_path(str(folder / FILE))["source"]()


def version() -> str:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    return next(x.split('"')[1] for x in lines if x.startswith("version = "))


def test_checkout_and_its_changes(tmp_path):
    folder = copy(tmp_path / "clone")
    head = commit_all(folder)
    assert source(folder) == (version(), head) and len(head) == 40
    (folder / "new.txt").write_text("not tracked")
    assert source(folder).commit == head
    with (folder / FILE).open("a") as file:
        file.write("# changed\n")
    assert source(folder).commit == f"{head}-dirty"


def test_the_index_of_a_checkout_is_not_locked(tmp_path):
    """A command that is killed meanwhile would leave the lock behind."""
    folder = copy(tmp_path / "clone")
    head = commit_all(folder)
    index, file = folder / ".git" / "index", folder / FILE
    for seconds in (1e9, 2e9):  # git would look at the file, and write what it found
        os.utime(file, (seconds, seconds))
        before = index.read_bytes()
        assert source(folder).commit == head
        assert index.read_bytes() == before


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_this_checkout():
    head = git(ROOT, "rev-parse", "HEAD")
    assert provenance.git_commit() in (head, f"{head}-dirty")
    assert provenance.version() == version()
    assert not (ROOT / "tfds_builders" / provenance.BUILD_INFO).exists()


def test_installed_in_the_environment_of_another_repository(tmp_path):
    """As a wheel in .venv, tracked or not, or in the very top of that repository."""
    for place in (".venv/lib/python3.11/site-packages", "."):
        top = tmp_path / place.replace("/", "_")
        installed = copy(top / place, project=False)
        theirs = commit_all(top)
        assert source(installed) == ("unknown", "unknown")
        built = {"version": "9.8", "commit": "1" * 40 + "-dirty"}
        (installed / "tfds_builders" / provenance.BUILD_INFO).write_text(
            json.dumps(built)
        )
        assert source(installed) == tuple(built.values()) and theirs


def test_an_unpacked_tarball_in_another_repository(tmp_path):
    unpacked = copy(tmp_path / "their" / "csi-feedback-zoo")
    (tmp_path / "their" / "a").write_text("theirs")
    git(tmp_path / "their", "init", "-q")
    git(tmp_path / "their", "add", "a")
    git(tmp_path / "their", "commit", "-qm", "theirs")
    assert source(unpacked) == (version(), "unknown")
    untracked = copy(tmp_path / "untracked")  # beside a .git that does not know it
    (untracked / "a").write_text("theirs")
    git(untracked, "init", "-q")
    git(untracked, "add", "a")
    git(untracked, "commit", "-qm", "theirs")
    assert source(untracked) == (version(), "unknown")


def test_no_git_at_all(tmp_path, monkeypatch):
    folder = copy(tmp_path / "clone")
    commit_all(folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source(folder) == (version(), "unknown")


def test_a_hook_of_another_repository_does_not_answer(tmp_path, monkeypatch):
    folder, other = copy(tmp_path / "clone"), tmp_path / "other"
    head = commit_all(folder)
    other.mkdir()
    (other / "a").write_text("theirs")
    assert commit_all(other) != head
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert source(folder).commit == head
