"""How much a file may unfold to: one cap for all formats."""

from __future__ import annotations

from pathlib import Path

LARGEST = 1 << 30  # bytes that any file may unfold to
RATIO = 10  # or so many times its own size: numbers compress no better


def check(path: str | Path, size: int, unfolded: int) -> None:
    """Refuse a file made to fill the memory.

    Args:
        path: named in the message.
        size: of the file in bytes.
        unfolded: bytes that it announces to hold.

    Raises:
        ValueError: more than `LARGEST` and than `RATIO` times its size.
    """
    most = max(LARGEST, RATIO * size)
    if unfolded > most:
        raise ValueError(
            f"{path}: {size:,} bytes that unfold to {unfolded:,}, expected at most "
            f"{most:,}: a damaged or hostile file; write it uncompressed if it is yours"
        )


def read_bytes(path: Path) -> bytes:
    """Content of a file that is read as a whole.

    Raises:
        FileNotFoundError: no such file, or a device or pipe.
        ValueError: larger than `LARGEST`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path}: {size:,} bytes, expected at most {LARGEST:,}")
    return path.read_bytes()
