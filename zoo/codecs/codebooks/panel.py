"""The dual-polarised panel of the codebooks, its beams, and the bits of an index.

TS 38.214, 5.2.2.2.1 and 5.2.2.2.3. Ports are counted polarisation slowest, then the
first dimension (N1), then the second (N2).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

POLARISATIONS = 2
SIZES = (
    (2, 1), (2, 2), (4, 1), (3, 2), (6, 1), (4, 2), (8, 1), (4, 3), (6, 2), (12, 1),
    (4, 4), (8, 2), (16, 1),
)  # fmt: skip


def width(count: int) -> int:
    """Bits of an index of `count` values, ceil(log2(count))."""
    return max(count - 1, 0).bit_length()


@dataclass(frozen=True)
class Panel:
    """N1 x N2 positions of two polarisations.

    Attributes:
        n1: positions along the first dimension.
        n2: along the second.

    Raises:
        ValueError: not one of `SIZES`, those of table 5.2.2.2.1-2.
    """

    n1: int
    n2: int = 1

    def __post_init__(self):
        if (self.n1, self.n2) not in SIZES:
            raise ValueError(
                f"panel of N1={self.n1}, N2={self.n2}: TS 38.214 has (N1, N2) of "
                f"{', '.join(map(str, SIZES))}"
            )

    @classmethod
    def of(cls, columns: int, rows: int, polarisations: int) -> Panel:
        """Panel of an array; one of a single polarisation is taken as two halves.

        Raises:
            ValueError: an array that no panel is.
        """
        halves = columns if polarisations == POLARISATIONS else columns // 2
        if columns % 2 and polarisations == 1:
            raise ValueError(
                f"array of {columns} columns and one polarisation: expected an even "
                "number, a codebook has two groups of ports"
            )
        return cls(halves, rows)

    @property
    def size(self) -> int:
        """N1 N2."""
        return self.n1 * self.n2

    @property
    def num_ports(self) -> int:
        """P = 2 N1 N2."""
        return POLARISATIONS * self.size

    @property
    def oversampling(self) -> tuple[int, int]:
        """(O1, O2), table 5.2.2.2.1-2."""
        return 4, 4 if self.n2 > 1 else 1

    @property
    def num_rotations(self) -> int:
        """O1 O2: orthogonal bases of beams."""
        return math.prod(self.oversampling)

    @functools.cached_property
    def beams(self) -> np.ndarray:
        """Beams v complex128 `[O1 O2, N1 N2 beams, N1 N2 positions]`, unscaled.

        Rotation q1 O2 + q2; beam n1 N2 + n2 has m1 = O1 n1 + q1 and m2 = O2 n2 + q2.
        """
        first, second = (
            _waves(size, over)
            for size, over in zip((self.n1, self.n2), self.oversampling, strict=True)
        )
        beams = np.einsum("paw,qbx->pqabwx", first, second)
        return beams.reshape(self.num_rotations, self.size, self.size)

    def check(self, vectors: np.ndarray, num_subbands: int, rank: int) -> np.ndarray:
        """Eigenvectors as complex128 `[n, N3, P, rank]`.

        Raises:
            ValueError: another shape, a zero vector, NaN or infinity.
        """
        vectors = np.asarray(vectors)
        expected = num_subbands, self.num_ports, rank
        if vectors.ndim != 4 or vectors.shape[1:] != expected:
            raise ValueError(
                f"eigenvectors of shape {list(vectors.shape)}, expected [n, "
                f"{', '.join(map(str, expected))}]: n, N3, ports, rank"
            )
        power = np.sum(np.abs(vectors) ** 2, axis=2)
        if not (np.isfinite(power).all() and power.all()):
            raise ValueError(
                f"eigenvectors of shape {list(vectors.shape)} hold zeros, NaN or "
                "infinity: leave those channels out"
            )
        return vectors.astype(np.complex128)


def _waves(size: int, oversampling: int) -> np.ndarray:
    """exp(j 2 pi m n / (O N)), complex `[O, N beams, N positions]`, m = O beam + q."""
    m = oversampling * np.arange(size) + np.arange(oversampling)[:, None]
    turns = m[..., None] * np.arange(size) / (oversampling * size)
    return np.exp(2j * np.pi * turns)
