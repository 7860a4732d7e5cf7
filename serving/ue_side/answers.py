"""Answers of a served decoder: believed where they are of the form that was asked for.

A server that answers one row for eight frames would give eight UEs one matrix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.codec import framing


class _Type(NamedTuple):
    """Type of an output on the wire, here, and the field of its values one by one."""

    number: int
    dtype: np.dtype
    listed: str


_TYPES = {
    "h": _Type(types_pb2.DT_FLOAT, np.dtype("<f4"), "float_val"),
    "valid": _Type(types_pb2.DT_BOOL, np.dtype(bool), "bool_val"),
    "sequence": _Type(types_pb2.DT_INT64, np.dtype("<i8"), "int64_val"),
}
_CSI_RANK = 3
MAX_VALUES = 1 << 24  # of CSI of an unknown shape, 64 MiB


def read(
    outputs: Mapping[str, tensor_pb2.TensorProto],
    rows: int,
    csi_shape: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """CSI float32 `[rows, *csi_shape]` and valid bool `[rows]` of an answer.

    A row that is marked valid and is not finite is not valid; every row that is not is
    NaN.

    Args:
        outputs: of a PredictResponse.
        rows: that were sent.
        csi_shape: of one CSI; None: any of three axes.

    Raises:
        ValueError: an output is missing, of another type or shape, or damaged.
    """
    shape = csi_shape or (-1,) * _CSI_RANK
    h = _read(outputs, "h", (rows, *shape))
    valid = _read(outputs, "valid", (rows,))
    valid = valid & np.isfinite(h).all(axis=tuple(range(1, h.ndim)))
    return np.where(valid[:, None, None, None], h, np.float32(np.nan)), valid


def check_numbers(
    outputs: Mapping[str, tensor_pb2.TensorProto], frames: Sequence
) -> None:
    """Compare the sequence numbers of an answer with those of the frames.

    Args:
        outputs: of a PredictResponse.
        frames: that were sent.

    Raises:
        ValueError: a valid row is that of another frame or has no number where its
            frame has one, or there are not as many.
    """
    valid = _read(outputs, "valid", (len(frames),))
    if "sequence" not in outputs:
        if any(
            framing.sequence(frames[row]) is not None for row in np.flatnonzero(valid)
        ):
            raise ValueError("the server's answer has no output sequence")
        return
    answered = _read(outputs, "sequence", (len(frames),))
    for row, frame in enumerate(frames):
        number, sent = answered[row], framing.sequence(frame)
        if number != sent and (valid[row] or number != -1):
            raise ValueError(
                f"row {row} of the server's answer is of frame number {number}, sent "
                f"was {sent}: it mixed up its answers"
            )


def _read(
    outputs: Mapping[str, tensor_pb2.TensorProto], name: str, wanted: tuple[int, ...]
) -> np.ndarray:
    if name not in outputs:
        raise ValueError(f"the server's answer has no output {name}")
    tensor, number = outputs[name], _TYPES[name].number
    if tensor.dtype != number or not _is_of(tensor.tensor_shape, wanted):
        raise ValueError(
            f"the server's answer has {name} {_described(tensor)}: expected "
            f"{_kind(number)} {list(wanted)}, a row for each frame that was sent"
        )
    return _values(tensor, name).reshape([dim.size for dim in tensor.tensor_shape.dim])


def _values(tensor: tensor_pb2.TensorProto, name: str) -> np.ndarray:
    """Every value of a tensor: TensorFlow fills what is missing, here it is damage."""
    dtype, listed = _TYPES[name].dtype, getattr(tensor, _TYPES[name].listed)
    size = math.prod(dim.size for dim in tensor.tensor_shape.dim)
    content = tensor.tensor_content
    if content and len(content) == size * dtype.itemsize:
        return np.frombuffer(content, dtype)
    if not content and len(listed) == size:
        return np.array(listed, dtype)
    received = f"{len(content)} bytes" if content else f"{len(listed)} values"
    raise ValueError(
        f"the server's answer has {name} of {received}: expected {size} values"
    )


def _is_of(shape, wanted: tuple[int, ...]) -> bool:
    if shape.unknown_rank or len(shape.dim) != len(wanted):
        return False
    sizes = [dim.size for dim in shape.dim]
    same = all(a == b or b < 0 < a for a, b in zip(sizes, wanted, strict=True))
    return same and math.prod(sizes) <= max(MAX_VALUES, math.prod(map(abs, wanted)))


def _described(tensor: tensor_pb2.TensorProto) -> str:
    dims = tensor.tensor_shape.dim
    sizes = [dim.size for dim in dims[:8]]
    return f"{_kind(tensor.dtype)} {sizes}" + " and more axes" * (len(dims) > 8)


def _kind(dtype: int) -> str:
    known = dtype in types_pb2.DataType.values()
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower() if known else "?"
