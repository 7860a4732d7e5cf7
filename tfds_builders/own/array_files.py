"""Arrays in .npy, .npz, .mat (v5, v7, v7.3) and HDF5 files, read piece by piece.

An array stays on the disk where its format allows: .npy files and members of an .npz
are memory-mapped (a compressed member is unpacked to a temporary file when it is
read), HDF5 is read in slices. MATLAB v5 and v7 hold at most 2 GB an array, which is
read at once. Pickled objects are never loaded, nor what HDF5 keeps in other files.
"""

from __future__ import annotations

import mmap
import re
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tfds_builders.own.axes import combined
from tfds_builders.untrusted import hdf5, mat_files, numpy_files, sizes

SUFFIXES = (".npy", ".npz", ".mat", ".h5", ".hdf5")
COMPLEX_FIELDS = (("real", "imag"), ("re", "im"), ("r", "i"))
_OF_A_PAIR = re.compile(r"_(t\d+_tx\d+_r\d+)$")  # of transmitter and receivers
_LOCAL_HEADER = 30  # bytes in front of the name of a member of a ZIP file


class StoredArray:
    """An array of a file: `stored[slices]` reads a part of it.

    Args:
      array: of NumPy or h5py.
      reverse: the axes are stored in reverse order, as MATLAB's are in HDF5.
      memory: that the array is mapped to, or None.
    """

    def __init__(
        self, array: Any, reverse: bool = False, memory: mmap.mmap | None = None
    ):
        self._array, self._reverse, self._memory = array, reverse, memory
        self.shape = tuple(array.shape[::-1] if reverse else array.shape)
        self.is_numeric = _is_numeric(array.dtype)
        self.is_complex = array.dtype.kind == "c" or array.dtype.names is not None

    def pad(self, rank: int) -> None:
        """Append axes of length 1, which MATLAB drops, up to a rank."""
        self.shape += (1,) * (rank - len(self.shape))

    def __getitem__(self, slices: tuple[slice, ...]) -> np.ndarray:
        rank = len(self._array.shape)
        inner = slices[:rank]
        part = np.array(self._array[inner[::-1] if self._reverse else inner])
        if self._memory is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED)  # what is read need not stay
        if part.dtype.names:
            part = combined(*(part[name].astype(float) for name in part.dtype.names))
        part = part.T if self._reverse else part
        return part.reshape(*part.shape, *[1] * (len(self.shape) - rank))

    def whole(self) -> np.ndarray:
        """All of it, in memory."""
        return self[(slice(None),) * len(self.shape)]


