"""Rows of several requests in one batch: merge, pad, cut apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc
import numpy as np

from serving.models.request_checks import ServingError, invalid_argument

Arrays = Mapping[str, np.ndarray]


def common_rows(feeds: Arrays) -> int:
    """Return the number of rows that every array of a request has.

    Raises:
        ServingError: an array without rows, or with another number of them.
    """
    if any(array.ndim == 0 for array in feeds.values()):
        raise invalid_argument(
            "Batching Run() input tensors must have at least one dimension"
        )
    rows = {len(array) for array in feeds.values()}
    if len(rows) > 1:
        raise invalid_argument(
            "Batching Run() input tensors must have equal 0th-dimension size"
        )
    return rows.pop()


def merge(requests: Sequence[Arrays], rows: int) -> dict[str, np.ndarray]:
    """Concatenate the requests and repeat the first row until there are `rows`.

    Raises:
        ServingError: rows of different shapes.
    """
    merged = {}
    for name in requests[0]:
        arrays = [feeds[name] for feeds in requests]
        if len({array.shape[1:] for array in arrays}) > 1:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Tensors with name {name} have different shapes and padding is "
                "turned off",
            )
        padding = rows - sum(map(len, arrays))
        if padding:
            arrays.append(np.repeat(arrays[0][:1], padding, axis=0))
        merged[name] = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return merged


def split(
    outputs: Arrays, sizes: Sequence[int], rows: int
) -> list[dict[str, np.ndarray]]:
    """Cut the outputs of a batch of `rows` into those of the requests.

    Args:
        outputs: [rows, ...] each.
        sizes: rows of each request, in order; padding behind them is dropped.
        rows: of the batch.

    Raises:
        ServingError: an output without one row per input row.
    """
    for array in outputs.values():
        if np.ndim(array) == 0:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Batched output tensor has 0 dimensions",
            )
        if len(array) != rows:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the "
                "0th dimension sizes of the input tensors",
            )
    ends = np.cumsum(sizes)
    return [
        {alias: array[end - size : end] for alias, array in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]
