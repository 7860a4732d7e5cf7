"""One command at a time in a folder; the lock ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(folder: Path, wait: bool = True) -> Iterator[None]:
    """While no other command holds the same folder; made where it is missing.

    Args:
        folder: of files that one command writes.
        wait: until the other has ended.

    Raises:
        OSError: another command holds it, and `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder, wait)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise OSError(
            f"{folder} is in use by {_holder(descriptor)}: wait for it, or choose "
            "another directory"
        ) from None


def _holder(descriptor: int) -> str:
    """Command that holds the lock of a file, as far as the system tells."""
    file = str(os.fstat(descriptor).st_ino)
    with contextlib.suppress(OSError, IndexError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            _, kind, _, _, process, place, *_ = line.replace("-> ", "").split()
            if kind == "FLOCK" and place.split(":")[-1] == file:
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                command = b" ".join(words).decode(errors="replace").strip()
                return f"process {process} ({command[:120]})"
    return "another command"
