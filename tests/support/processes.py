"""What the tests ask about processes (Linux)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path


def ended(pid: int) -> bool:
    """No such process, or a zombie that its parent has still to collect."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        return status.split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children(module: str, parent: int = 0) -> list[int]:
    """Running `python -m module` that a process (default: this one) has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_text().split("\0")
            if int(words[1]) == (parent or os.getpid()) and module in command:
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.01)


def silent(text: str) -> bool:
    """Whether no line is a native library's, TFDS's or a converter's."""
    return not re.search(
        r"InitializeLog|\.cc:\d+\]|oneDNN|XNNPACK|WARNING|Saved artifact|Endpoint '|"
        "retracing|Downloading and preparing",
        text,
    )
