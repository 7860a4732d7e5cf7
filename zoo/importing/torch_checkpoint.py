"""Tensors of PyTorch files, read without PyTorch and without running what is in them.

A PyTorch file is a pickle with raw numbers beside it, in one of two formats:

    zip (torch >= 1.6)  NAME/data.pkl, NAME/data/KEY (raw numbers), NAME/byteorder
    legacy              four pickles (magic number, version, machine, object), the list
                        of storage keys, then per storage its length and raw numbers

The pickle is read by `zoo.importing.unpickler`, which refuses anything but tensors.
"""

from __future__ import annotations

import functools
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfds_builders.untrusted import sizes
from zoo.importing.unpickler import DTYPES, Storage, Tensor, Unpickler, check_key

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# Counters of PyTorch's batch norm and of the FLOP counter thop.
COUNTERS = ("num_batches_tracked", "total_ops", "total_params")
STATE_DICTS = ("state_dict", "model_state_dict")


def load(path: str | Path) -> Any:
    """Read a PyTorch file.

    Args:
        path: file written by `torch.save`.

    Returns:
        The saved object: dictionaries, lists, tuples, numbers and text, with NumPy
        arrays for tensors (float32 for bfloat16).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a PyTorch file, damaged, of an unknown type of numbers, or it
            asks for anything but tensors.
    """
    path = Path(path)
    content = sizes.read_bytes(path)
    try:
        read = _read_zip if content.startswith(b"PK\3\4") else _read_legacy
        return read(io.BytesIO(content))
    except Exception as error:  # hostile bytes make pickle raise nearly anything
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path}: not a PyTorch file that can be used, or damaged ({reason})"
        ) from error


def state_dict(path: str | Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the weights of a PyTorch file, in the order of the file.

    Args:
        path: a state dict, or a checkpoint that holds one, as `state_dict`, as
            `model_state_dict` or as its only dictionary of tensors.

    Returns:
        Name to array without counters and without the prefix `module.` of parallel
        training, and the names of everything left out.

    Raises:
        FileNotFoundError, ValueError: as `load`, or it holds no state dict.
    """
    weights, ignored = _weights(path, load(path))
    tensors: dict[str, np.ndarray] = {}
    for key, array in weights.items():
        name = str(key).removeprefix("module.")
        if name.rsplit(".", 1)[-1] in COUNTERS:
            ignored.append(name)
        elif isinstance(array, (bool, int, float, str, type(None))):
            ignored.append(name)  # epoch, best result, ...
        elif not isinstance(array, np.ndarray) or name in tensors:
            what = type(array).__name__
            raise ValueError(f"{path}: {name} is a {what}, expected one tensor")
        else:
            tensors[name] = array
    if not tensors:
        raise ValueError(f"{path}: holds {_some(weights)} and no tensors")
    return tensors, ignored


def _weights(path, value) -> tuple[dict, list[str]]:
    """The dictionary of tensors in what a file holds, and what is beside it."""
    if not isinstance(value, dict) or not value:
        what = _some(value) if isinstance(value, dict) else f"a {type(value).__name__}"
        raise ValueError(
            f"{path}: holds {what} and no state dict, a dictionary of tensors"
        )
    found = [key for key in STATE_DICTS if key in value]
    if not found and not any(isinstance(v, np.ndarray) for v in value.values()):
        found = [key for key, item in value.items() if _is_state_dict(item)]
    if not found:
        return value, []
    if len(found) > 1:
        raise ValueError(
            f"{path}: holds several state dicts, {', '.join(map(str, found))}; save "
            "the network's own in a file of its own"
        )
    weights = value[found[0]]
    if not isinstance(weights, dict) or not weights:
        raise ValueError(f"{path}: its {found[0]} is no state dict, one of tensors")
    return weights, [str(key) for key in value if key != found[0]]


def _is_state_dict(value) -> bool:
    whole = isinstance(value, dict) and value
    return bool(whole) and all(isinstance(v, np.ndarray) for v in value.values())


def _some(value: dict) -> str:
    names = [str(key) for key in value]
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "") or "nothing"


def _read_zip(file: io.BytesIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        roots = [n.removesuffix("data.pkl") for n in names if n.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError(f"a zip with {len(roots)} data.pkl, expected 1")
        (root,) = roots
        if f"{root}byteorder" in names:
            if _entry(archive, f"{root}byteorder") != b"little":
                raise ValueError("big-endian numbers are not supported")
        value = Unpickler(io.BytesIO(_entry(archive, f"{root}data.pkl"))).load()

        @functools.cache  # however many tensors look at it
        def read(storage: Storage) -> bytes:
            return _entry(archive, f"{root}data/{storage.key}", _num_bytes(storage))

        return _Tree(read, file.getbuffer().nbytes).plain(value)


def _entry(archive: zipfile.ZipFile, name: str, size: int | None = None) -> bytes:
    """Content of an entry; PyTorch stores all of them uncompressed."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, expected it as it is")
    content = archive.read(info)
    if size is not None and len(content) != size:
        raise ValueError(f"{name} has {len(content)} bytes, expected {size}")
    return content


