"""Atoms of one report <-> a fixed number of bits each (NumPy).

The indices of `serving.codec.bitstream`, section by section: grid indices of the
angles, of the delays, then real and imaginary parts of the values, four atoms a
section. Atoms come in the order of their gain, so each section has fewer bits than the
one before, on a scale that follows from the last value of that one:

    index = floor((part / scale + 1) 2^(bits - 1))
    part = scale ((index + 1/2) 2^(1 - bits) - 1)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.codec import atoms, bitstream
from serving.codec.angle_delay_grid import AngleDelayGrid

GROUP = 4  # atoms of a section of values: eight parts, whole bytes at any width
UNIT = 256  # of `reach`
MAX_ATOMS = 1024


@dataclass(frozen=True)
class PlainAtoms:
    """What both ends know of a plain stream.

    Attributes:
        grid: what the atoms are.
        num_atoms: K, of every report.
        largest: scale of the first section.
        reach: scales of the others, in 1/256 of the size of the last value before.
        widths: bits of a part in each section.

    Raises:
        ValueError: sizes that do not fit each other.
    """

    grid: AngleDelayGrid
    num_atoms: int
    largest: float
    reach: tuple[int, ...]
    widths: tuple[int, ...]

    def __post_init__(self):
        for name in ("reach", "widths"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        groups = -(-self.num_atoms // GROUP)
        if not 1 <= self.num_atoms <= MAX_ATOMS or len(self.widths) != groups:
            raise ValueError(
                f"{self.num_atoms} atoms and {len(self.widths)} widths: expected 1 to "
                f"{MAX_ATOMS} and one for every {GROUP} atoms"
            )
        if len(self.reach) != groups - 1 or min((1, *self.reach)) < 1:
            raise ValueError(f"reach={self.reach}: expected {groups - 1} from 1 on")
        if not 0 < self.largest < np.inf:
            raise ValueError(f"largest={self.largest}: expected a positive number")
        for section in self.sections:
            bitstream.payload_size(*section)

    @property
    def groups(self) -> list[slice]:
        """Atoms of each section of values."""
        ends = [*range(GROUP, self.num_atoms, GROUP), self.num_atoms]
        return [slice(GROUP * i, end) for i, end in enumerate(ends)]

    @property
    def sections(self) -> list[tuple[int, int]]:
        """(indices, bits) of each section of the payload."""
        counts = [2 * (group.stop - group.start) for group in self.groups]
        sizes = self.grid.num_angles, self.grid.num_delays
        positions = [(self.num_atoms, (size - 1).bit_length()) for size in sizes]
        return [*positions, *zip(counts, self.widths, strict=True)]

    @property
    def payload_bytes(self) -> int:
        """P, bytes of a report."""
        return sum(bitstream.payload_size(*section) for section in self.sections)

    def indices(self, angle, delay, value) -> np.ndarray:
        """Indices int32 `[n, indices]` of atoms.

        Args:
            angle: grid index `[n, K]`.
            delay: grid index `[n, K]`.
            value: complex `[n, K]`.
        """
        parts = np.stack([value.real, value.imag], axis=-1).astype(np.float32)
        scale, found = np.float32(self.largest), [angle, delay]
        for i, (group, width) in enumerate(zip(self.groups, self.widths, strict=True)):
            index = levels(parts[:, group], scale, width)
            found.append(index.reshape(len(parts), 2 * index.shape[1]))
            if i < len(self.reach):
                last = middles(index[:, -1:], scale, width)
                scale = self.next_scale(i, last)
        return np.concatenate(found, axis=1).astype(np.int32)

    def next_scale(self, i: int, last: np.ndarray) -> np.ndarray:
        """Scale of section i + 1 after the last parts `[n, 1, 2]` of section i."""
        size = np.sqrt((last * last).sum(axis=2, keepdims=True))
        return np.float32(self.reach[i] / UNIT) * size

    def atoms(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Angle, delay and complex128 value `[n, K]` of indices `[n, indices]`."""
        ends = np.cumsum([count for count, _ in self.sections])[:-1]
        angle, delay, *levels_of = np.split(indices, ends, axis=1)
        scale, parts = np.float32(self.largest), []
        for i, (index, width) in enumerate(zip(levels_of, self.widths, strict=True)):
            pairs = index.reshape(len(index), index.shape[1] // 2, 2)
            parts.append(middles(pairs, scale, width))
            if i < len(self.reach):
                scale = self.next_scale(i, parts[-1][:, -1:])
        value = np.concatenate(parts, axis=1).astype(np.float64)
        return angle, delay, value @ np.array([1, 1j])

    def encode(self, angle, delay, value) -> list[bytes]:
        """Payload of each report, see `indices`."""
        found = self.indices(angle, delay, value)
        packed = bitstream.pack_sections(found, self.sections)
        return [row.tobytes() for row in packed]

    def decode(self, payloads: Sequence[bytes]) -> np.ndarray:
        """CSI complex128 `[n, N_t, N_a]` of whole payloads.

        Raises:
            BitstreamError: another length, a padding bit, a position off the grid.
        """
        rows = [bitstream.unpack_sections(x, self.sections) for x in payloads]
        size = sum(count for count, _ in self.sections)
        angle, delay, value = self.atoms(np.array(rows, np.int64).reshape(-1, size))
        if (angle >= self.grid.num_angles).any() or (
            delay >= self.grid.num_delays
        ).any():
            raise bitstream.BitstreamError(
                f"an atom at angle {angle.max()} and delay {delay.max()}: the grid has "
                f"{self.grid.num_angles} and {self.grid.num_delays}"
            )
        return atoms.combine(self.grid, angle, delay, value)

    def agreed(self) -> dict:
        """Its facts for codec.json; `of` reads them."""
        return dataclasses.asdict(self)


def of(facts: dict) -> PlainAtoms:
    """Stream of what `PlainAtoms.agreed` gave, as `quantizer` of codec.json holds it.

    Raises:
        ValueError, TypeError, KeyError: the facts are damaged.
    """
    own = {field.name: facts[field.name] for field in dataclasses.fields(PlainAtoms)}
    return PlainAtoms(**{**own, "grid": AngleDelayGrid(**own["grid"])})


def levels(parts: np.ndarray, scale: np.ndarray, width: int) -> np.ndarray:
    """Levels of parts in `width` bits, int32."""
    level = np.floor((parts / scale + 1) * np.float32(2 ** (width - 1)))
    return level.clip(0, 2**width - 1).astype(np.int32)


def middles(level: np.ndarray, scale: np.ndarray, width: int) -> np.ndarray:
    """Parts that levels stand for, float32."""
    share = (level.astype(np.float32) + np.float32(0.5)) * np.float32(2 ** (1 - width))
    return (share - 1) * scale
