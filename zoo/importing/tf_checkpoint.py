"""Tensors of TensorFlow checkpoints, vetted before TensorFlow reads them.

A checkpoint is PREFIX.index, a table of names with type, shape and place of each
tensor, and PREFIX.data-00000-of-00001, the numbers. On a hostile index TensorFlow's
reader ends the process, so the table is read here first:

    blocks of (letters shared with the last key, further ones, size, letters, value)
    footer of 48 bytes: places of two blocks, the second one a table of the others
"""

from __future__ import annotations

import glob
import math
import re
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import tensor_bundle_pb2

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48
MAX_INDEX = 1 << 24
LONGEST_NAME, MOST_LETTERS = 4096, 1 << 26  # of a tensor, of all names
MOST_AXES = 254  # of TensorFlow
NUMBERS = {tf.float16, tf.float32, tf.float64, tf.bfloat16}
# Moments of optimisers, beside the weights of the same name.
OPTIMISER = re.compile(r".*/(Adam|Adam_1|Momentum|RMSProp(_1)?)|beta[12]_power")


def find(path: Path) -> list[Path]:
    """Files of a checkpoint: the index, then the numbers.

    Args:
        path: PREFIX, one of the files, or a folder with one checkpoint.

    Raises:
        FileNotFoundError: no checkpoint there, or a part of it is missing.
        ValueError: several.
    """
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) > 1:
            names = ", ".join(index.stem for index in found[:4])
            raise ValueError(f"{path}: holds {len(found)} checkpoints: {names}")
        path = found[0] if found else path / "PREFIX"
    prefix = re.sub(r"\.(index|data-\d{5}-of-\d{5})$", "", path.name)
    index = path.with_name(f"{prefix}.index")
    data = sorted(path.parent.glob(f"{glob.escape(prefix)}.data-?????-of-?????"))
    parts = range(len(data) or 1)
    expected = [f"{prefix}.data-{i:05d}-of-{len(parts):05d}" for i in parts]
    if not index.is_file() or [file.name for file in data] != expected:
        raise FileNotFoundError(
            f"{path.parent}: expected {index.name} and {', '.join(expected)}"
        )
    return [index, *data]


def read(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the floating-point tensors of a checkpoint.

    Args:
        path: as of `find`.

    Returns:
        Name to array, by name, and the names of all that was left out: moments of
        optimisers and tensors of other types.

    Raises:
        FileNotFoundError, ValueError: as of `find`, or damaged or hostile files.
    """
    index, *data = find(path)
    try:
        entries = _entries(index)
        _check(entries, [file.stat().st_size for file in data])
        reader = tf.train.load_checkpoint(str(index).removesuffix(".index"))
        wanted = [n for n, e in entries.items() if _is_weight(n, e.dtype)]
        tensors = {n: np.asarray(reader.get_tensor(n)) for n in sorted(wanted)}
    except (
        ValueError, IndexError, KeyError, TypeError, DecodeError, RuntimeError,
        tf.errors.OpError,
    ) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{index}: not a usable checkpoint, or damaged ({reason})"
        ) from error
    return tensors, sorted(set(entries) - set(tensors))


def _is_weight(name: str, dtype: int) -> bool:
    return tf.dtypes.as_dtype(dtype) in NUMBERS and not OPTIMISER.fullmatch(name)


def _check(entries: dict, sizes: list[int]) -> None:
    """Refuse an index whose tensors are not the bytes of the data files.

    Raises:
        ValueError: another shape or place than the numbers can have.
    """
    total = 0
    for name, entry in entries.items():
        shape = [dim.size for dim in entry.shape.dim]
        if len(shape) > MOST_AXES:
            raise ValueError(f"{name} has {len(shape)} axes")
        if min(shape, default=0) < 0 or entry.shape.unknown_rank or entry.slices:
            raise ValueError(f"{name} has shape {shape} or is stored in slices")
        dtype = tf.dtypes.as_dtype(entry.dtype)
        numbers = dtype in NUMBERS or dtype.is_integer or dtype.is_bool
        if numbers and entry.size != math.prod(shape) * dtype.size:
            raise ValueError(f"{name}: {entry.size} bytes for {dtype.name} {shape}")
        shard = entry.shard_id
        if not 0 <= shard < len(sizes) or min(entry.offset, entry.size) < 0:
            raise ValueError(f"{name}: in file {shard} of {len(sizes)}")
        if entry.offset + entry.size > sizes[shard]:
            raise ValueError(f"{name}: truncated, ends behind {sizes[shard]} bytes")
        total += entry.size
    if total > sum(sizes):
        raise ValueError(f"{total} bytes of tensors in files of {sum(sizes)}")


def _entries(index: Path) -> dict:
    """Name to `BundleEntryProto`.

    Raises:
        ValueError, IndexError, DecodeError: not such a table.
    """
    if index.stat().st_size > MAX_INDEX:
        raise ValueError(f"an index of {index.stat().st_size} bytes")
    content = memoryview(index.read_bytes())  # slices are no copies
    if content[-8:] != MAGIC or len(content) < FOOTER:
        raise ValueError("no table of TensorFlow")
    footer = content[-FOOTER:]
    _, at = _handle(footer, 0)
    blocks, _ = _handle(footer, at)
    entries, letters = {}, 0
    for _, place in _block(content, *blocks):
        for key, value in _block(content, *_handle(place, 0)[0]):
            name = key.decode()
            letters += len(key)
            if name in entries or letters > MOST_LETTERS:
                raise ValueError(f"{name} twice, or names of {letters:,} letters")
            entries[name] = value
    header = tensor_bundle_pb2.BundleHeaderProto.FromString(entries.pop(""))
    if header.endianness != header.LITTLE:
        raise ValueError("big-endian numbers are not supported")
    message = tensor_bundle_pb2.BundleEntryProto
    return {name: message.FromString(value) for name, value in entries.items()}


def _block(content: memoryview, offset: int, size: int):
    """(key, value) of a block.

    Raises:
        ValueError, IndexError: compressed, not inside the file, or a name that shares
            so much with the last one that all of them would fill the memory.
    """
    block = content[offset : offset + size]
    if len(block) != size or size < 4 or content[offset + size] != 0:
        raise ValueError("a block that is compressed or not inside the file")
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = size - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        rest, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + rest + length > end:
            raise ValueError("a name or value that is not inside its block")
        if shared + rest > LONGEST_NAME:
            raise ValueError(f"a name of {shared + rest:,} letters")
        key = key[:shared] + bytes(block[at : at + rest])
        yield key, bytes(block[at + rest : at + rest + length])
        at += rest + length


def _handle(content: bytes | memoryview, at: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where the next handle begins."""
    offset, at = _varint(content, at)
    size, at = _varint(content, at)
    return (offset, size), at


def _varint(content: bytes | memoryview, at: int) -> tuple[int, int]:
    """Number of 7 bits a byte, and where the next one begins."""
    value = 0
    for shift in range(0, 64, 7):
        byte = content[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
    raise ValueError("a number of more than 64 bits")