def _read_legacy(file: io.BytesIO) -> Any:
    if not file.getbuffer()[:1] == b"\x80":
        raise ValueError("neither a zip nor a pickle")
    header = [Unpickler(file).load() for _ in range(3)]
    if header[:2] != [MAGIC, PROTOCOL] or not header[2]["little_endian"]:
        raise ValueError("not PyTorch's magic number, version 1001 and little-endian")
    unpickler = Unpickler(file)
    value = unpickler.load()
    data = {}
    for key in Unpickler(file).load():
        check_key(key)
        storage = unpickler.storages[key]
        numel = int.from_bytes(_exactly(file, 8), "little", signed=True)
        if numel != storage.numel:
            raise ValueError(f"storage {key}: {numel} numbers, not {storage.numel}")
        data[key] = _exactly(file, _num_bytes(storage))
    return _Tree(lambda x: data[x.key], file.getbuffer().nbytes).plain(value)


def _num_bytes(storage: Storage) -> int:
    return storage.numel * np.dtype(DTYPES[storage.kind]).itemsize


def _exactly(file: io.BytesIO, size: int) -> bytes:
    left = file.getbuffer().nbytes - file.tell()
    if not 0 <= size <= left:
        raise ValueError(f"truncated: {size} more bytes expected, {left} left")
    return file.read(size)


class _Tree:
    """Makes arrays of tensors: each object once, and all within what a file may be.

    Args:
        read: numbers of a storage.
        size: of the file in bytes.
    """

    def __init__(self, read: Callable[[Storage], bytes], size: int):
        self._read, self._size, self._total = read, size, 0
        self._done: dict[int, Any] = {}

    def plain(self, value) -> Any:
        """The tree below a value with arrays for tensors."""
        if id(value) in self._done:
            return self._done[id(value)]
        if isinstance(value, Tensor):
            result = self._array(value)
        elif isinstance(value, dict):
            result = {key: self.plain(item) for key, item in value.items()}
        elif isinstance(value, (list, tuple)):
            items = [self.plain(item) for item in value]
            result = tuple(items) if isinstance(value, tuple) else items
        elif value is None or isinstance(value, (bool, int, float, str)):
            result = value
        else:
            raise ValueError(f"holds a {type(value).__name__}, expected tensors")
        self._done[id(value)] = result
        return result

    def _array(self, tensor: Tensor) -> np.ndarray:
        (kind, key, _), offset, size, stride = tensor
        values = np.frombuffer(self._read(tensor.storage), DTYPES[kind])
        count = math.prod(size)
        last = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if count and (offset + last >= len(values) or count > len(values)):
            raise ValueError(
                f"tensor of size {size}, stride {stride}, offset {offset} does not fit "
                f"in storage {key} of {len(values)} numbers"
            )
        self._total += count * values.itemsize
        sizes.check("its tensors", self._size, self._total)
        array = np.zeros(size, values.dtype)
        if count:
            steps = [step * values.itemsize for step in stride]
            window = np.lib.stride_tricks.as_strided(values[offset:], size, steps)
            array = window.copy()
        if kind == "BFloat16Storage":
            array = (array.astype("<u4") << 16).view("<f4")
        return array
