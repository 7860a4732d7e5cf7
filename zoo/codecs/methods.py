"""The codecs by name: fitted to a data set's training CSI, measured in real bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs import klt_mixture, pursuit, transform_codec, transforms

LEAST_ATOM_BITS = 14  # of an atom in the mean: so many atoms a report can have
SPREAD = 1.5  # atoms of the longest report over those of the mean one


class Codec(Protocol):
    """Encoder and decoder at one operating point."""

    def encode(self, h: np.ndarray, budget: int = 0) -> list[bytes]:
        """Reports of CSI, complex `[n, N_t, N_a]`, cut to `budget` bits (0: not)."""

    def decode(self, reports: list[bytes]) -> np.ndarray:
        """CSI complex128 `[n, N_t, N_a]`."""


class Method(NamedTuple):
    """How a codec is fitted.

    Attributes:
        fit: function of grid, training CSI complex `[n, N_t, N_a]`, bits and seed.
        examples: training CSI that it takes at most.
    """

    fit: Callable[..., Codec]
    examples: int


def _pursuit(grid: AngleDelayGrid, h: np.ndarray, bits: float, seed: int) -> Codec:
    most = int(SPREAD * bits / LEAST_ATOM_BITS) + 2
    return pursuit.fit(grid, h, bits, most)


def _transform(kind) -> Callable[..., Codec]:
    return lambda grid, h, bits, seed: transform_codec.fit(kind.fit(h), h, bits)


def _mixture(num_kinds: int) -> Callable[..., Codec]:
    return lambda grid, h, bits, seed: klt_mixture.fit(h, bits, num_kinds, seed)


METHODS: dict[str, Method] = {
    "pursuit": Method(_pursuit, 1_000),
    "dft": Method(_transform(transforms.Dft), 1_000),
    "klt_coded": Method(_transform(transforms.Karhunen), 20_000),
    "klt_mixture": Method(_mixture(16), 20_000),
}


def coded(
    name: str,
    grid: AngleDelayGrid,
    train: np.ndarray,
    h: np.ndarray,
    bits: int,
    fixed: bool = False,
    seed: int = 0,
) -> tuple[np.ndarray, dict]:
    """What arrives of CSI that a codec sends, through real bytes.

    Args:
        name: of the codec, one of `METHODS`.
        grid: array and band; `pursuit` alone takes it.
        train: training CSI, complex `[n, N_t, N_a]`; the first `examples` are used.
        h: CSI to send, complex `[n, N_t, N_a]`.
        bits: of a training report in the mean, or at most in every report.
        fixed: whether no report exceeds `bits`.
        seed: of what is drawn.

    Returns:
        CSI complex128, and the mean, smallest and largest bits of a report with the
        seconds of fitting and of each CSI.

    Raises:
        ValueError: too few training CSI, or bits that the codec cannot take.
    """
    method = METHODS[name]
    began = time.monotonic()
    codec = method.fit(grid, train[: method.examples], bits, seed)
    fitted = time.monotonic()
    reports = codec.encode(h, bits if fixed else 0)
    sent = time.monotonic()
    h_hat = codec.decode(reports)
    arrived = time.monotonic()
    sizes = [8 * len(report) for report in reports]
    return h_hat, {
        "feedback_bits": float(np.mean(sizes)),
        "feedback_bits_min_max": [min(sizes), max(sizes)],
        "fit_seconds": round(fitted - began, 2),
        "fit_examples": len(train[: method.examples]),
        "encode_ms_per_csi": round(1e3 * (sent - fitted) / len(h), 3),
        "decode_ms_per_csi": round(1e3 * (arrived - sent) / len(h), 3),
    }
