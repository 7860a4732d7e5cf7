"""checksums.sha256 of a directory: what `sha256sum -c` reads, verified before a load.

An export has one of all its files, and each version of its decoder one of its own,
which goes with it wherever it is served. They tell damage, not malice: whoever changes
a file on purpose changes its hash too. Needs the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tfds_builders.provenance import sha256

NAME = "checksums.sha256"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\0]+)")


def hashes(directory: Path) -> dict[str, str]:
    """SHA-256 of every file below a directory, by relative path."""
    paths = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {path.relative_to(directory).as_posix(): sha256(path) for path in paths}


def text(directory: Path) -> str:
    """Content of checksums.sha256 of a directory as it is now."""
    found = hashes(directory)
    found.pop(NAME, None)
    return "".join(f"{digest}  {name}\n" for name, digest in found.items())


def parse(path: Path) -> list[tuple[str, str]]:
    """Pairs (SHA-256, name) of a file of hashes.

    Raises:
        ValueError: a line is none.
    """
    content = path.read_bytes().decode("utf-8", "replace")
    found = [_LINE.fullmatch(line) for line in content.removesuffix("\n").split("\n")]
    if None in found:
        raise ValueError(
            f"{path}: line {found.index(None) + 1} is not a SHA-256 and a name: the "
            "file is damaged; copy the directory again"
        )
    return [match.groups() for match in found]


def verify(directory: Path, needed: Iterable[str] = ()) -> bool:
    """Compare the files of a directory with its checksums.sha256.

    Args:
        directory: export, or version of a decoder.
        needed: names that it must list.

    Returns:
        False where there is none, as in what older versions of the zoo wrote.

    Raises:
        ValueError: a file is missing, damaged or another one.
    """
    if not (directory / NAME).is_file():
        return False
    listed = {name: digest for digest, name in parse(directory / NAME)}
    for name in [*needed, *listed]:
        _check(directory, name, listed.get(name))
    return True


def verify_file(path: Path) -> None:
    """Compare one file with the checksums.sha256 beside it, where there is one.

    Raises:
        ValueError: it is damaged or another one.
    """
    if (path.parent / NAME).is_file():
        listed = {name: digest for digest, name in parse(path.parent / NAME)}
        _check(path.parent, path.name, listed.get(path.name))


def _check(directory: Path, name: str, expected: str | None) -> None:
    path = directory / name
    if expected is None:
        raise ValueError(f"{directory / NAME} does not list {name}: export again")
    found = sha256(path) if path.is_file() else "none, it is missing"
    if found != expected:
        raise ValueError(
            f"{path}: its sha256 is {found[:19]}, expected {expected[:19]} by {NAME}: "
            "it was damaged or changed; copy it again, or export again"
        )
