"""The folder `incomplete.XXXXXX_VERSION` that TFDS writes to, and a kill leaves.

Its name is on record before anything is in it, so that the next build removes what a
killed one left, and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

RECORD = "writing"
PREFIX = "incomplete."  # of TFDS


@contextlib.contextmanager
def recorded(builder, folder: Path) -> Iterator[None]:
    """While a builder prepares its data, with the name of its folder on record.

    Args:
      builder: TFDS builder whose data are not there.
      folder: of the record; held by this command, see `locks`.
    """
    record, generators = folder / RECORD, builder._split_generators

    @functools.wraps(generators)  # TFDS looks at the names of its arguments
    def recording(*args, **kwargs):
        record.write_text(Path(builder.data_path).name, encoding="utf-8")
        return generators(*args, **kwargs)

    builder._split_generators = recording
    try:
        yield
    finally:
        builder._split_generators = generators
        record.unlink(missing_ok=True)


def remove(data: Path, folder: Path) -> None:
    """Remove what a killed build of the same data has left.

    Args:
      data: where the data would be.
      folder: of the record; held by this command.
    """
    record, name = folder / RECORD, ""
    if record.exists():  # a kill or a full disk may leave it empty
        name = record.read_text(encoding="utf-8", errors="replace")
    for left in data.parent.glob(f"{PREFIX}*_{data.name}"):
        if left.name == name:
            rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):  # one that was killed before the record
            left.rmdir()
    record.unlink(missing_ok=True)
