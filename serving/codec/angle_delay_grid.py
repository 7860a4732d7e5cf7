"""An oversampled angle-delay grid: the paths that an array and a band can tell apart.

An atom is a plane wave at one angle and one delay, as the truncated angular-delay CSI
`[N_t, N_a]` shows it: the outer product of an array response (unitary DFT, fftshift)
and a delay response (the kept taps of one delay over the band), each of norm 1. All of
it follows from a few numbers that both ends know (NumPy only).
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass

import numpy as np

ARRAY = r"ula:[1-9]\d*|upa:[1-9]\d*x[1-9]\d*(x[1-9]\d*)?"
MARGIN = 2  # taps: delays outside the window whose main lobe reaches into it


@dataclass(frozen=True)
class AngleDelayGrid:
    """Grid of atoms of one array and one band.

    Attributes:
        array: 'ula:N', 'upa:COLUMNSxROWS' or, cross-polarised, 'upa:COLUMNSxROWSx2';
            polarisations (and receive antennas, if any) are blocks of the angle axis.
        num_subcarriers: N_c.
        num_delay: N_a, taps kept.
        last_taps: of the N_a taps, those that are the last of all N_c.
        oversampling: grid points per angle bin and per tap, a power of two from 2 on.
        beams: the DFT that makes angles of antennas: over each dimension ('each'), or
            over all of them as if they were in a line ('all').
        gains: of the antennas in the order of `antennas`, (real, imaginary) each, where
            they were measured or estimated; none: all alike.
        window: taps from which on and before which atoms lie; (): those that are kept,
            and `MARGIN` more at both ends.

    Raises:
        ValueError: sizes that are none, or gains of another array.
    """

    array: str
    num_subcarriers: int
    num_delay: int
    last_taps: int = 0
    oversampling: int = 16
    beams: str = "each"
    gains: tuple[tuple[float, float], ...] = ()
    window: tuple[int, ...] = ()

    def __post_init__(self):
        if not re.fullmatch(ARRAY, self.array):
            raise ValueError(
                f"array={self.array!r}: expected ula:N, upa:CxR or upa:CxRx2"
            )
        if self.num_antennas < 2:
            raise ValueError(f"array={self.array!r}: one antenna has no angles")
        over = self.oversampling
        if over < 2 or over & (over - 1):
            raise ValueError(f"oversampling={over}: expected 2, 4, 8, 16 ...")
        if self.beams not in ("each", "all"):
            raise ValueError(f"beams={self.beams!r}: expected 'each' or 'all'")
        if not 0 <= self.last_taps <= self.num_delay <= self.num_subcarriers:
            raise ValueError(
                f"last_taps={self.last_taps}, num_delay={self.num_delay}, "
                f"num_subcarriers={self.num_subcarriers}: expected no decrease"
            )
        gains = tuple((float(real), float(imag)) for real, imag in self.gains)
        power = sum(real**2 + imag**2 for real, imag in gains)
        if gains and (len(gains) != self.num_antennas or not 0 < power < math.inf):
            raise ValueError(
                f"{len(gains)} gains of power {power}, expected {self.num_antennas} "
                f"finite ones for array={self.array}"
            )
        object.__setattr__(self, "gains", gains)
        whole = -self.last_taps - MARGIN, self.num_delay - self.last_taps + MARGIN
        window = tuple(self.window) or whole
        if len(window) != 2 or not whole[0] <= window[0] < window[1] <= whole[1]:
            raise ValueError(
                f"window={self.window}: expected two taps from {whole[0]} to {whole[1]}"
            )
        object.__setattr__(self, "window", window)

    @functools.cached_property
    def dimensions(self) -> tuple[int, ...]:
        """Antennas of each dimension of the array, polarisations last."""
        given = self.array.partition(":")[2].split("x")
        return (*map(int, given), 1, 1)[:3]

    @property
    def num_antennas(self) -> int:
        """N_t."""
        return math.prod(self.dimensions)

    @functools.cached_property
    def angle_shape(self) -> tuple[int, ...]:
        """Grid points of each dimension of the array, polarisations last."""
        *dimensions, polarisations = self.dimensions
        over = self.oversampling
        return (*(n * over if n > 1 else 1 for n in dimensions), polarisations)

    @property
    def num_angles(self) -> int:
        """Rows of `angles`."""
        return math.prod(self.angle_shape)

    @property
    def num_delays(self) -> int:
        """Rows of `delays`."""
        return (self.window[1] - self.window[0]) * self.oversampling

    @functools.cached_property
    def angles(self) -> np.ndarray:
        """Array responses complex128 `[angles, N_t]`, polarisation the slowest axis."""
        *dimensions, polarisations = self.dimensions
        response = np.eye(polarisations)
        for size, points in zip(dimensions, self.angle_shape, strict=False):
            wave = _steering(size, points)
            response = np.kron(response, _dft(wave) if self.beams == "each" else wave)
        response = response if self.beams == "each" else _dft(response)
        if not self.gains:
            return response
        gains = np.array(self.gains) @ (1, 1j)
        uneven = (response @ self.antennas.conj().T * gains) @ self.antennas
        return uneven / np.linalg.norm(uneven, axis=1, keepdims=True)

    @functools.cached_property
    def antennas(self) -> np.ndarray:
        """Unitary `[N_t antennas, N_t angles]`: a row is what one antenna has alone."""
        *dimensions, polarisations = self.dimensions
        if self.beams == "all":
            return _dft(np.eye(self.num_antennas))
        matrix = np.eye(polarisations)
        for size in dimensions:
            matrix = np.kron(matrix, _dft(np.eye(size)))
        return matrix

    @property
    def index_shape(self) -> tuple[int, ...]:
        """As `angle_shape`, in the order of the rows of `angles`."""
        return (self.angle_shape[-1], *self.angle_shape[:-1])

    @functools.cached_property
    def delays(self) -> np.ndarray:
        """Delay responses complex128 `[delays, N_a]`."""
        first = self.num_delay - self.last_taps
        taps = np.r_[0:first, -self.last_taps : 0]
        over = self.oversampling
        delay = np.arange(self.window[0] * over, self.window[1] * over) / over
        # Unitary inverse DFT of exp(-2 pi j k delay / N_c): a Dirichlet kernel.
        x = np.pi * (taps - delay[:, None])
        n = self.num_subcarriers
        small = np.abs(np.sin(x / n)) < 1e-12
        # A whole tap that is not kept shows in none of those that are: its neighbours'
        # limit, as rounding errors would differ between machines.
        dark = (delay % 1 == 0) & ~np.isin(delay % n, taps % n)
        sine = np.where(dark[:, None], 1 - 2 * (taps % 2), np.sin(x))
        ratio = np.where(small, 1, sine / np.where(small, 1, n * np.sin(x / n)))
        response = ratio * np.exp(1j * x * (n - 1) / n)
        return response / np.linalg.norm(response, axis=1, keepdims=True)

    @functools.cached_property
    def single(self) -> tuple[np.ndarray, np.ndarray]:
        """Conjugates of `angles` and `delays`, complex64."""
        both = (self.angles, self.delays)
        return tuple(x.conj().astype(np.complex64) for x in both)

    def check(self, h: np.ndarray) -> np.ndarray:
        """CSI complex `[n, N_t, N_a]` of this grid.

        Raises:
            ValueError: another shape, not complex, NaN or infinity.
        """
        h = np.asarray(h)
        expected = (self.num_antennas, self.num_delay)
        if h.ndim != 3 or h.shape[1:] != expected or not np.iscomplexobj(h):
            raise ValueError(
                f"CSI is {h.dtype} {list(h.shape)}, expected complex [n, "
                f"{expected[0]}, {expected[1]}] for array={self.array}"
            )
        if not np.isfinite(h).all():
            raise ValueError(f"CSI of shape {list(h.shape)} holds NaN or infinity")
        return h


def _steering(size: int, points: int) -> np.ndarray:
    """Plane waves on a linear array, complex128 `[points, size]`."""
    turns = np.outer(np.arange(points) / points, np.arange(size))
    return np.exp(2j * np.pi * turns) / np.sqrt(size)


def _dft(waves: np.ndarray) -> np.ndarray:
    """Unitary, fftshifted DFT of `[..., size]`, as data sets have it."""
    return np.fft.fftshift(np.fft.fft(waves, axis=-1, norm="ortho"), axes=-1)
