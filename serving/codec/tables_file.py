"""The tables of a codec in one file: arrays and a few facts, checked when read (NumPy).

The file is an .npz without pickled objects. Its entry `about` is a text, JSON: format,
kind of codec, facts, and the SHA-256 of each array; `sha256` is that of the text.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfds_builders.untrusted import numpy_files, sizes

FORMAT = 1
ABOUT, CHECKSUM = "about", "sha256"
# What JSON of other tables makes the lines below raise.
DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class CodecTables(NamedTuple):
    """Content of a file.

    Attributes:
        kind: of codec, such as 'pursuit'.
        facts: what JSON can hold.
        arrays: by name.
    """

    kind: str
    facts: dict
    arrays: dict[str, np.ndarray]


def pack(tables: CodecTables) -> bytes:
    """Bytes of the file, the same for the same tables."""
    arrays = {name: np.asarray(x, order="C") for name, x in tables.arrays.items()}
    about = json.dumps(
        {
            "format": FORMAT,
            "kind": tables.kind,
            "facts": tables.facts,
            "arrays": {name: _digest(x) for name, x in arrays.items()},
        },
        sort_keys=True,
    ).encode()
    entries = {ABOUT: np.frombuffer(about, np.uint8), **arrays}
    entries[CHECKSUM] = np.frombuffer(hashlib.sha256(about).digest(), np.uint8)
    written = io.BytesIO()
    np.savez_compressed(written, **entries)
    return written.getvalue()


def read(path: str | Path, kind: str = "", sha256: str = "") -> CodecTables:
    """Read a file.

    Args:
        path: written by `pack`.
        kind: that it must have; '': any.
        sha256: of the whole file, hexadecimal; '': any.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, too large, another file than was asked for, of another
            format or kind; the message names the file.
    """
    path = Path(path)
    content = sizes.read_bytes(path)
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise ValueError(f"{path}: its sha256 is {found}, expected {sha256}")
    try:
        tables = _unpack(path, content)
    except DAMAGE as error:
        raise ValueError(
            f"{path}: not tables of a codec, or damaged: {error}"
        ) from error
    if kind and tables.kind != kind:
        raise ValueError(f"{path}: tables of {tables.kind!r}, expected {kind!r}")
    return tables


def _unpack(path: Path, content: bytes) -> CodecTables:
    arrays = numpy_files.load(path, content)
    if not isinstance(arrays, dict):
        raise ValueError("a .npy, expected a .npz")
    text, checksum = (arrays.pop(name).tobytes() for name in (ABOUT, CHECKSUM))
    if hashlib.sha256(text).digest() != checksum:
        raise ValueError("the checksum of its description is wrong")
    about = json.loads(text)
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']}, expected {FORMAT}")
    found = {name: _digest(x) for name, x in arrays.items()}
    if found != about["arrays"]:
        raise ValueError("the checksum of an array is wrong")
    kind, facts = about["kind"], about["facts"]
    if not (isinstance(kind, str) and isinstance(facts, dict)):
        raise ValueError(f"kind {kind!r} or facts: expected a text and an object")
    return CodecTables(kind, facts, arrays)


def _digest(x: np.ndarray) -> str:
    head = f"{x.dtype.str} {list(x.shape)} "
    return hashlib.sha256(head.encode() + x.tobytes()).hexdigest()
