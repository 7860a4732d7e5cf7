"""Coded atoms -> CSI: the receiver of the pursuit codec (no TensorFlow)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.codec import atoms
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_stream import AtomTables


@dataclass(frozen=True)
class AtomDecoder:
    """What both ends know at one operating point.

    Attributes:
        grid: what the atoms are.
        tables: of the stream.
        most: atoms of a report at most.

    Raises:
        ValueError: tables of another grid.
    """

    grid: AngleDelayGrid
    tables: AtomTables
    most: int

    def __post_init__(self):
        sizes = self.grid.num_angles, self.grid.num_delays
        found = self.tables.angle.shape[1], self.tables.delay.shape[1]
        if found != sizes:
            raise ValueError(
                f"tables are of {found[0]} angles and {found[1]} delays, the grid has "
                f"{sizes[0]} and {sizes[1]}: they belong to another codec"
            )

    def decode(self, reports: Sequence[bytes]) -> np.ndarray:
        """CSI complex128 `[n, N_t, N_a]` of reports, or of their first bytes."""
        angle, delay, value = self.atoms(reports)
        return atoms.combine(self.grid, angle, delay, value)

    def atoms(self, reports: Sequence[bytes]) -> tuple[np.ndarray, ...]:
        """Angle, delay and complex value of the atoms of reports.

        Returns:
            `[n, atoms]` each, with value 0 behind the last atom of a report.
        """
        decoded = [self.tables.decode(report, self.most) for report in reports]
        most = max([1, *map(len, decoded)])
        padded = np.zeros((len(decoded), most, 4), np.int64)
        for row, found in zip(padded, decoded, strict=True):
            row[: len(found)] = found
        angle, delay, real, imag = padded.transpose(2, 0, 1)
        return angle, delay, self.tables.values(real, imag)
