"""Antenna arrays of TR 38.901, clause 7.3, fixed in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PATTERNS = ("omni", "tr38901")
MAX_GAIN_DBI, MAX_ATTENUATION_DB, BEAMWIDTH_DEG = 8.0, 30.0, 65.0


@dataclass(frozen=True)
class Array:
    """Elements about the array's centre; boresight along x, the panel in the yz plane.

    Attributes:
      position: `[elements, 3]` m.
      slant: `[elements]` rad, 0 is vertical (polarisation model 2 of clause 7.3.2).
      pattern: `omni` (0 dBi), or the `tr38901` element of table 7.3-1.
    """

    position: np.ndarray
    slant: np.ndarray
    pattern: str = "omni"

    def __len__(self) -> int:
        return len(self.slant)

    @property
    def radius(self) -> float:
        """Largest distance of an element from the centre in m."""
        return float(np.linalg.norm(self.position, axis=1).max())

    def amplitude(self, azimuth: np.ndarray, zenith: np.ndarray) -> np.ndarray | float:
        """Field amplitude of an element towards angles in rad, of their shape."""
        if self.pattern == "omni":
            return 1.0
        horizontal = np.degrees((azimuth + np.pi) % (2 * np.pi) - np.pi)
        vertical = np.degrees(zenith) - 90
        loss = [12 * (a / BEAMWIDTH_DEG) ** 2 for a in (horizontal, vertical)]
        loss = sum(np.minimum(part, MAX_ATTENUATION_DB) for part in loss)
        return 10 ** ((MAX_GAIN_DBI - np.minimum(loss, MAX_ATTENUATION_DB)) / 20)


def panel(
    columns: int,
    rows: int,
    spacing_m: float,
    cross_polarised: bool = False,
    pattern: str = "omni",
) -> Array:
    """Uniform panel of `columns` (along y) by `rows` (along z) positions.

    Port order of TS 38.214: polarisation slowest (-45, then +45 degrees), then columns,
    then rows. A single row is the uniform linear array; one polarisation is vertical.

    Raises:
      ValueError: a size below 1, no spacing, or an unknown pattern.
    """
    if min(columns, rows) < 1 or not spacing_m > 0:
        raise ValueError(
            f"a panel of {columns} x {rows} elements {spacing_m} m apart: sizes must be"
            " at least 1 and the spacing positive"
        )
    if pattern not in PATTERNS:
        raise ValueError(f"pattern {pattern!r}: choose one of {', '.join(PATTERNS)}")
    y, z = np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")
    grid = np.stack([np.zeros(y.size), y.ravel(), z.ravel()], axis=1)
    position = (grid - grid.mean(axis=0)) * spacing_m
    slants = np.radians([-45, 45]) if cross_polarised else np.zeros(1)
    return Array(
        np.tile(position, (len(slants), 1)), np.repeat(slants, len(position)), pattern
    )
