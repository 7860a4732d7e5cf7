"""One command at a time where files are written; a lock ends with its process.

The locks are the kernel's (`flock`): none outlives a kill, and /proc/locks says who
holds one. A folder is locked itself, and nothing lies in it. What a rename replaces, a
file of results or a folder to come, cannot be: its lock is a hidden file beside it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_TRIES = 1000  # a file in its place, or a link to nothing, fails every time
LOCKS = Path("/proc/locks")
FOR_WRITING_ONLY = errno.EBADF  # network file systems lock no folder
NONE_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def alone(folder: str | Path, wait: bool = False) -> Iterator[None]:
    """While no other command holds the same folder.

    Args:
        folder: of files that one command writes; made where it is missing, and removed
            again where it stays empty (its parents, too, unless others come and go).
        wait: until the other has ended, instead of the error.

    Raises:
        OSError: another command holds it; the message says which.
    """
    folder = Path(folder)
    descriptor, made = _locked(folder, _open_folder, folder, wait)
    try:
        yield
    finally:
        _remove_empty(made)  # while nobody else can lock them
        os.close(descriptor)


@contextlib.contextmanager
def alone_for(path: str | Path, wait: bool = False) -> Iterator[None]:
    """While no other command writes the same file, or makes the same folder.

    Args:
        path: of the file or folder, in a folder that can be written to; '': none.
        wait: as of `alone`.

    Raises:
        OSError: another command does; the message says which.
    """
    if not str(path):
        yield
        return
    lock = _beside(Path(path))
    descriptor, made = _locked(lock, _open_file, Path(path), wait)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        _remove_empty(made)
        os.close(descriptor)


def check(path: str | Path) -> None:
    """Refuse a folder or file that another command holds, without taking its lock.

    For what is known long before it is locked.

    Raises:
        OSError: one does; the message says which.
    """
    for place in (Path(path), _beside(Path(path))):
        with contextlib.suppress(FileNotFoundError):
            found = place.stat()
            device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
            if holder := _holder(f"{device}:{found.st_ino}"):
                raise _in_use(Path(path), holder)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()


def _beside(path: Path) -> Path:
    path = path.absolute()
    return path.with_name(f".lock-{path.name}")


def _open_folder(folder: Path, made: set[Path]) -> int:
    _make(folder, made)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


def _open_file(path: Path, made: set[Path]) -> int:
    _make(path.parent, made)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _make(folder: Path, made: set[Path]) -> None:
    """Make a folder and its parents; those that nobody else makes are `made`."""
    if folder.is_dir():
        return
    if folder != folder.parent:
        _make(folder.parent, made)
    try:
        folder.mkdir()
        made.add(folder)
    except FileExistsError:
        if not folder.is_dir():
            raise


def _locked(place: Path, opened, named: Path, wait: bool) -> tuple[int, list[Path]]:
    """Descriptor of a place that is locked, and still there under its name.

    With it the folders that were made for it, the deepest first.
    """
    tries, made = itertools.count(), set()
    while True:
        try:
            descriptor = opened(place, made)
        except (FileNotFoundError, FileExistsError):
            if next(tries) == MOST_TRIES:
                raise
            continue  # another command makes or removes it just now
        try:
            _lock(descriptor, named, wait)
        except BaseException as error:
            os.close(descriptor)
            number = getattr(error, "errno", None)
            if number != FOR_WRITING_ONLY or opened is _open_file:
                raise
            place, opened = place / ".lock", _open_file
            continue
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), place.stat()):
                return descriptor, sorted(made, reverse=True)
        os.close(descriptor)


def _lock(descriptor: int, named: Path, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        inode = os.fstat(descriptor).st_ino  # some file systems name another device
        holder = _holder(f":{inode}") or "another command"
        if not wait:
            raise _in_use(named, holder) from None
        print(f"waiting for {holder}, which is at work in {named}", flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NONE_HERE:
            raise
        print(
            f"warning: {named} is on a file system without locks: start no second "
            "command there",
            file=sys.stderr,
        )


def _in_use(path: Path, holder: str) -> OSError:
    return OSError(
        f"{path} is in use by {holder}: wait for it, or choose another place"
    )


def _holder(place: str) -> str:
    """Command that holds the lock of a file, as far as the system tells; '': none.

    Args:
        place: major:minor:inode, or the end of it.
    """
    with contextlib.suppress(OSError):
        for line in LOCKS.read_text(encoding="utf-8").splitlines():
            words = line.split()  # 1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF
            if words[1] == "FLOCK" and words[5].endswith(place):
                return _described(words[4])
    return ""


def _described(process: str) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:  # in another container
        return "another command"
    command = b" ".join(words).decode(errors="replace").strip()
    return f"process {process} ({command[:120]})"
