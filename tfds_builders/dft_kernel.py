"""Paths off the grid of a DFT: the geometric sum behind `synthesis`.

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

import numpy as np

# A path exactly on a bin is moved by this share of a bin: its 0/0 becomes N exactly.
_SMALLEST_OFFSET = 1e-9
# OpenBLAS takes threads for larger products. For products as small as these they cost
# more than they bring (ten times the time where cores are busy).
_SINGLE_THREAD_PRODUCT = 2**18


def sum_paths(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> np.ndarray:
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
def tables(num_points: int, bins: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Sine and cosine of pi (m - k) / N, float32 `[num_points, bins]`, exact zeros."""
    distance = np.arange(num_points)[:, None] - np.array(bins)
    turns, steps = np.divmod(distance, num_points)
    sign = 1 - 2 * (turns % 2)
    angle = np.pi / num_points * steps
    return tuple((sign * f(angle)).astype(np.float32) for f in (np.sin, np.cos))


def kernel(
    position: np.ndarray, tables: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
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
    ratio = cosine.take(row, axis=0)
    ratio *= np.tan(angle)[:, None]
    ratio += sine.take(row, axis=0)
    return gain, turns, np.divide(np.float32(1), ratio, out=ratio)


def phasor(turns: np.ndarray) -> np.ndarray:
    """exp(j 2 pi turns) as complex64, from float64 turns reduced to one turn."""
    angle = (2 * np.pi * (turns - np.rint(turns))).astype(np.float32)
    phasor = np.empty(angle.shape, np.complex64)
    phasor.real = np.cos(angle)
    phasor.imag = np.sin(angle)
    return phasor


def bin_phase(num_points: int, bins: np.ndarray) -> np.ndarray:
    """The phase of each bin in the module docstring, complex64 `[bins]`."""
    return np.exp(-1j * np.pi / num_points * bins).astype(np.complex64)


def powers(turns: np.ndarray, count: int) -> np.ndarray:
    """`exp(j 2 pi turns n)`, n < count, complex64 `[paths, count]`: angle addition."""
    step = int(np.ceil(np.sqrt(count)))
    fine = phasor(turns[:, None] * np.arange(step))
    coarse = phasor(turns[:, None] * np.arange(0, count, step))
    powers = coarse[:, :, None] * fine[:, None]
    return np.ascontiguousarray(powers.reshape(len(turns), -1)[:, :count])
