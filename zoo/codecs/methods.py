"""The codecs by name: fitted to a data set's training CSI, measured in real bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from tfds_builders.csi_examples import real_pairs
from tfds_builders.progress import Progress
from zoo.codecs import (
    klt_mixture,
    learned_context,
    pursuit,
    transform_codec,
    transforms,
)
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics import accuracy

BATCH = 512  # CSI sent at once
OVERSAMPLING = (2, 4, 8, 16)
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
        fit: function of grids to choose from, training CSI complex `[n, N_t, N_a]`,
            bits and seed.
        examples: training CSI that it takes at most.
    """

    fit: Callable[..., Codec]
    examples: int


def _pursuit(
    grids: list[AngleDelayGrid], h: np.ndarray, bits: float, seed: int
) -> Codec:
    """Fitted on the grid that serves the last tenth of the training CSI best."""
    most = int(SPREAD * bits / LEAST_ATOM_BITS) + 2
    if len(grids) == 1:
        return pursuit.fit(grids[0], h, bits, most)
    num = -(-len(h) // 10)
    codecs = [pursuit.fit(grid, h[:-num], bits, most) for grid in grids]
    errors = [
        np.sum(np.abs(h[-num:] - codec.decode(codec.encode(h[-num:], int(bits)))) ** 2)
        for codec in codecs
    ]
    return codecs[int(np.argmin(errors))]


def _learned(grids, h: np.ndarray, bits: float, seed: int) -> Codec:
    """The pursuit with a context of positions, on the grid of the plain one."""
    plain = _pursuit(grids, h[: METHODS["pursuit"].examples], bits, seed)
    return learned_context.learned(plain, h, bits, seed)


def _transform(kind) -> Callable[..., Codec]:
    return lambda grids, h, bits, seed: transform_codec.fit(kind.fit(h), h, bits)


def _mixture(num_kinds: int) -> Callable[..., Codec]:
    return lambda grids, h, bits, seed: klt_mixture.fit(h, bits, num_kinds, seed)


METHODS: dict[str, Method] = {
    "pursuit": Method(_pursuit, 1_000),
    "pursuit_learned": Method(_learned, learned_context.EXAMPLES),
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
        oversampling: of the grid of `pursuit`; 0: the best for the training CSI.
    """

    name: str
    bits: int
    fixed: bool = False
    oversampling: int = 0

    def options(self) -> dict:
        """What differs between runs of one codec."""
        return {"report_bits": self.bits, "rate": "fixed" if self.fixed else "mean"}


def sent(
    coded: Coded,
    settings: ExperimentConfig,
    test: splits.Split,
    array: dict | None = None,
) -> tuple[np.ndarray, dict]:
    """Send test CSI through real bytes, with a codec fitted to training CSI.

    Args:
        coded: how.
        settings: data set, noise and seed apply.
        test: what is sent.
        array: what `array_of` says of the data set; None: a linear one.

    Returns:
        Zero-centred estimate `[n, N_t, N_a, 2]` float32; its part of the results row.

    Raises:
        ValueError: unusable data, or bits that the codec cannot take.
    """
    method = METHODS[coded.name]
    train = splits.load_split(settings, "train", method.examples)
    h, seen = accuracy.to_complex(train.h), accuracy.to_complex(test.h_seen)
    num_antennas, num_delay = seen.shape[1:]
    grid = AngleDelayGrid(
        num_subcarriers=test.num_subcarriers,
        num_delay=num_delay,
        last_taps=test.last_taps,
        oversampling=coded.oversampling or max(OVERSAMPLING),
        **(array or {"array": f"ula:{num_antennas}"}),
    )
    grids = [grid]
    if not coded.oversampling:
        grids = [replace(grid, oversampling=over) for over in OVERSAMPLING]
    began = time.monotonic()
    codec = method.fit(grids, h, coded.bits, settings.seed)
    fit_seconds = time.monotonic() - began
    h_hat, found = through_bytes(codec, seen, coded.bits if coded.fixed else 0)
    return real_pairs(h_hat), {
        "model_args": coded.options() | codec_options(codec),
        "num_train": len(h),
        "fit_seconds": round(fit_seconds, 2),
        **found,
    }


def array_of(builder) -> dict | None:
    """Array of a data set as `AngleDelayGrid` takes it; None: it does not say.

    Args:
        builder: TFDS builder with its data. Receive antennas that stand side by side on
            the angle axis are further blocks.
    """
    sizes, beams = (builder.info.metadata or {}).get("array"), "each"
    if sizes is None and hasattr(builder, "array"):
        sizes, beams = builder.array, "all"
    if sizes is None:
        return None
    columns, rows, _ = sizes
    blocks = builder.info.features["csi"].shape[-3] // (columns * rows)
    return {"array": f"upa:{columns}x{rows}x{blocks}", "beams": beams}


def codec_options(codec: Codec) -> dict:
    """What a codec chose for itself."""
    grid = getattr(codec, "grid", None)
    return {"oversampling": grid.oversampling} if grid else {}


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
