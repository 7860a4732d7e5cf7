"""Spatial consistency: UEs on a straight track among fixed clusters.

                     o first scatterers          o last scatterers
     BS  x                                      / \
                 ----[======= segment =======]~~~~~~~~~~~]----
                      train, validation, test, test_stretch

A track is one drop, drawn at the middle of its segment, whose large-scale state,
clusters, rays, powers, polarisations and initial phases stay along it: the simpler of
what TR 38.901 does for moving UEs (clause 7.6.3 lets cluster variables correlate over
15 to 60 m without line of sight; a segment of 20 m is held within that). What changes
is geometry: the distance from the last scatterer to the UE gives each ray its length,
and so its delay, its angle of arrival and its phase. Delays count from the first ray
that arrives at a position, as a UE's timing does.

Segment, stretch behind it, and other tracks are data of one kind at three distances.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfds_builders.blocks import BLOCK, SPLITS, TRACK_TESTS, generator
from tfds_builders.tr38901.coefficients import Scatterers, place_scatterers
from tfds_builders.tr38901.drops import Drops, Setting, Track, draw
from tfds_builders.tr38901.large_scale import SPEED_OF_LIGHT, Geometry

_TRACK, _EXCESS = 2**32 - 1, 2  # further words of the seed
# Table 7.6.9-1 (v19): mean and standard deviation of lg of the first ray's delay in s
# over that of the line of sight. Without it the first cluster is at the UE itself.
EXCESS = {"umi_nlos": (-7.5, 0.5), "uma_nlos": (-7.4, 0.2), "rma_nlos": (-8.33, 0.26)}


def block_drops(setting: Setting, seed: int, split: int, block: int) -> Drops:
    """Draw the `BLOCK` positions of one block, uniform on their part of a track.

    All splits have one track; each block of the split `test_tracks` has another.

    Raises:
      ValueError: a negative number.
    """
    rng = generator(seed, split, block)
    offset = rng.uniform(*reach(setting.cell.track, split), BLOCK)
    others = split == TRACK_TESTS["test_tracks"]
    place = (split, block) if others else (SPLITS["train"], 0)
    return along(draw_track(setting, (seed, *place, _TRACK)), offset)


def reach(track: Track, split: int) -> tuple[float, float]:
    """First and last position of a split, m from the middle of the segment."""
    half = track.segment / 2
    if split == TRACK_TESTS["test_stretch"]:
        return half, half + track.stretch
    return -half, half


def draw_track(setting: Setting, seed: tuple[int, ...]) -> Drops:
    """The drop at the middle of a track, with its scatterers.

    Args:
      setting: with a track.
      seed: words of `blocks.generator`.
    """
    drop = draw(setting, seed, 1)
    excess_s = 10 ** generator(*seed, _EXCESS).normal(*EXCESS[setting.scenario.name])
    rays = dataclasses.replace(drop.rays, delay=drop.rays.delay + excess_s)
    scatterers = place_scatterers(rays, drop.geometry, setting.waves)
    return dataclasses.replace(drop, rays=rays, scatterers=scatterers)


def along(middle: Drops, offset: np.ndarray) -> Drops:
    """Drops at positions on the track of another one.

    Args:
      middle: a single drop, see `draw_track`.
      offset: `[drops]` m from it, in the direction of its heading.
    """
    count = len(offset)
    position = middle.geometry.ue_position + offset[:, None] * middle.heading
    geometry = Geometry(middle.geometry.bs_height, position)
    first, last = (
        np.repeat(points, count, axis=0)
        for points in (middle.scatterers.first, middle.scatterers.last)
    )
    back = last - geometry.to_ue[:, None]
    reach_m = np.linalg.norm(back, axis=-1)
    length = np.linalg.norm(first, axis=-1) + np.linalg.norm(last - first, axis=-1)
    length += reach_m
    every = {
        name: np.repeat(value, count, axis=0)
        for name, value in vars(middle.rays).items()
        if name != "has_los"
    }
    x, y, z = np.moveaxis(back, -1, 0)
    every |= {"aoa": np.arctan2(y, x), "zoa": np.arccos(z / reach_m)}
    arrived = np.where(every["power"] > 0, length, np.inf).min(axis=1, keepdims=True)
    every["delay"] = np.maximum(length - arrived, 0) / SPEED_OF_LIGHT
    return dataclasses.replace(
        middle,
        index=np.zeros(count, int),
        geometry=geometry,
        heading=np.repeat(middle.heading, count, axis=0),
        rays=dataclasses.replace(middle.rays, **every),
        scatterers=Scatterers(first, last),
        length=length,
    )
