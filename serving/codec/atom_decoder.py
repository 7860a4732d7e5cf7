"""Coded atoms -> CSI: the receiver of the pursuit codec (no TensorFlow)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.codec import atoms
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_stream import AtomTables

BATCH = 128  # reports: their bases take memory


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
        shape = self.grid.num_antennas, self.grid.num_delay
        h = np.zeros((len(reports), *shape), np.complex128)
        for start in range(0, len(reports), BATCH):
            part = slice(start, start + BATCH)
            h[part] = self._decode(reports[part])
        return h

    def _decode(self, reports: Sequence[bytes]) -> np.ndarray:
        decoded = [self.tables.decode(report, self.most) for report in reports]
        most = max([1, *map(len, decoded)])
        padded = np.zeros((len(decoded), most, 4), np.int64)
        for row, found in zip(padded, decoded, strict=True):
            row[: len(found)] = found
        angle, delay, real, imag = padded.transpose(2, 0, 1)
        basis = atoms.Basis(self.grid, len(decoded), most)
        for k in range(most):
            basis.append(angle[:, k], delay[:, k])
        return basis.combine(self.tables.values(real, imag))
