"""Renames that outlast a power cut: content, then name, then the folder's entry."""

from __future__ import annotations

import os
from pathlib import Path


def replace(written: str | Path, path: str | Path) -> None:
    """Give a file or folder its name once it is on the disk, and the name after it.

    Args:
        written: the complete file, or folder of files.
        path: its name from now on, in the same file system; what has it is replaced.

    Raises:
        OSError: the disk is full or broken; `path` is as it was.
    """
    written, path = Path(written), Path(path)
    _sync(written)
    os.replace(written, path)
    _flush(path.parent)
    if written.parent != path.parent:
        _flush(written.parent)


def settle(path: str | Path) -> None:
    """The same for what another library has given its name: wait until it lasts."""
    _sync(Path(path))
    _flush(Path(path).parent)


def _sync(path: Path) -> None:
    if path.is_symlink():
        return
    if path.is_dir():
        for inside in path.iterdir():
            _sync(inside)
    _flush(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
