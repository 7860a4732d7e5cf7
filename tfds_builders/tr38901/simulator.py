"""TR 38.901 channels: settings -> drops -> angle-delay taps or frequency responses.

Steps 1 to 11 of clause 7.5 for one BS and independent UEs, vectorised over drops. Path
loss and shadowing are left out: every drop has unit mean power per element pair (times
the element gains). Every block of `BLOCK` drops has a generator of its own, seeded by
(seed, split, block), and the phases of each carrier another.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from tfds_builders.array_synthesis import array_frequency, array_taps
from tfds_builders.blocks import BLOCK, generator
from tfds_builders.dft_kernel import phasor
from tfds_builders.synthesis import Band
from tfds_builders.tr38901 import coefficients
from tfds_builders.tr38901.arrays import Array
from tfds_builders.tr38901.large_scale import Geometry, LargeScale, draw_large_scale
from tfds_builders.tr38901.parameters import Scenario
from tfds_builders.tr38901.rays import Rays, draw_rays

_DROPS_PER_CHUNK = 10  # keeps the coefficients in the cache


@dataclass(frozen=True)
class Cell:
    """One BS and where its UEs are.

    Attributes:
      bs_height: m.
      ue_height: m.
      min_distance: 2-D distance in m that UEs keep from the BS.
      radius: of the sector in m, UEs uniform over its area; unused on a line.
      sector_deg: width of the sector about the boresight.
      line: (distance in m of a straight line from the BS, its length in m), UEs uniform
        on it, parallel to the array; None: the sector.
      speed: of the UE in m/s, along the line, or in a random horizontal direction.
    """

    bs_height: float
    ue_height: float = 1.5
    min_distance: float = 10.0
    radius: float = 200.0
    sector_deg: float = 120.0
    line: tuple[float, float] | None = None
    speed: float = 0.0


@dataclass(frozen=True)
class Setting:
    """All that determines the drops of a data set.

    Attributes:
      scenario: tables of one scenario.
      cell: BS and UEs.
      carrier_hz: for which the parameters are drawn.
      bandwidth_hz: of the subcarriers.
      num_subcarriers: over the bandwidth.
      bs, ue: arrays, fixed in metres.
      waves: `plane`, `spherical` (several bounces) or `spherical_single_bounce`.
      delay_offset_s: of the first path; at 0 it leaks into the last taps.
    """

    scenario: Scenario
    cell: Cell
    carrier_hz: float
    bandwidth_hz: float
    num_subcarriers: int
    bs: Array
    ue: Array
    waves: str = "plane"
    delay_offset_s: float = 0.0

    def __post_init__(self):
        if self.waves not in coefficients.WAVES:
            raise ValueError(
                f"waves={self.waves!r}: choose one of {', '.join(coefficients.WAVES)}"
            )


@dataclass(frozen=True)
class Drops:
    """Drops of one block (its rows `index`), before the phases of any carrier."""

    setting: Setting
    seed: tuple[int, int, int]
    index: np.ndarray
    geometry: Geometry
    velocity: np.ndarray
    large_scale: LargeScale
    rays: Rays

    def __len__(self) -> int:
        return len(self.velocity)

    def phases(self, carrier_hz: float) -> np.ndarray:
        """Initial phases `[drops, rays, 2, 2]` rad, independent for each carrier."""
        rng = generator(*self.seed, 1, round(carrier_hz))
        shape = BLOCK, self.rays.delay.shape[1], 2, 2
        phases = rng.uniform(-np.pi, np.pi, shape)[self.index]
        if self.rays.has_los:
            length = self.geometry.distance * carrier_hz / coefficients.SPEED_OF_LIGHT
            phases[:, 0, 0, 0] = -2 * np.pi * length
            phases[:, 0, 1, 1] = np.pi - 2 * np.pi * length
        return phases

    def rows(self, rows: slice) -> Drops:
        """Some of the drops."""
        return dataclasses.replace(
            self,
            index=self.index[rows],
            geometry=dataclasses.replace(
                self.geometry, ue_position=self.geometry.ue_position[rows]
            ),
            velocity=self.velocity[rows],
            rays=self.rays.rows(rows),
        )


def draw_positions(
    cell: Cell, rng: np.random.Generator, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities of UEs, `[count, 3]` m and m/s."""
    heading = rng.uniform(0, 2 * np.pi, count)
    if cell.line is not None:
        distance, length = cell.line
        y = rng.uniform(-length / 2, length / 2, count)
        x, heading = np.full(count, distance), np.full(count, np.pi / 2)
    else:
        square = rng.uniform(cell.min_distance**2, cell.radius**2, count)
        half = math.radians(cell.sector_deg) / 2
        azimuth = rng.uniform(-half, half, count)
        x, y = np.sqrt(square) * np.cos(azimuth), np.sqrt(square) * np.sin(azimuth)
    direction = np.stack([np.cos(heading), np.sin(heading), np.zeros(count)], axis=1)
    position = np.stack([x, y, np.full(count, cell.ue_height)], axis=1)
    return position, cell.speed * direction


def block_drops(setting: Setting, seed: int, split: int, block: int) -> Drops:
    """Draw the `BLOCK` drops of one block.

    Raises:
      ValueError: a negative number.
    """
    rng = generator(seed, split, block)
    position, velocity = draw_positions(setting.cell, rng, BLOCK)
    geometry = Geometry(setting.cell.bs_height, position)
    carrier, scenario = setting.carrier_hz, setting.scenario
    large_scale = draw_large_scale(scenario, carrier, rng, geometry)
    rays = draw_rays(scenario, carrier, rng, geometry, large_scale)
    seeds, index = (seed, split, block), np.arange(BLOCK)
    return Drops(setting, seeds, index, geometry, velocity, large_scale, rays)


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
        points = coefficients.place_scatterers(
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
