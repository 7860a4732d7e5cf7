"""The codecs by name: fitted to a data set's training CSI, measured in real bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from tfds_builders.progress import Progress
from zoo.codecs import klt_mixture, pursuit, transform_codec, transforms
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics import accuracy

BATCH = 512  # CSI sent at once
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


@dataclass(frozen=True)
class Coded:
    """A codec at one rate.

    Attributes:
        name: one of `METHODS`.
        bits: of a training report in the mean, or at most in every report.
        fixed: whether no report exceeds `bits`.
        oversampling: of the grid of `pursuit`.
    """

    name: str
    bits: int
    fixed: bool = False
    oversampling: int = 16

    def options(self) -> dict:
        """What differs between runs of one codec."""
        rate = {"report_bits": self.bits, "rate": "fixed" if self.fixed else "mean"}
        over = {"oversampling": self.oversampling} if self.name == "pursuit" else {}
        return rate | over


def sent(
    coded: Coded,
    settings: ExperimentConfig,
    test: splits.Split,
    array: Sequence[int] | None = None,
) -> tuple[np.ndarray, dict]:
    """Send test CSI through real bytes, with a codec fitted to training CSI.

    Args:
        coded: how.
        settings: data set, noise and seed apply.
        test: what is sent.
        array: columns, rows and polarisations; None: a linear one.

    Returns:
        Zero-centred estimate `[n, N_t, N_a, 2]` float32; its part of the results row.

    Raises:
        ValueError: unusable data, or bits that the codec cannot take.
    """
    method = METHODS[coded.name]
    train = splits.load_split(settings, "train", method.examples)
    h, seen = accuracy.to_complex(train.h), accuracy.to_complex(test.h_seen)
    num_antennas, num_delay = seen.shape[1:]
    sizes = "x".join(map(str, array or (num_antennas, 1)))
    grid = AngleDelayGrid(
        f"upa:{sizes}",
        test.num_subcarriers,
        num_delay,
        test.last_taps,
        coded.oversampling,
    )
    began = time.monotonic()
    codec = method.fit(grid, h, coded.bits, settings.seed)
    fit_seconds = time.monotonic() - began
    h_hat, found = through_bytes(codec, seen, coded.bits if coded.fixed else 0)
    estimate = np.stack([h_hat.real, h_hat.imag], axis=-1).astype(np.float32)
    return estimate, {
        "model_args": coded.options(),
        "num_train": len(h),
        "fit_seconds": round(fit_seconds, 2),
        **found,
    }


def through_bytes(codec: Codec, h: np.ndarray, budget: int) -> tuple[np.ndarray, dict]:
    """What arrives of CSI `[n, N_t, N_a]`, and what it took."""
    began = time.monotonic()
    parts, sizes, encoding = [], [], 0.0
    with Progress("CSI sent", len(h)) as progress:
        for start in range(0, len(h), BATCH):
            batch = h[start : start + BATCH]
            before = time.monotonic()
            reports = codec.encode(batch, budget)
            encoding += time.monotonic() - before
            parts.append(codec.decode(reports))
            sizes += [8 * len(report) for report in reports]
            progress.add(len(batch), fresh=True)
    seconds = time.monotonic() - began
    return np.concatenate(parts), {
        "feedback_bits": float(np.mean(sizes)),
        "feedback_bits_min_max": [min(sizes), max(sizes)],
        "seconds_per_csi": encoding / len(h),
        "decode_seconds_per_csi": (seconds - encoding) / len(h),
    }
