"""NumPy files from elsewhere: read whole, or refused by name. Needs NumPy alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np


def load(path: str | Path) -> np.ndarray | dict[str, np.ndarray]:
    """Read a .npy, or all arrays of a .npz by name.

    Raises:
        OSError: no such file, no regular one, or it cannot be opened.
        ValueError: it is damaged, is neither, or holds Python objects.
    """
    with open(path, "rb", opener=_regular) as file:
        try:
            stored = np.load(file, allow_pickle=False)
            return stored if isinstance(stored, np.ndarray) else dict(stored)
        except Exception as error:  # of zipfile, zlib, struct, even Python's tokenizer
            raise ValueError(f"{path} is no whole .npy or .npz ({error})") from error


def _regular(path: str, flags: int) -> int:
    """Open a file that has an end; not even wait for who might write to a pipe."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no regular file")
    return descriptor
