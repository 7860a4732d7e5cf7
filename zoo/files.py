"""Files that are either whole or absent, and where a result came from."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from tfds_builders import durable, flag_help, locks, provenance
from tfds_builders.untrusted import json_files

RESULTS = Path(__file__).parent / "results"


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` on success.

    A crash, a full disk or an exception leaves the previous file as it was and no
    temporary file behind (after SIGKILL: a hidden one that the next write replaces).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{path.name}")
    try:
        yield temporary
        durable.replace(temporary, path)
    except OSError as error:
        if error.errno and not error.filename:  # written by a library: name the file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_absent(out: str | Path) -> None:
    """Refuse a directory that exists.

    Raises:
        ValueError: it does.
    """
    if Path(out).exists():
        raise ValueError(f"{out} exists; choose another directory or remove it")


def check_new(out: str | Path) -> None:
    """Refuse a directory that exists, or that another command is making.

    Raises:
        ValueError, OSError: it is one of these.
    """
    check_absent(out)
    locks.check(out)


@contextlib.contextmanager
def new_directory(out: str | Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `out` when all went well.

    A kill leaves a hidden one, which the next command to the same place replaces.

    Raises:
        ValueError: `out` exists.
        OSError: another command is making it, or it cannot be written; nothing stays.
    """
    out = Path(out)
    partial = out.with_name(f".partial-{out.name}")
    with locks.alone_for(out):
        check_absent(out)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            durable.replace(partial, out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def require_room(path: Path, size: int) -> None:
    """Refuse to begin a file for which there is no room.

    For libraries that do not say so when they write. The room is taken up and given
    back at once, so another process may have it before the file is written. On macOS
    nothing is refused.

    Args:
        path: of the file; one that is there is removed.
        size: in bytes, or more.

    Raises:
        OSError: the disk is full, or a quota or limit of file sizes is reached; the
            message says how much is needed.
    """
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):  # not on macOS
                os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        needed = f"{error.strerror}, {size / 1e6:.1f} MB needed; make room and run the "
        raise OSError(error.errno, needed + "same command again", str(path)) from error
    finally:
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: str | Path, schema: dict | None = None):
    """Read JSON; see `json_files.read`."""
    return json_files.read(path, schema)


ENVIRONMENT = json_files.record(
    {"commit": json_files.TEXT, "device": json_files.TEXT},
    {
        "version": json_files.TEXT,
        "date": json_files.TEXT,
        "python": json_files.TEXT,
        "command": json_files.TEXT,
        "versions": json_files.OBJECT,
    },
)  # of env.json, what `environment` gives


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return provenance.sha256(Path(path))


def device_name() -> str:
    """Processor model, number of usable cores, and GPUs if TensorFlow is loaded."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    tf = sys.modules.get("tensorflow")
    gpus = tf.config.list_physical_devices("GPU") if tf else []
    names = [tf.config.experimental.get_device_details(g)["device_name"] for g in gpus]
    cores = len(os.sched_getaffinity(0))
    return ", ".join([f"{model}, {cores} core{'s' * (cores != 1)}", *names])


def command() -> str:
    """The running command as one types it, 'python -m MODULE ...' of a module."""
    program = flag_help.module_command() or Path(sys.argv[0]).name
    return " ".join([program, *sys.argv[1:]])


# Of the code that runs: a checkout may move on under a long command.
_source = functools.cache(provenance.source)


def environment() -> dict:
    """Commit, versions, device and date: the provenance of a run or result."""
    packages = ("tensorflow", "keras", "numpy", "tensorflow-datasets")
    source = _source()
    return {
        "commit": source.commit,
        "version": source.version,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": device_name(),
        "python": platform.python_version(),
        "command": command(),
        "versions": {name: metadata.version(name) for name in packages},
    }


LARGEST_VERSION = (1 << 63) - 1  # of a served model; TensorFlow Serving skips others


def versions(directory: str | Path) -> dict[int, Path]:
    """Version directories of a served model, by number, in their order.

    Names that are no number, or one beyond int64, are none.

    Raises:
        OSError: no such directory.
    """
    found = {
        int(entry.name): entry
        for entry in Path(directory).iterdir()
        if entry.name.isascii() and entry.name.isdigit() and entry.is_dir()
    }
    return {key: found[key] for key in sorted(found) if key <= LARGEST_VERSION}
