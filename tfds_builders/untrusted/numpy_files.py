""".npy and .npz files: numbers only, as many as are there. Needs NumPy alone."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfds_builders.untrusted import sizes

KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def header(file: BinaryIO, end: int) -> tuple[tuple[int, ...], str, np.dtype]:
    """Shape, order and type in a .npy header whose data may go up to `end`.

    Raises:
        ValueError: pickled objects, another version, or more data than there are.
    """
    version = np.lib.format.read_magic(file)
    if version not in _READERS:
        raise ValueError(f"a .npy of version {version}, expected 1.0 or 2.0")
    shape, fortran, dtype = _READERS[version](file)
    if dtype.hasobject:
        raise ValueError("pickled objects, expected numbers")
    if any(n < 0 for n in shape):
        raise ValueError(f"the header announces shape {shape}")
    size, have = math.prod(shape) * dtype.itemsize, end - file.tell()
    if size > have:
        raise ValueError(f"the header announces {size:,} bytes, {have:,} are there")
    return shape, "F" if fortran else "C", dtype


def load(
    path: str | Path, content: bytes | None = None
) -> np.ndarray | dict[str, np.ndarray]:
    """Read a .npy, or all arrays of a .npz by name.

    Args:
        path: of the file.
        content: its bytes, where they were read before.

    Raises:
        OSError: no such file, or it cannot be opened.
        ValueError: it is damaged, is neither, holds Python objects, or unfolds to more
            than a file may; the message names it.
    """
    path = Path(path)
    if content is None and not path.is_file():
        if path.exists():
            raise OSError(f"{path} is no regular file")
        raise FileNotFoundError(f"{path}: no such file")
    size = path.stat().st_size if content is None else len(content)
    with path.open("rb") if content is None else io.BytesIO(content) as file:
        try:
            _check(path, file, size)
            file.seek(0)
            stored = np.load(file, allow_pickle=False)
            return stored if isinstance(stored, np.ndarray) else dict(stored)
        except Exception as error:  # of zipfile, zlib, struct, even Python's tokenizer
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{path} is no whole .npy or .npz ({reason})") from error


def _check(path: Path, file: BinaryIO, size: int) -> None:
    """Look at the sizes of all arrays."""
    if file.read(6) == b"\x93NUMPY":
        file.seek(0)
        header(file, size)
        return
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        sizes.check(path, size, sum(member.file_size for member in members))
        for member in members:
            check_kind(member)
            with archive.open(member) as stream:
                header(stream, member.file_size)


def check_kind(member: zipfile.ZipInfo) -> None:
    """Refuse a member of an .npz that NumPy has not written.

    Raises:
        ValueError: packed in another way.
    """
    if member.compress_type not in KINDS:
        raise ValueError(f"{member.filename} is packed in a way that NumPy does not")
