"""One command at a time in a folder, or at a file."""

import ast
import errno
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import threading

import pytest

from tests.conftest import ROOT
from tests.support.processes import wait_until
from tfds_builders import durable, locks

HOLD = """
import sys
from pathlib import Path
from tfds_builders import locks
with getattr(locks, sys.argv[1])(Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
KINDS = ["alone", "alone_for"]


@pytest.fixture(params=KINDS)
def other(request, tmp_path):
    """A process that holds a folder, or the name of a file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, request.param, str(tmp_path / "held")],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    process.hold = getattr(locks, request.param)
    yield process
    process.kill()
    process.communicate()


def test_who_holds_is_named(tmp_path, other):
    match = f"held is in use by process {other.pid} .*-c"
    with pytest.raises(OSError, match=match):
        with other.hold(tmp_path / "held"):
            pass
    with pytest.raises(OSError, match=match):
        locks.check(tmp_path / "held")
    locks.check(tmp_path / "another")
    with other.hold(tmp_path / "another"):
        pass
    assert "another" not in os.listdir(tmp_path)


def test_a_killed_holder_holds_nothing(tmp_path, other):
    other.kill()
    other.wait()
    locks.check(tmp_path / "held")
    with other.hold(tmp_path / "held"):
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_inside_is_that_error_and_nothing_is_left(kind, tmp_path):
    for _ in range(2):
        with pytest.raises(BlockingIOError, match="something else"):
            with getattr(locks, kind)(tmp_path / "a" / "b"):
                raise BlockingIOError("of something else")
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_who_waits_is_told_and_survives_the_removal(kind, tmp_path, capfd):
    place, got = tmp_path / "held", threading.Event()
    end = threading.Event()

    def second():
        with getattr(locks, kind)(place, wait=True):
            got.set()
            end.wait()

    thread = threading.Thread(target=second)
    with getattr(locks, kind)(place):
        thread.start()
        said = f"waiting for process {os.getpid()} ("
        wait_until(lambda: said in capfd.readouterr().out)
        if kind == "alone":
            shutil.rmtree(place)
        assert not got.is_set()
    assert got.wait(10)
    with pytest.raises(OSError, match="in use"):  # of the second: it is the new one's
        with getattr(locks, kind)(place):
            pass
    end.set()
    thread.join()
    assert not place.exists() or os.listdir(place) == []


@pytest.mark.parametrize("place", ["held", "missing/held"])
@pytest.mark.parametrize("kind", KINDS)
def test_many_at_once_are_one_at_a_time(kind, place, tmp_path):
    inside, most = [], []

    def work():
        for _ in range(50):
            with getattr(locks, kind)(tmp_path / place, wait=True):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 400 and set(most) == {1}
    assert place != "held" or os.listdir(tmp_path) == []  # whoever made it last


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_to_nothing_is_an_error(kind, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing" / "there")
    place = tmp_path / "link" if kind == "alone" else tmp_path / "link" / "file"
    with pytest.raises(FileExistsError, match="link"):
        with getattr(locks, kind)(place):
            pass


def only_files(descriptor, operation, flock=fcntl.flock):
    """What a network file system does: folders are not open for writing."""
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise OSError(errno.EBADF, "Bad file descriptor")
    flock(descriptor, operation)


def test_network_file_systems_lock_a_file_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(locks.fcntl, "flock", only_files)
    for _ in range(2):
        with locks.alone(tmp_path):
            assert os.listdir(tmp_path) == [".lock"]
            with pytest.raises(OSError, match="is in use by"):
                with locks.alone(tmp_path):
                    pass


def test_file_systems_without_locks_are_said_and_used(tmp_path, monkeypatch, capsys):
    def none(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", none)
    with locks.alone(tmp_path):
        pass
    assert "without locks: start no second command" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_content_name_and_folder_are_on_the_disk_in_this_order(
    kind, tmp_path, monkeypatch
):
    done, new = [], tmp_path / "new"
    if kind == "folder":
        (new / "in").mkdir(parents=True)
        (new / "in" / "file").write_text("a", encoding="utf-8")
    else:
        new.write_text("a", encoding="utf-8")
        (tmp_path / "name").write_text("before", encoding="utf-8")

    def fsync(descriptor):
        place = os.readlink(f"/proc/self/fd/{descriptor}")
        done.append(os.path.relpath(place, tmp_path))

    replace = os.replace
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(
        os, "replace", lambda *names: (done.append("renamed"), replace(*names))
    )
    durable.replace(new, tmp_path / "name")
    inside = ["new/in/file", "new/in"] if kind == "folder" else []
    assert done == [*inside, "new", "renamed", "."]
    assert os.listdir(tmp_path) == ["name"]


def renames(source: str):
    """Calls that rename: of `os`, of `shutil`, and of a path."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, ast.unparse(node.func.value)
        of_a_path = name == "replace" and len(node.args) == 1 and not node.keywords
        of_a_module = f"{owner}.{name}" in ("os.replace", "os.renames", "shutil.move")
        if of_a_module or name == "rename" or (of_a_path and owner != "dataclasses"):
            yield node


@pytest.mark.parametrize("package", ["zoo", "serving", "tfds_builders"])
def test_every_rename_outlasts_a_power_cut(package):
    found = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in renames(path.read_text(encoding="utf-8"))
        if path.name != "durable.py"
    ]
    assert not found, "take durable.replace\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("os.replace(a, b)", 1), ("os.rename(a, b)", 1), ("path.rename(b)", 1),
        ("shutil.move(a, b)", 1), ("path.replace(b)", 1), ("text.replace('a', b)", 0),
        ("dataclasses.replace(x)", 0), ("x.replace(tzinfo=None)", 0),
        ("durable.replace(a, b)", 0),
    ],
)  # fmt: skip
def test_renames_are_found(source, count):
    assert len(list(renames(source))) == count
