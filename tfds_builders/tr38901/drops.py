"""Drops of TR 38.901: one BS, where its UEs are, and the rays between them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from tfds_builders.blocks import BLOCK, generator
from tfds_builders.tr38901 import coefficients
from tfds_builders.tr38901.arrays import Array
from tfds_builders.tr38901.coefficients import Scatterers
from tfds_builders.tr38901.large_scale import (
    SPEED_OF_LIGHT,
    Geometry,
    LargeScale,
    draw_large_scale,
)
from tfds_builders.tr38901.parameters import Scenario
from tfds_builders.tr38901.rays import Rays, draw_rays


@dataclass(frozen=True)
class Track:
    """Where a UE moves among fixed scatterers, lengths in m.

    Attributes:
      segment: its middle is drawn as a UE's place without track.
      stretch: what lies right behind the segment, among the same scatterers.
    """

    segment: float
    stretch: float


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
      track: drops are positions on it (`tracks`), along the line, or in a random
        horizontal direction; None: they are independent.
      speed: of the UE in m/s in that direction. It moves no drop: it is how far a UE
        has come `time_s` after its drop, see `simulator.port_taps`.
    """

    bs_height: float
    ue_height: float = 1.5
    min_distance: float = 10.0
    radius: float = 200.0
    sector_deg: float = 120.0
    line: tuple[float, float] | None = None
    track: Track | None = None
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
        if self.cell.track and (self.scenario.is_los or self.waves == "plane"):
            raise ValueError(
                f"a track in {self.scenario.name} with waves={self.waves!r}: tracks "
                "are among the scatterers of spherical waves, without line of sight"
            )


@dataclass(frozen=True)
class Drops:
    """Drops of one block, before the phases of any carrier.

    Attributes:
      setting: of the data set.
      seed: of the block, words of `blocks.generator`.
      index: row of the block that each drop is.
      geometry: positions.
      heading: unit vectors `[drops, 3]`.
      large_scale: of all drops of the block.
      rays: of the drops.
      scatterers: those of a track; None: placed by the rays' delays.
      length: of a track's rays in m from centre to centre, `[drops, rays]`.
    """

    setting: Setting
    seed: tuple[int, ...]
    index: np.ndarray
    geometry: Geometry
    heading: np.ndarray
    large_scale: LargeScale
    rays: Rays
    scatterers: Scatterers | None = None
    length: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.heading)

    @property
    def velocity(self) -> np.ndarray:
        """`[drops, 3]` m/s."""
        return self.setting.cell.speed * self.heading

    def phases(self, carrier_hz: float) -> np.ndarray:
        """Initial phases `[drops, rays, 2, 2]` rad, independent for each carrier.

        On a track they turn with the length of the rays.
        """
        rng = generator(*self.seed, 1, round(carrier_hz))
        shape = BLOCK, self.rays.delay.shape[1], 2, 2
        phases = rng.uniform(-np.pi, np.pi, shape)[self.index]
        if self.rays.has_los:
            length = self.geometry.distance * carrier_hz / SPEED_OF_LIGHT
            phases[:, 0, 0, 0] = -2 * np.pi * length
            phases[:, 0, 1, 1] = np.pi - 2 * np.pi * length
        if self.length is not None:
            turns = self.length * (carrier_hz / SPEED_OF_LIGHT)
            phases -= 2 * np.pi * turns[..., None, None]
        return phases

    def rows(self, rows: slice) -> Drops:
        """Some of the drops."""
        return dataclasses.replace(
            self,
            index=self.index[rows],
            geometry=dataclasses.replace(
                self.geometry, ue_position=self.geometry.ue_position[rows]
            ),
            heading=self.heading[rows],
            rays=self.rays.rows(rows),
            scatterers=self.scatterers and self.scatterers.rows(rows),
            length=None if self.length is None else self.length[rows],
        )


def draw_positions(
    cell: Cell, rng: np.random.Generator, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in m and headings (unit vectors) of UEs, `[count, 3]` each."""
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
    return position, direction


def draw(setting: Setting, seed: tuple[int, ...], count: int) -> Drops:
    """Draw independent drops.

    Args:
      setting: of the data set.
      seed: words of `blocks.generator`.
      count: number of drops, at most `BLOCK`.

    Raises:
      ValueError: a negative number.
    """
    rng = generator(*seed)
    position, heading = draw_positions(setting.cell, rng, count)
    geometry = Geometry(setting.cell.bs_height, position)
    carrier, scenario = setting.carrier_hz, setting.scenario
    large_scale = draw_large_scale(scenario, carrier, rng, geometry)
    rays = draw_rays(scenario, carrier, rng, geometry, large_scale)
    index = np.arange(count)
    return Drops(setting, seed, index, geometry, heading, large_scale, rays)
