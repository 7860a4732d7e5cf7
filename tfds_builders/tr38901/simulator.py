"""TR 38.901 channels: settings -> drops -> angle-delay taps or frequency responses.

Steps 1 to 11 of clause 7.5 for one BS, vectorised over drops. Path loss and shadowing
are left out: every drop has unit mean power per element pair (times the element gains).
Every block of `BLOCK` drops has a generator of its own, seeded by (seed, split, block),
and the phases of each carrier another. UEs are independent, or on a track (`tracks`).
"""

from __future__ import annotations

import numpy as np

from tfds_builders.array_synthesis import array_frequency, array_taps
from tfds_builders.blocks import BLOCK
from tfds_builders.dft_kernel import phasor
from tfds_builders.synthesis import Band
from tfds_builders.tr38901 import coefficients, tracks
from tfds_builders.tr38901.drops import Drops, Setting, draw

_DROPS_PER_CHUNK = 10  # keeps the coefficients in the cache


def block_drops(setting: Setting, seed: int, split: int, block: int) -> Drops:
    """Draw the `BLOCK` drops of one block.

    Raises:
      ValueError: a negative number.
    """
    if setting.cell.track is not None:
        return tracks.block_drops(setting, seed, split, block)
    return draw(setting, (seed, split, block), BLOCK)


def port_taps(
    drops: Drops,
    taps: tuple[int, ...] = tuple(range(32)),
    carrier_hz: float | None = None,
    time_s: float = 0.0,
) -> np.ndarray:
    """Delay taps of every pair of elements.

    Args:
      drops: of one block.
      taps: which of the `num_subcarriers` delay bins.
      carrier_hz: another carrier of the same drops: delays, angles and powers stay,
        phases are its own; default the setting's.
      time_s: the UE has moved for so long since the drop.

    Returns:
      complex64 `[drops, N_r, N_t, taps]`.

    Raises:
      ValueError: a time after the drop of UEs without speed.
    """
    setting = drops.setting
    band = _baseband(setting, setting.num_subcarriers)
    return _over_chunks(drops, carrier_hz, time_s, array_taps, band, taps)


def port_frequency(
    drops: Drops,
    num_subcarriers: int,
    keep: int,
    carrier_hz: float | None = None,
    time_s: float = 0.0,
) -> np.ndarray:
    """Frequency response of every pair of elements on a grid over the bandwidth.

    Returns:
      complex64 `[drops, N_r, N_t, keep]`: the first subcarriers of the grid.
    """
    band = _baseband(drops.setting, num_subcarriers)
    return _over_chunks(drops, carrier_hz, time_s, array_frequency, band, keep)


def _baseband(setting: Setting, num_subcarriers: int) -> Band:
    return Band(-setting.bandwidth_hz / 2, setting.bandwidth_hz, num_subcarriers)


def _over_chunks(drops, carrier_hz, time_s, synthesise, *what) -> np.ndarray:
    """Synthesise a few drops at a time: `[drops, N_r, N_t, ...]`."""
    setting = drops.setting
    if time_s and not setting.cell.speed:
        raise ValueError(
            f"time_s={time_s} changes nothing at speed=0 m/s: give the cell a speed"
        )
    carrier = setting.carrier_hz if carrier_hz is None else carrier_hz
    phases = drops.phases(carrier)
    parts = []
    for start in range(0, len(drops), _DROPS_PER_CHUNK):
        rows = slice(start, start + _DROPS_PER_CHUNK)
        chunk = drops.rows(rows)
        moved = chunk.velocity * time_s
        link = coefficients.Link(carrier, setting.bs, setting.ue, moved)
        response, excess = _response(chunk, phases[rows], link)
        delay = chunk.rays.delay + setting.delay_offset_s
        largest = link.largest_excess_s
        parts.append(synthesise(delay, response, *what, excess, largest))
    shape = len(drops), len(setting.ue), len(setting.bs), -1
    return np.concatenate(parts).reshape(shape)


def _response(
    drops: Drops, phases: np.ndarray, link: coefficients.Link
) -> tuple[np.ndarray, np.ndarray | None]:
    """Coefficients complex64 `[drops, rays, N_r N_t]` and excess delays in s."""
    rays, shape = drops.rays, (*drops.rays.delay.shape, -1)
    gain = coefficients.polarised_gain(rays, phases, link)
    if drops.setting.waves == "plane":
        turns, pattern = coefficients.plane_waves(rays, link)
        excess = None
    else:
        points = drops.scatterers or coefficients.place_scatterers(
            rays, drops.geometry, drops.setting.waves
        )
        excess, pattern = coefficients.spherical_waves(
            rays, points, drops.geometry, link
        )
        turns = -link.carrier_hz * excess
        excess = excess.reshape(shape)
    response = phasor(turns)
    response *= (gain * pattern).astype(np.complex64)
    return response.reshape(shape), excess


def angular_taps(h: np.ndarray) -> np.ndarray:
    """`[..., N_t, taps]` of ports to beams: unitary DFT with fftshift, complex64."""
    beams = np.fft.fftshift(np.fft.fft(h, axis=-2, norm="ortho"), axes=-2)
    return beams.astype(np.complex64, copy=False)
