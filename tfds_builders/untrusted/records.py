"""TFRecord files: lengths that fit into the file, and the name of a damaged one.

A record is its length (8 bytes), a checksum of that, the content and its checksum.
TensorFlow makes room for the length that it reads, and does not say in which file of a
data set it met damage.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

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
                    "file: cut short or damaged; restore it, or make the data set again"
                )
            number += 1


def find_damage(paths: Iterable[Path], error: Exception) -> ValueError:
    """The error that names the file in which records are damaged.

    Args:
        paths: files of a data set.
        error: what TensorFlow has raised while it read them.
    """
    for path in paths:
        number = 0
        try:
            check(path)
            for _ in tf.data.TFRecordDataset(str(path)):
                number += 1
        except (ValueError, tf.errors.OpError) as found:
            if isinstance(found, ValueError):
                return found
            return ValueError(
                f"{path}: record {number} is damaged ({found.message}); restore the "
                "file, or make the data set again"
            )
    reason = str(error).splitlines()[0]
    return ValueError(f"{', '.join(map(str, paths))}: unreadable examples ({reason})")
