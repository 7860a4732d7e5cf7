"""Propagation paths straight to angle-delay taps, without subcarriers in between.

The sums over subcarriers and antennas are those of `dft_kernel`, in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfds_builders import dft_kernel as dft

_Arrays = tuple[np.ndarray, ...]

_PATHS_PER_CHUNK = 4096  # keeps the kernels in the cache


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
    tap_tables = dft.tables(band.num_subcarriers, tuple(taps))
    beams = _beam_bins(num_antennas)
    beam_tables = dft.tables(num_antennas, tuple(beams))
    for drops, counts, paths in _chunks(sine, delay, amplitude):
        sine_, delay_, amplitude_ = paths
        *beam, beam_kernel = dft.kernel(num_antennas / 2 * sine_, beam_tables)
        *tap, tap_kernel = dft.kernel(delay_ * band.bandwidth_hz, tap_tables)
        weight = _rotate(amplitude_ * beam[0] * tap[0], beam[1] + tap[1], delay_, band)
        parts = weight.view(np.float32).reshape(-1, 2, 1)
        left = (parts * beam_kernel[:, None]).reshape(len(parts), -1)
        product = dft.sum_paths(left, tap_kernel, counts)
        real[drops] = product.reshape(-1, *real.shape[1:])
    response = (real[:, 0] + 1j * real[:, 1]) * dft.bin_phase(num_antennas, beams)[
        :, None
    ]
    return response * dft.bin_phase(band.num_subcarriers, taps)


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
    beam_tables = dft.tables(num_antennas, tuple(beams))
    response = np.empty((len(sine), num_antennas, keep), np.complex64)
    for drops, counts, paths in _chunks(sine, delay, amplitude):
        sine_, delay_, amplitude_ = paths
        *beam, beam_kernel = dft.kernel(num_antennas / 2 * sine_, beam_tables)
        weight = _rotate(amplitude_ * beam[0], beam[1], delay_, band)
        rotation = dft.powers(-band.spacing_hz * delay_, keep)
        rotation *= weight[:, None]
        product = dft.sum_paths(beam_kernel, rotation.view(np.float32), counts)
        response[drops] = product.view(np.complex64)
    response *= dft.bin_phase(num_antennas, beams)[:, None]
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


def _rotate(
    amplitude: np.ndarray, turns: np.ndarray, delay: np.ndarray, band: Band
) -> np.ndarray:
    """`amplitude exp(j 2 pi (turns - f_first delay))`, complex64 `[paths]`."""
    return amplitude.astype(np.complex64) * dft.phasor(turns - band.first_hz * delay)


def _beam_bins(num_antennas: int) -> np.ndarray:
    """DFT bins over antennas, fftshift-ed; the forward DFT looks at minus the bin."""
    return -np.fft.fftshift(np.fft.fftfreq(num_antennas, 1 / num_antennas)).astype(int)
