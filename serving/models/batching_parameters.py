"""Parameters of micro-batching, from TensorFlow Serving's batching_parameters.txt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from serving.models import serving_protos


@dataclass(frozen=True)
class Parameters:
    """Sizes in rows, times in seconds; the defaults are TensorFlow Serving's.

    Raises:
        ValueError: a parameter that TensorFlow Serving refuses, too.
    """

    max_batch_size: int = 1000
    batch_timeout: float = 0.0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self):
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: expected at least 1")
        if self.batch_timeout < 0:
            raise ValueError("batch_timeout_micros: expected 0 or more")
        sizes = list(self.allowed_batch_sizes)
        increasing = sizes == sorted(set(sizes)) and min(sizes, default=1) > 0
        if not increasing or (sizes and sizes[-1] != self.max_batch_size):
            raise ValueError(
                f"allowed_batch_sizes {sizes}: expected increasing sizes, "
                f"the last one max_batch_size, {self.max_batch_size}"
            )

    def padded(self, rows: int) -> int:
        """Return the smallest allowed batch size that holds `rows`."""
        return next((s for s in self.allowed_batch_sizes if s >= rows), rows)


def read(path: Path | str) -> Parameters:
    """Read a batching_parameters.txt.

    Raises:
        OSError: no such file.
        ValueError: not BatchingParameters, or parameters that exclude each other.
    """
    message = serving_protos.read_text(path, serving_protos.BatchingParameters)
    if message.pad_variable_length_inputs:
        raise ValueError(f"{path}: pad_variable_length_inputs is not supported")
    names = ("max_batch_size", "max_enqueued_batches", "num_batch_threads")
    given = {n: getattr(message, n).value for n in names if message.HasField(n)}
    try:
        return Parameters(
            batch_timeout=message.batch_timeout_micros.value / 1e6,
            allowed_batch_sizes=tuple(message.allowed_batch_sizes),
            **given,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
