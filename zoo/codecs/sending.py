"""What a codec sends, in real bytes, and what that takes."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np

from tfds_builders.progress import Progress

BATCH = 512  # reports made at once


class Codec(Protocol):
    """Encoder and decoder at one operating point, of CSI or eigenvectors `h`."""

    def encode(self, h: np.ndarray, budget: int = 0, **told) -> list[bytes]:
        """Reports of `h`, complex `[n, ...]`, cut to `budget` bits (0: not).

        What `told` may be, such as the variance of the noise, differs by codec.
        """

    def decode(self, reports: list[bytes]) -> np.ndarray:
        """Estimate of `h`, complex128 and of its shape."""


def through_bytes(
    codec: Codec, h: np.ndarray, budget: int = 0, **told
) -> tuple[np.ndarray, dict]:
    """Send what a fitted codec takes.

    Args:
        codec: fitted.
        h: complex `[n, ...]`.
        budget: bits that no report exceeds; 0: none.
        told: further arguments of `encode`, for all or `[n, ...]`.

    Returns:
        The estimate; bits of the reports, and processor seconds of one, of all threads.
    """
    parts, sizes, encoding, decoding = [], [], 0.0, 0.0
    with Progress("reports sent", len(h)) as progress:
        for start in range(0, len(h), BATCH):
            part = slice(start, start + BATCH)
            own = {key: x[part] if np.ndim(x) else x for key, x in told.items()}
            began = time.process_time()
            reports = codec.encode(h[part], budget, **own)
            encoded = time.process_time()
            parts.append(codec.decode(reports))
            encoding += encoded - began
            decoding += time.process_time() - encoded
            sizes += [8 * len(report) for report in reports]
            progress.add(len(reports), fresh=True)
    seconds = seconds_of(encoding, decoding, len(h))
    return np.concatenate(parts), bits_of(sizes) | seconds


def bits_of(sizes: list[int]) -> dict:
    """Bits of the reports, for a results row."""
    return {
        "feedback_bits": float(np.mean(sizes)),
        "feedback_bits_min_max": [min(sizes), max(sizes)],
    }


def seconds_of(encoding: float, decoding: float, number: int) -> dict:
    """Processor seconds of one report, of all threads, for a results row."""
    return {
        "seconds_per_csi": encoding / number,
        "decode_seconds_per_csi": decoding / number,
    }
