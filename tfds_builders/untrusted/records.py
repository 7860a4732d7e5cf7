"""TFRecord files: lengths that fit into the file, and the name of a damaged one.

A record is its length (8 bytes), a checksum of that, the content and its checksum.
TensorFlow makes room for the length that it reads, and does not say in which file of a
data set it met damage.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import tensorflow as tf

REMEDY = "restore it, or make the data set again"
_AROUND = 16  # bytes of a record beside its content


def check(path: Path) -> None:
    """Refuse a file in which a record is longer than what is left of it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is cut short or damaged; the message names it.
    """
    with path.open("rb") as file:
        end, place, number = os.fstat(file.fileno()).st_size, 0, 0
        while place < end:
            head = os.pread(file.fileno(), 8, place)
            place += int.from_bytes(head, "little") + _AROUND
            if place > end:
                raise ValueError(
                    f"{path}: record {number} ends {place - end:,} bytes behind the "
                    f"file: cut short or damaged; {REMEDY}"
                )
            number += 1


@contextlib.contextmanager
def named(paths: Iterable[str | os.PathLike]) -> Iterator[None]:
    """Name the damaged file where reading within the block fails.

    Args:
        paths: files of a data set, which are checked first.

    Raises:
        ValueError: one is damaged; the message names it.
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        check(path)
    try:
        yield
    except tf.errors.OpError as error:
        raise ValueError(_damage(paths) or _unreadable(paths[0], error)) from error


def _damage(paths: list[Path]) -> str:
    """Which file is damaged, and where; '' where all records are whole."""
    for path in paths:
        number = 0
        try:
            for _ in tf.data.TFRecordDataset(str(path)):
                number += 1
        except tf.errors.OpError as error:
            return f"{path}: record {number} is damaged ({_reason(error)}); {REMEDY}"
    return ""


def _unreadable(path: Path, error: tf.errors.OpError) -> str:
    return f"{path.parent}: examples of another data set ({_reason(error)}); {REMEDY}"


def _reason(error: tf.errors.OpError) -> str:
    """What TensorFlow says, without its names of nodes."""
    return re.sub(r"{{.*?}} | \[Op:.*", "", error.message.splitlines()[0])
