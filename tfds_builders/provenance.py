"""Which version of the code made a data set or a result.

A wheel and a source distribution carry the commit that they were built from
(`_build_info.json`, written by `build_hooks`); a checkout, also one that is installed
editable, asks git. A repository that merely holds an installed copy is never asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

UNKNOWN = "unknown"
BUILD_INFO = "_build_info.json"
NAME = "csi-feedback-zoo"
_HERE = Path(__file__).resolve()
# Set by git in hooks; they would answer for another repository.
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")


class Source(NamedTuple):
    """Where the running code is from.

    Attributes:
      version: of the package.
      commit: 40 hex digits, `-dirty` appended if modified; 'unknown' outside git.
    """

    version: str
    commit: str


def source() -> Source:
    """Version and commit of the code that runs."""
    build_info = _HERE.with_name(BUILD_INFO)
    if build_info.is_file():
        return Source(**json.loads(build_info.read_text(encoding="utf-8")))
    root = _HERE.parents[1]
    project = root / "pyproject.toml"
    text = project.read_text(encoding="utf-8") if project.is_file() else ""
    if f'\nname = "{NAME}"\n' not in text:
        return Source(UNKNOWN, UNKNOWN)
    version = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    return Source(version[1] if version else UNKNOWN, _commit(root))


def git_commit() -> str:
    """Commit of the project, `-dirty` appended if modified, 'unknown' outside git."""
    return source().commit


def version() -> str:
    """Version of the package; 'unknown' for bare files without their project."""
    return source().version


def sha256(path: Path) -> str:
    """SHA-256 of a file of any size, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _commit(root: Path) -> str:
    """Commit of a checkout; a copy in somebody else's repository has none."""
    if not (root / ".git").exists():
        return UNKNOWN
    environment = {k: v for k, v in os.environ.items() if k not in _OF_A_HOOK}

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", str(_HERE.relative_to(root)))
        commit = git("rev-parse", "HEAD")
        # Without the lock of the index, which a killed command would leave behind.
        status = "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"
        return commit + "-dirty" * bool(git(*status))
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
