"""Where a UE's CSI comes from: a file of samples, or a directory that is filled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serving.ue_side import eigen_source
from tfds_builders.untrusted import numpy_files

MAX_FILES = 1000  # in a directory, looked at once a period


def load_samples(
    path: Path, limit: int | None = None, key: str = "h", codec: dict | None = None
) -> np.ndarray:
    """Read CSI float32 `[n, 32, 32, 2]` from .npz or .npy.

    Args:
        path: the file.
        limit: read the first so many.
        key: array of a .npz: `h`, or `uplink` for magnitudes `[n, 32, 32, 1]`.
        codec: content of codec.json; where eigenvectors are sent a .npz may hold
            `channels` or `eigenvectors` instead, see `eigen_source`.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: damaged, no such key, no samples, or not float32 of that shape.
    """
    h = numpy_files.load(path)
    if isinstance(h, dict):
        sent = codec is not None and "eigenvectors" in codec
        made_of = next((name for name in eigen_source.KEYS if name in h), None)
        if sent and key not in h and made_of:
            try:
                return eigen_source.as_input(made_of, h[made_of], codec, limit)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
        if key not in h:
            raise ValueError(f"{path} has keys {list(h)}: expected {key}")
        h = h[key]
    elif key != "h":
        raise ValueError(f"{path} holds one array: expected .npz with h and {key}")
    parts = 1 if key == "uplink" else 2
    if h.ndim != 4 or h.shape[3] != parts or not len(h) or h.dtype != np.float32:
        raise ValueError(
            f"{path} holds {h.dtype} {list(h.shape)} as {key}: expected float32 "
            f"[n, 32, 32, {parts}]"
        )
    return h[:limit]


class Sample(NamedTuple):
    """Zero-centred CSI float `[32, 32, 2]`; uplink magnitudes `[32, 32]` or None."""

    h: np.ndarray
    uplink: np.ndarray | None = None


class FileSource:
    """The samples of a .npz or .npy, one after the other.

    Args:
        path: the file; with `uplink` a .npz that has that key too.
        uplink: whether the decoder takes the uplink.
        repeat: begin again after the last one.
        codec: as of `load_samples`.
    """

    superseded = 0

    def __init__(
        self,
        path: Path,
        uplink: bool = False,
        repeat: bool = False,
        codec: dict | None = None,
    ):
        self._h = load_samples(path, codec=codec)
        self._uplink = load_samples(path, key="uplink")[..., 0] if uplink else None
        if uplink and len(self._uplink) != len(self._h):
            raise ValueError(
                f"{path}: {len(self._uplink)} uplink maps for {len(self._h)} CSI"
            )
        self._repeat, self._next = repeat, 0

    @property
    def ended(self) -> bool:
        """No sample is left."""
        return not self._repeat and self._next == len(self._h)

    def read(self) -> Sample:
        """Return the next sample."""
        row = self._next % len(self._h)
        self._next += 1
        return Sample(self._h[row], None if self._uplink is None else self._uplink[row])


class DirectorySource:
    """The newest .npy that has appeared since the last look, one CSI `[32, 32, 2]`.

    Older ones that were never sent are counted in `superseded`: only the newest CSI is
    worth reporting. Write a file under another ending and rename it. Files are left
    where they are: whoever writes them deletes them, or gives one name again and again.
    """

    ended = False

    def __init__(self, directory: Path):
        self._directory, self._seen = directory, set()
        self.superseded = 0

    def _new(self) -> list[tuple[int, str]]:
        # Known by name and time, not by a later time: clocks are set, files copied.
        found: set[tuple[int, str]] = set()
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if not entry.name.endswith(".npy"):
                    continue
                try:
                    found.add((entry.stat().st_mtime_ns, entry.name))
                except FileNotFoundError:  # deleted since it was listed
                    continue
                if len(found) > MAX_FILES:
                    raise ValueError(
                        f"{self._directory} holds more than {MAX_FILES:,} .npy, too "
                        "many to look at each period: delete those that are old"
                    )
        new, self._seen = sorted(found - self._seen), found
        return new

    def read(self) -> Sample | None:
        """Return the newest sample, None where there is no new one.

        Raises:
            ValueError: the file cannot be read as an array, or the directory has gone
                or is too full.
        """
        try:
            new = self._new()
        except OSError as error:
            raise ValueError(f"{self._directory} cannot be read: {error}") from error
        if not new:
            return None
        self.superseded += len(new) - 1
        path = self._directory / new[-1][1]
        try:
            h = numpy_files.load(path)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        if not isinstance(h, np.ndarray):
            raise ValueError(f"{path} is an archive: expected a .npy of one CSI")
        return Sample(h)


def open_source(
    path: str | Path,
    uplink: bool = False,
    repeat: bool = False,
    codec: dict | None = None,
) -> FileSource | DirectorySource:
    """Open a .npz, .npy or directory; arguments as of `FileSource`.

    Raises:
        OSError: no such file or directory.
        ValueError: the file holds no CSI, or a directory cannot give the uplink.
    """
    path = Path(path)
    if not path.is_dir():
        return FileSource(path, uplink, repeat, codec)
    if uplink:
        raise ValueError(
            f"--source={path}: the decoder takes the uplink and a directory has CSI "
            "alone; expected a .npz with h and uplink"
        )
    if repeat:
        raise ValueError(
            f"--source={path}: a directory has no end to repeat from; leave --repeat "
            "out"
        )
    return DirectorySource(path)
