"""How files of channels are to be understood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfds_builders.own.antenna_array import AntennaArray

DOMAINS = ("frequency", "taps", "angle_delay", "paths")
FILE = "file"  # as a group: every file is one


@dataclass(frozen=True)
class Layout:
    """How the files are to be understood; the flags of `tfds_builders.add`.

    Attributes:
      domain: 'frequency', 'taps', 'angle_delay' or 'paths'.
      axes: names of the axes, or ''.
      key: name of the array, or of its group of arrays, or ''.
      array: of the base station; None: linear.
      subcarriers: N_c; 0: as many as the channels have.
      bandwidth_hz: of all subcarriers; 0: unknown.
      group: what a group of samples is, see `sources._groups_of`; '': nothing.

    Raises:
      ValueError: a flag that the domain would leave unused, or one that is no number.
    """

    domain: str = "frequency"
    axes: str = ""
    key: str = ""
    array: AntennaArray | None = None
    subcarriers: int = 0
    bandwidth_hz: float = 0.0
    group: str = ""

    def __post_init__(self):
        if self.domain == "paths" and self.axes:
            raise ValueError(
                f"--axes={self.axes}: --domain=paths has the axes of its simulator; "
                "leave the flag out"
            )
        if self.domain == "angle_delay" and self.array:
            raise ValueError(
                "--array: the channels of --domain=angle_delay are in beams already; "
                "leave the flag out"
            )
        if not 0 <= self.bandwidth_hz < np.inf:
            raise ValueError(
                f"--bandwidth_hz={self.bandwidth_hz}: expected a positive number"
            )
