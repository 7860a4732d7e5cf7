"""Rows of the files -> samples in angle and delay, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tfds_builders.own.antenna_array import AntennaArray
from tfds_builders.own.sources import Block, Sources, array_of

# What is wrong with a sample, by number; 0 is a good one.
FAULTS = ("", "all zero", "with NaN", "infinite", "constant", "beyond 1e30 or 1e-30")
FAULTS += ("outside the kept taps",)
OUTSIDE = len(FAULTS) - 1  # known once the window is, see `survey.mark_outside`
LARGEST = 1e30  # single precision, which the examples have, ends at 1e38


class Samples(NamedTuple):
    """Some samples.

    Attributes:
      h: complex128 `[n, time, angle, delay]`, all N_c delays; good samples only.
      unit: `[n]` number in the files, see `sources.Block`.
      group: `[n]`.
      fault: `[all]` number of `FAULTS` of every sample, the bad ones too.
      fault_unit: `[all]` their numbers in the files.
    """

    h: np.ndarray
    unit: np.ndarray
    group: np.ndarray
    fault: np.ndarray
    fault_unit: np.ndarray


@dataclass(frozen=True)
class Channels:
    """Channels of files, as samples.

    Attributes:
      sources: the files.
      keep_rx: receive antennas stay together, stacked along the angles; otherwise each
        is a sample of its own.
      keep_time: times stay together as a sequence; otherwise each is a sample.
    """

    sources: Sources
    keep_rx: bool = False
    keep_time: bool = True

    @property
    def domain(self) -> str:
        """Of the files."""
        return self.sources.layout.domain

    @property
    def array(self) -> AntennaArray:
        """The base station's; polarisations that are an axis are not in it."""
        return array_of(self.sources)

    @property
    def num_subcarriers(self) -> int:
        """N_c, and number of delays.

        Raises:
          ValueError: --subcarriers contradicts the channels.
        """
        asked, columns = self.sources.layout.subcarriers, self.sources.shape[-1]
        wrong = asked < columns if self.domain != "frequency" else asked != columns
        if asked and wrong:
            raise ValueError(
                f"--subcarriers={asked}: the channels have {columns} "
                f"{'subcarriers' if self.domain == 'frequency' else 'delay taps'}; "
                "leave the flag out, or give a longer grid for taps"
            )
        return asked or columns

    @property
    def sequence_length(self) -> int:
        """Number of times of a sample; 0: samples are single snapshots."""
        keeps = self.sources.has_time and self.keep_time
        return self.sources.shape[0] if keeps else 0

    @property
    def num_angles(self) -> int:
        """N_t: beams of all polarisations and all receive antennas that are kept."""
        _, rx, pol, antennas, _ = self.sources.shape
        return (rx if self.keep_rx else 1) * pol * antennas

    @property
    def num_samples(self) -> int:
        """Samples in all files, the bad ones too."""
        times, rx = self.sources.shape[:2]
        per_row = (1 if self.keep_rx else rx) * (1 if self.sequence_length else times)
        return self.sources.rows * per_row

    def samples(self) -> Iterator[Samples]:
        """All samples in the order of the files."""
        for block in self.sources.blocks(self.num_subcarriers):
            h, unit, group = self._arrange(block)
            fault = faults(h, constant=self.domain != "paths")
            good = fault == 0
            h_a = self._angular_delay(h[good])
            yield Samples(h_a, unit[good], group[good], fault, unit)

    def _arrange(self, block: Block) -> tuple[np.ndarray, ...]:
        """A row for each sample."""
        h, unit, group = block
        for axis, keep in ((2, self.keep_rx), (1, self.sequence_length > 0)):
            if keep:
                continue
            length = h.shape[axis]
            h = np.expand_dims(np.moveaxis(h, axis, 1), axis + 1)
            h = h.reshape(-1, *h.shape[2:])
            unit, group = (np.repeat(x, length) for x in (unit, group))
        return h, unit, group

    def _angular_delay(self, h: np.ndarray) -> np.ndarray:
        """Unitary transforms of `[n, time, rx, pol, antenna, column]`."""
        n, times, *stacked, columns = h.shape
        h = h.astype(np.complex128)
        if self.domain in ("frequency", "paths"):
            h = np.fft.ifft(h, axis=-1, norm="ortho")
        if self.domain != "angle_delay":
            h = self.array.beams(h)
        h = h.reshape(n, times, int(np.prod(stacked)), columns)
        missing = self.num_subcarriers - columns
        return np.pad(h, [(0, 0)] * 3 + [(0, missing)]) if missing else h


def faults(h: np.ndarray, constant: bool = True) -> np.ndarray:
    """What is wrong with samples: numbers of `FAULTS`, int8 `[n]`.

    A sequence is all zero where one of its times is.

    Args:
      h: complex `[n, time, ...]`.
      constant: whether a sample of one value throughout is wrong.
    """
    values = np.ascontiguousarray(h.reshape(len(h), h.shape[1], -1))
    parts = values.view(values.real.dtype)
    peak = np.maximum(parts.max(axis=-1), -parts.min(axis=-1))
    fault = np.zeros(len(h), np.int8)
    with np.errstate(invalid="ignore"):
        beyond = ((peak > LARGEST) | (peak < 1 / LARGEST)).any(axis=1)
    if constant:
        fault[_constant(values, ~(peak == 0).all(axis=1))] = 4
    fault[beyond] = 5
    fault[(peak == 0).any(axis=1)] = 1
    fault[np.isinf(peak).any(axis=1)] = 3
    fault[np.isnan(peak).any(axis=1)] = 2
    return fault


def _constant(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Numbers of the samples `[n, time, entries]` that hold one value throughout.

    Args:
      values: of samples.
      among: `[n]` which ones are looked at.
    """
    if values[0].size == 1:
        return np.zeros(0, int)
    first = values[:, :1, :1]
    maybe = np.flatnonzero(among & (values[:, -1, -1] == first[:, 0, 0]))
    same = (values[maybe] == first[maybe]).all(axis=(1, 2))
    return maybe[same]
