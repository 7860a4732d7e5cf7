"""Propagation paths straight to angle-delay taps, without subcarriers in between.

A path at position `d` on a DFT grid of N points (delay x bandwidth in taps, or
`N sin(azimuth) cos(elevation) / 2` in beams of a half-wavelength ULA) contributes to
bin k the unitary DFT of a complex exponential,

    (1/sqrt N) sum_n exp(-j 2 pi n (d - k) / N).

With `d = m + f`, m the nearest bin, this geometric sum factors into

    [sin(pi f) / sqrt N * exp(-j pi (f - d/N))]      one complex weight per path
    * exp(-j pi k / N)                               one phase per bin
    / sin(pi (m - k + f) / N)                        a real kernel,

so the sum over paths is a real matrix product, and the kernel needs no sine per bin:
angle addition around the nearest bin stays exact in float32 up to the 0/0 on a bin.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_Arrays = tuple[np.ndarray, ...]

# A path exactly on a bin is moved by this share of a bin: its 0/0 becomes N exactly.
_SMALLEST_OFFSET = 1e-9
_PATHS_PER_CHUNK = 4096  # keeps the kernels in the cache
# OpenBLAS takes threads for larger products. For products as small as these they cost
# more than they bring (ten times the time where cores are busy).
_SINGLE_THREAD_PRODUCT = 2**18


@dataclass(frozen=True)
class Band:
    """A grid of `num_subcarriers` frequencies that starts at `first_hz`."""

    first_hz: float
    bandwidth_hz: float
    num_subcarriers: int = 1024

    @property
    def spacing_hz(self) -> float:
        """Distance of neighbouring subcarriers."""
        return self.bandwidth_hz / self.num_subcarriers


def ula_taps(
    sine: np.ndarray,
    delay: np.ndarray,
    amplitude: np.ndarray,
    band: Band,
    num_antennas: int = 32,
    first: int = 32,
    last: int = 0,
) -> np.ndarray:
    """Angle-delay taps of a half-wavelength ULA.

    Equal to `truncate(to_angular_delay(H), first, last)` of the frequency response
    `H[n, i] = sum amplitude exp(-j pi i sine) exp(-j 2 pi f_n delay)` on `band`.

    Args:
      sine: `sin(azimuth) cos(elevation)` `[drops, paths]`.
      delay: `[drops, paths]`, seconds.
      amplitude: complex `[drops, paths]`, zero for padding.
      band: subcarriers over which the delay taps are taken.
      num_antennas: elements of the array, and angular bins.
      first: number of taps from delay zero on.
      last: number of taps from the end, into which a path at delay zero leaks.

    Returns:
      complex64 `[drops, num_antennas, first + last]`.

    Raises:
      ValueError: the three arrays differ in shape or are not two-dimensional.
    """
    taps = np.r_[0:first, -last:0]
    real = np.empty((len(sine), 2, num_antennas, len(taps)), np.float32)
    tap_tables = _tables(band.num_subcarriers, tuple(taps))
    beams = _beam_bins(num_antennas)
    beam_tables = _tables(num_antennas, tuple(beams))
    for drops, counts, paths in _chunks(sine, delay, amplitude):
        sine_, delay_, amplitude_ = paths
        *beam, beam_kernel = _dft_kernel(num_antennas / 2 * sine_, beam_tables)
        *tap, tap_kernel = _dft_kernel(delay_ * band.bandwidth_hz, tap_tables)
        weight = _rotate(amplitude_ * beam[0] * tap[0], beam[1] + tap[1], delay_, band)
        parts = weight.view(np.float32).reshape(-1, 2, 1)
        left = (parts * beam_kernel[:, None]).reshape(len(parts), -1)
        product = _sum_paths(left, tap_kernel, counts)
        real[drops] = product.reshape(-1, *real.shape[1:])
    response = (real[:, 0] + 1j * real[:, 1]) * _bin_phase(num_antennas, beams)[:, None]
    return response * _bin_phase(band.num_subcarriers, taps)


def ula_frequency(
    sine: np.ndarray,
    delay: np.ndarray,
    amplitude: np.ndarray,
    band: Band,
    num_antennas: int = 32,
    keep: int | None = None,
) -> np.ndarray:
    """Frequency response of every beam of a half-wavelength ULA.

    Args:
      sine: `sin(azimuth) cos(elevation)` `[drops, paths]`.
      delay: `[drops, paths]`, seconds.
      amplitude: complex `[drops, paths]`, zero for padding.
      band: grid of subcarriers.
      num_antennas: elements of the array, and angular bins.
      keep: number of subcarriers from the first one on, default all.

    Returns:
      complex64 `[drops, num_antennas, keep]`: unitary DFT over antennas with fftshift
      of the `H` of `ula_taps`.

    Raises:
      ValueError: the three arrays differ in shape or are not two-dimensional.
    """
    keep = band.num_subcarriers if keep is None else keep
    beams = _beam_bins(num_antennas)
    beam_tables = _tables(num_antennas, tuple(beams))
    response = np.empty((len(sine), num_antennas, keep), np.complex64)
    for drops, counts, paths in _chunks(sine, delay, amplitude):
        sine_, delay_, amplitude_ = paths
        *beam, beam_kernel = _dft_kernel(num_antennas / 2 * sine_, beam_tables)
        weight = _rotate(amplitude_ * beam[0], beam[1], delay_, band)
        rotation = _powers(-band.spacing_hz * delay_, keep)
        rotation *= weight[:, None]
        product = _sum_paths(beam_kernel, rotation.view(np.float32), counts)
        response[drops] = product.view(np.complex64)
    response *= _bin_phase(num_antennas, beams)[:, None]
    return response


def _chunks(*arrays: np.ndarray) -> Iterator[tuple[slice, np.ndarray, _Arrays]]:
    """Yield slices of drops, their number of paths, and their paths end to end."""
    shapes = {np.shape(array) for array in arrays}
    if len(shapes) != 1 or len(arrays[0].shape) != 2:
        raise ValueError(
            "sine, delay and amplitude must share one shape [drops, paths], got"
            f" {', '.join(str(np.shape(array)) for array in arrays)}"
        )
    num_drops, width = arrays[0].shape
    step = max(1, _PATHS_PER_CHUNK // max(width, 1))
    for start in range(0, num_drops, step):
        drops = slice(start, start + step)
        used = arrays[-1][drops] != 0
        yield drops, used.sum(axis=1), tuple(array[drops][used] for array in arrays)


def _sum_paths(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sum `left[p, x] right[p, y]` over the paths of each drop: `[drops, x, y]`.

    Drop by drop without padding, so that the bits of a drop do not depend on which
    drops come with it.
    """
    sums = np.zeros((len(counts), left.shape[1], right.shape[1]), np.float32)
    step = max(32, _SINGLE_THREAD_PRODUCT // sums[0].size)
    stops = np.cumsum(counts)
    for drop, (start, stop) in enumerate(zip(stops - counts, stops, strict=True)):
        for first in range(start, stop, step):
            piece = slice(first, min(first + step, stop))
            sums[drop] += left[piece].T @ right[piece]
    return sums


@functools.cache
def _tables(num_points: int, bins: tuple[int, ...]) -> _Arrays:
    """Sine and cosine of pi (m - k) / N, float32 `[num_points, bins]`, exact zeros."""
    distance = np.arange(num_points)[:, None] - np.array(bins)
    turns, steps = np.divmod(distance, num_points)
    sign = 1 - 2 * (turns % 2)
    angle = np.pi / num_points * steps
    return tuple((sign * f(angle)).astype(np.float32) for f in (np.sin, np.cos))


def _dft_kernel(position: np.ndarray, tables: _Arrays) -> _Arrays:
    """Gain `[paths]`, phase `[paths]` in turns, kernel `[paths, bins]`.

    The factors of the module docstring; gain and kernel are both divided by
    cos(pi f / N), which leaves one tangent per path. Only the position needs float64.
    """
    sine, cosine = tables
    num_points = len(sine)
    nearest = np.rint(position)
    offset = position - nearest
    offset[np.abs(offset) < _SMALLEST_OFFSET] = _SMALLEST_OFFSET
    nearest %= num_points  # the geometric sum has period N in d
    turns = 0.5 * ((nearest + offset) / num_points - offset)
    offset = np.float32(np.pi) * offset.astype(np.float32)
    angle = offset / np.float32(num_points)
    gain = np.sin(offset) / (np.float32(np.sqrt(num_points)) * np.cos(angle))
    row = nearest.astype(np.intp)
    kernel = cosine.take(row, axis=0)
    kernel *= np.tan(angle)[:, None]
    kernel += sine.take(row, axis=0)
    return gain, turns, np.divide(np.float32(1), kernel, out=kernel)


def _rotate(
    amplitude: np.ndarray, turns: np.ndarray, delay: np.ndarray, band: Band
) -> np.ndarray:
    """`amplitude exp(j 2 pi (turns - f_first delay))`, complex64 `[paths]`."""
    return amplitude.astype(np.complex64) * _phasor(turns - band.first_hz * delay)


def _phasor(turns: np.ndarray) -> np.ndarray:
    """exp(j 2 pi turns) as complex64, from float64 turns reduced to one turn."""
    angle = (2 * np.pi * (turns - np.rint(turns))).astype(np.float32)
    phasor = np.empty(angle.shape, np.complex64)
    phasor.real = np.cos(angle)
    phasor.imag = np.sin(angle)
    return phasor


def _bin_phase(num_points: int, bins: np.ndarray) -> np.ndarray:
    return np.exp(-1j * np.pi / num_points * bins).astype(np.complex64)


def _beam_bins(num_antennas: int) -> np.ndarray:
    """DFT bins over antennas, fftshift-ed; the forward DFT looks at minus the bin."""
    return -np.fft.fftshift(np.fft.fftfreq(num_antennas, 1 / num_antennas)).astype(int)


def _powers(turns: np.ndarray, count: int) -> np.ndarray:
    """`exp(j 2 pi turns n)`, n < count, complex64 `[paths, count]`: angle addition."""
    step = int(np.ceil(np.sqrt(count)))
    fine = _phasor(turns[:, None] * np.arange(step))
    coarse = _phasor(turns[:, None] * np.arange(0, count, step))
    powers = coarse[:, :, None] * fine[:, None]
    return np.ascontiguousarray(powers.reshape(len(turns), -1)[:, :count])
