"""The published files, from a server or a hub repository, into one folder.

A file that breaks off is kept as NAME.part; the next time the rest of it is asked for.
Only what has the published size and SHA-256 gets its name.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
from pathlib import Path

from tfds_builders import durable, fetching, locks, provenance

PUBLISHED = json.loads(
    Path(__file__).with_name("published_files.json").read_text(encoding="utf-8")
)
LICENCE = (
    "the COST2100 files come from others, and no licence of theirs is known here: "
    "whether you may use them is for you to check"
)


def base_url(source: str) -> str:
    """Address of the folder that holds the files.

    Args:
      source: an address, http(s)://..., or a data set repository of the Hugging Face
        hub, OWNER/NAME or OWNER/NAME@REVISION.

    Raises:
      ValueError: neither.
    """
    if re.match(r"https?://", source):
        return source.rstrip("/")
    match = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w.-]+))?", source)
    if not match:
        raise ValueError(
            f"--download={source}: expected the address of a folder, https://..., or a "
            "hub repository OWNER/NAME[@REVISION], such as CsiCoGen/COST2100"
        )
    return f"{fetching.hub()}/datasets/{match[1]}/resolve/{match[2] or 'main'}"


def fetch(base: str, names: list[str], folder: Path) -> None:
    """Make sure that files are in a folder.

    Args:
      base: as `base_url` gives it.
      names: of published files.
      folder: made where it is missing.

    Raises:
      OSError: no network, no such file there, or a full disk; names folder and hashes.
      ValueError: the server has other content.
    """
    print(LICENCE, flush=True)
    with locks.alone(folder, wait=True):  # the second of two waits, and finds the files
        _fetch_missing(base, names, folder)


def _fetch_missing(base: str, names: list[str], folder: Path) -> None:
    missing = [name for name in names if not (folder / name).exists()]
    parts = [folder / f"{name}.part" for name in missing]
    have = sum(part.stat().st_size for part in parts if part.exists())
    needed = sum(PUBLISHED[name]["bytes"] for name in missing) - have
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"the files take {needed / 1e9:.3g} GB more in {folder}, where "
            f"{free / 1e9:.3g} GB are free: make room or give another --manual_dir"
        )
    for name in missing:
        try:
            _fetch(f"{base}/{name}", folder / f"{name}.part", PUBLISHED[name])
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise OSError(
                f"{base}/{name}: {reason}; what has arrived is kept, start again, or "
                f"put these files into {folder}: {listing(missing)}"
            ) from error


def listing(names: list[str]) -> str:
    """Names, sizes and hashes of published files in one line."""
    return ", ".join(
        f"{name} ({PUBLISHED[name]['bytes']:,} bytes, SHA-256 "
        f"{PUBLISHED[name]['sha256']})"
        for name in names
    )


def _fetch(url: str, part: Path, published: dict) -> None:
    """Fetch the rest of a file, check all of it, and give it its name."""
    size = part.stat().st_size if part.exists() else 0
    if size >= published["bytes"] and not _is_published(part, published):
        part.unlink()  # what lies there is no beginning of the file
        size = 0
    if size < published["bytes"]:
        fetching.fetch_rest(url, part, published["bytes"], part.with_suffix("").name)
    size = part.stat().st_size
    if size < published["bytes"]:
        raise OSError(f"ended after {size:,} of {published['bytes']:,} bytes")
    if not _is_published(part, published):
        digest, name = provenance.sha256(part), part.with_suffix("").name
        part.unlink()
        raise ValueError(
            f"{url}: {size:,} bytes with SHA-256 {digest}, expected "
            f"{listing([name])}; take another --download"
        )
    durable.replace(part, part.with_suffix(""))


def _is_published(path: Path, published: dict) -> bool:
    same = path.stat().st_size == published["bytes"]
    return same and provenance.sha256(path) == published["sha256"]