def read(path: Path) -> dict[str, StoredArray]:
    """Numeric arrays of a file by name, or of a folder of files of one array each.

    Raises:
      FileNotFoundError: there is none.
      ValueError: another format, or a damaged file; the message names the file.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise FileNotFoundError(f"--source={path}: no such file")
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f"--source={path}: a {path.suffix or 'nameless'} file, expected one of "
            f"{', '.join(SUFFIXES)}, or a DeepMIMO folder"
        )
    try:
        arrays = _reader(path)(path)
    except MemoryError:
        raise
    except Exception as error:  # SciPy, h5py and zipfile raise whatever they like
        reason = " ".join(str(error).split())
        raise ValueError(
            f"--source={path}: damaged, or no {path.suffix} file of plain arrays "
            f"({type(error).__name__}: {reason}); write it again"
        ) from error
    return {
        name: stored
        for name, stored in arrays.items()
        if stored.shape and stored.is_numeric
    }


def _is_numeric(dtype: np.dtype) -> bool:
    """Whether numbers, or pairs of real and imaginary parts."""
    if dtype.names in COMPLEX_FIELDS:
        return all(dtype[name].kind in "fiu" for name in dtype.names)
    return dtype.kind in "fciu"


def _reader(path: Path):
    if path.suffix == ".npy":
        return _read_npy
    if path.suffix == ".npz":
        return _read_npz
    return _read_hdf5 if h5py.is_hdf5(path) else _read_mat


def _read_folder(folder: Path) -> dict[str, StoredArray]:
    """Arrays named after their files, `NAME_t001_tx000_r002` as `t001_tx000_r002/NAME`.

    That is how DeepMIMO writes a scenario: a file for each quantity and pair of
    transmitter and receivers. What else lies there is left alone.
    """
    arrays = {}
    for path in sorted(folder.iterdir()):
        name = _OF_A_PAIR.sub("", path.stem)
        pair = _OF_A_PAIR.search(path.stem)
        if path.suffix not in SUFFIXES or not pair:
            continue
        found = read(path)
        stored = found.get(name) or (found.popitem()[1] if len(found) == 1 else None)
        if stored is not None:
            arrays[f"{pair[1]}/{name}"] = stored
    if not arrays:
        raise FileNotFoundError(
            f"--source={folder}: a folder without files such as "
            "power_t001_tx000_r002.npz, in which DeepMIMO writes a scenario"
        )
    return arrays


def _read_npy(path: Path) -> dict[str, StoredArray]:
    return {path.stem: _mapped(path, 0, path.stat().st_size)}


def _read_npz(path: Path) -> dict[str, StoredArray]:
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        sizes.check(path, path.stat().st_size, sum(m.file_size for m in members))
        for member in members:
            numpy_files.check_kind(member)
            name = member.filename.removesuffix(".npy")
            if member.compress_type == zipfile.ZIP_STORED:
                start = _start(path, member)
                arrays[name] = _mapped(path, start, start + member.file_size)
            else:
                arrays[name] = StoredArray(_Packed(path, member))
    return arrays


class _Packed:
    """A compressed member of an .npz; unpacked when it is read for the first time."""

    def __init__(self, path: Path, member: zipfile.ZipInfo):
        self._path, self._member, self._unpacked = path, member, None
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
            self.shape, _, self.dtype = numpy_files.header(packed, member.file_size)

    def __getitem__(self, slices: tuple[slice, ...]) -> np.ndarray:
        if self._unpacked is None:
            self._unpacked = self._unpack()
        return self._unpacked[slices]

    def _unpack(self) -> StoredArray:
        where = f"--source={self._path}: {self._member.filename}"
        size, folder = self._member.file_size, tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        if size > free:
            raise OSError(
                f"{where} takes {size / 1e9:.3g} GB unpacked in {folder}, where "
                f"{free / 1e9:.3g} GB are free: make room, set TMPDIR, or write the "
                "file with np.savez, uncompressed"
            )
        with tempfile.NamedTemporaryFile(suffix=".npy") as unpacked:
            try:  # never more than the size that was looked at
                with zipfile.ZipFile(self._path) as archive:
                    with archive.open(self._member) as packed:
                        shutil.copyfileobj(packed, unpacked, 1 << 20)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise ValueError(f"{where} is damaged ({error})") from error
            unpacked.flush()
            return _mapped(Path(unpacked.name), 0, size)


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    """Where the content of a member begins."""
    with path.open("rb") as file:
        file.seek(member.header_offset + _LOCAL_HEADER - 4)
        names = np.frombuffer(file.read(4), "<u2")  # lengths of its name and extras
    return member.header_offset + _LOCAL_HEADER + int(names.sum())


def _mapped(path: Path, start: int, end: int) -> StoredArray:
    """The array whose .npy header and data stand between two places of a file."""
    with path.open("rb") as file:
        file.seek(start)
        shape, order, dtype = numpy_files.header(file, end)
        offset = file.tell()
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    array = np.ndarray(shape, dtype, memory, offset, order=order)
    return StoredArray(array, memory=memory)


def _read_mat(path: Path) -> dict[str, StoredArray]:
    return {name: StoredArray(array) for name, array in mat_files.read(path).items()}


def _read_hdf5(path: Path) -> dict[str, StoredArray]:
    """Arrays of HDF5; those of a .mat file in MATLAB's order of axes."""
    arrays, file = {}, h5py.File(path)

    def add(name: str, item) -> None:
        if not isinstance(item, h5py.Dataset) or name.startswith("#"):
            return
        if item.shape is None:
            return
        if hdf5.is_elsewhere(item):
            raise ValueError(f"{name} is kept in other files, which are not read")
        sizes.check(path, path.stat().st_size, item.nbytes)
        arrays[name] = StoredArray(item, reverse=path.suffix == ".mat")

    file.visititems(add)
    return arrays
