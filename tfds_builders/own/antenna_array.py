"""The array of the base station: from antennas to beams, and its response to a path."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

_SPECIFICATION = re.compile(r"(ula|upa):(\d+(?:x\d+){0,2})")


@dataclass(frozen=True)
class AntennaArray:
    """A uniform linear or planar array.

    Antennas are counted as the ports of TS 38.214 are: polarisation slowest, then
    columns (along y), then rows (along z).

    Attributes:
      columns: antennas along y.
      rows: antennas along z.
      polarisations: 1 or 2.
    """

    columns: int
    rows: int = 1
    polarisations: int = 1

    @property
    def size(self) -> int:
        """Number of antennas."""
        return self.columns * self.rows * self.polarisations

    def beams(self, h: np.ndarray) -> np.ndarray:
        """Unitary DFT over each dimension with fftshift, polarisations side by side.

        Args:
          h: complex `[..., size, columns of h]`.

        Returns:
          Same shape; broadside is at half of each dimension.
        """
        shape = h.shape
        dimensions = self.polarisations, self.columns, self.rows
        h = h.reshape(*shape[:-2], *dimensions, shape[-1])
        axes = (-3, -2)
        h = np.fft.fftshift(np.fft.fft2(h, axes=axes, norm="ortho"), axes=axes)
        return h.reshape(shape)

    def response(self, azimuth: np.ndarray, zenith: np.ndarray) -> np.ndarray:
        """Phases of the antennas, half a wavelength apart, for plane waves.

        `exp(-j pi (column sin(azimuth) sin(zenith) + row cos(zenith)))`, the same for
        both polarisations.

        Args:
          azimuth: `[...]` rad from the array's normal, along x.
          zenith: `[...]` rad from z; pi/2 is the horizon.

        Returns:
          complex128 `[..., size]`.
        """
        column, row = np.divmod(np.arange(self.columns * self.rows), self.rows)
        along_y = (np.sin(azimuth) * np.sin(zenith))[..., None] * column
        phase = along_y + np.cos(zenith)[..., None] * row
        tiles = (1,) * (phase.ndim - 1) + (self.polarisations,)
        return np.tile(np.exp(-1j * np.pi * phase), tiles)


def parse(text: str) -> AntennaArray | None:
    """Read `--array`: 'ula:64', 'upa:8x4' or 'upa:8x4x2'; None for ''.

    Raises:
      ValueError: another text.
    """
    if not text:
        return None
    match = _SPECIFICATION.fullmatch(text)
    sizes = [int(size) for size in match[2].split("x")] if match else []
    right = match and (len(sizes) == 1) == (match[1] == "ula") and min(sizes) > 0
    if not right or (len(sizes) == 3 and sizes[2] > 2):
        raise ValueError(
            f"--array={text}: expected ula:ANTENNAS, upa:COLUMNSxROWS or "
            "upa:COLUMNSxROWSxPOLARISATIONS (1 or 2), such as ula:64 or upa:8x4x2"
        )
    return AntennaArray(*sizes)


def fitting(array: AntennaArray | None, antennas: int) -> AntennaArray:
    """The array that was asked for, or else a linear one, checked against the data.

    Raises:
      ValueError: it has another number of antennas than the data.
    """
    array = array or AntennaArray(antennas)
    if array.size != antennas:
        factors = math.prod((array.columns, array.rows, array.polarisations))
        raise ValueError(
            f"--array of {array.columns} x {array.rows} x {array.polarisations} = "
            f"{factors} antennas, the channels have {antennas}: give the array that "
            "they were made for"
        )
    return array
