"""Clusters of the COST 2100 channel model and the paths over them.

L. Liu, C. Oestges, J. Poutanen, K. Haneda, P. Vainikainen, F. Quitin, F. Tufvesson,
P. De Doncker, "The COST 2100 MIMO channel model", IEEE Wireless Communications 19(6),
2012. The BS sits at the origin, azimuth is counted from the x axis, and all clusters of
a block of drops lie in flat arrays of length C, so nothing loops over drops.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tfds_builders.cost2100_sim.parameters import Scenario
from tfds_builders.cost2100_sim.visibility import (
    draw_cluster_counts,
    draw_regions,
    polar,
)

SPEED_OF_LIGHT = 3e8  # [m/s], as in the reference implementation


@dataclass(frozen=True)
class Clusters:
    """Flat arrays `[C, ...]` of clusters as seen from the BS and from the UE.

    Each side has a centre `[C, 2]` m, its height `[C]` m above the UE, the direction
    `[C]` rad along which the first radius points, and radii `[C, 3]` m (delay, azimuth,
    elevation). Twin clusters are as high as the terminal that they are seen from, local
    ones as high as theirs. `region_distance`
    is the one of the terminal from the nearest active region: -inf for the local
    clusters, which need none, inf where none is active.
    """

    drop: np.ndarray
    bs_centre: np.ndarray
    bs_facing: np.ndarray
    bs_radii: np.ndarray
    bs_height: np.ndarray
    ue_centre: np.ndarray
    ue_facing: np.ndarray
    ue_radii: np.ndarray
    ue_height: np.ndarray
    link_delay: np.ndarray
    shadowing: np.ndarray
    bs_distance: np.ndarray
    region_distance: np.ndarray

    @property
    def is_local(self) -> np.ndarray:
        """Which clusters sit on a terminal, bool `[C]`."""
        return np.isneginf(self.region_distance)

    @classmethod
    def concatenate(cls, parts: list[Clusters]) -> Clusters:
        """All clusters of `parts`, sorted by drop, those of earlier parts first."""
        order = np.argsort(np.concatenate([p.drop for p in parts]), kind="stable")
        names = [field.name for field in dataclasses.fields(cls)]
        fields = [np.concatenate([getattr(p, n) for p in parts]) for n in names]
        return cls(*(field[order] for field in fields))


def draw_clusters(
    scenario: Scenario, rng: np.random.Generator, ue: np.ndarray
) -> Clusters:
    """All clusters of the drops at `ue [drops, 2]`, local ones first in each drop."""
    counts = draw_cluster_counts(scenario, rng, len(ue))
    local = draw_local(scenario, rng, ue)
    drop = np.repeat(np.arange(len(ue)), counts)
    regions = draw_regions(scenario, rng, ue[drop])
    return Clusters.concatenate([*local, draw_far(scenario, rng, drop, *regions)])


def _draw_sizes(
    scenario: Scenario, rng: np.random.Generator, count: int
) -> tuple[np.ndarray, ...]:
    """Shadowing `[C]`, delay radius `[C]` m, half-angle tangents `[C, 4]`.

    The tangents are those of azimuth BS, azimuth UE, elevation BS, elevation UE. The
    delay spread and both azimuth spreads are correlated pairwise.
    """
    shared = np.full((3, 3), scenario.spread_correlation)
    np.fill_diagonal(shared, 1)
    normal = rng.standard_normal((6, count))
    normal[:3] = np.linalg.cholesky(shared) @ normal[:3]
    spreads = (
        scenario.azimuth_spread_bs_deg,
        scenario.azimuth_spread_ue_deg,
        scenario.elevation_spread_bs_deg,
        scenario.elevation_spread_ue_deg,
    )
    angles = np.stack([s.at(z) for s, z in zip(spreads, normal[1:5], strict=True)], 1)
    delay_radius = scenario.delay_spread_s.at(normal[0]) * SPEED_OF_LIGHT / 2
    shadowing = 10 ** (0.1 * scenario.shadowing_std_db * normal[5])
    return shadowing, delay_radius, np.tan(np.radians(angles) / 2)


def draw_local(
    scenario: Scenario, rng: np.random.Generator, ue: np.ndarray
) -> list[Clusters]:
    """One single-bounce cluster around each UE `[drops, 2]`, then around the BS."""
    sites = [(ue, 0.0)]
    if scenario.bs_local_cluster:
        sites.append((np.zeros_like(ue), scenario.bs_height_m))
    return [_draw_around(scenario, rng, *site) for site in sites]


def _draw_around(
    scenario: Scenario, rng: np.random.Generator, terminal: np.ndarray, height: float
) -> Clusters:
    count = len(terminal)
    shadowing, radius, _ = _draw_sizes(scenario, rng, count)
    zeros, radii = np.zeros(count), np.stack([radius, radius, radius / 20], axis=1)
    side = (terminal, zeros, radii, np.full(count, height))
    no_region = np.full(count, -np.inf)
    return Clusters(np.arange(count), *side, *side, zeros, shadowing, zeros, no_region)


def draw_far(
    scenario: Scenario,
    rng: np.random.Generator,
    drop: np.ndarray,
    region: np.ndarray,
    region_distance: np.ndarray,
) -> Clusters:
    """Clusters `[C]` of drops `drop [C]` with reference regions `region [C, 2]`.

    A twin cluster is seen by the UE as an image at the distance that gives both sides
    the same azimuth radius; a single-bounce one is the same on both sides.
    """
    count = len(drop)
    shadowing, delay_radius, tangents = _draw_sizes(scenario, rng, count)
    bs_distance = rng.uniform(
        scenario.cluster_distance_min_m, scenario.cluster_distance_max_m, count
    )
    azimuth_radius = bs_distance * tangents[:, 0]
    ue_distance = azimuth_radius / tangents[:, 1]
    offset = rng.normal(
        scenario.azimuth_offset_mean_deg, scenario.azimuth_offset_std_deg, (2, count)
    )
    facing = np.arctan2(region[:, 1], region[:, 0]) + np.radians(offset)
    bs = [
        polar(bs_distance, facing[0]),
        facing[0],
        np.stack([delay_radius, azimuth_radius, bs_distance * tangents[:, 2]], axis=1),
        np.full(count, scenario.bs_height_m),
    ]
    image = [
        region + polar(ue_distance, facing[1]),
        facing[1],
        np.stack([delay_radius, azimuth_radius, ue_distance * tangents[:, 3]], axis=1),
        np.zeros(count),
    ]
    single = rng.random(count) < scenario.single_bounce_share
    for near, far in zip(bs, image, strict=True):
        far[single] = near[single]
    link_delay = np.where(single, 0.0, _draw_link_delay(scenario, rng, count))
    sizes = (link_delay, shadowing, bs_distance)
    return Clusters(drop, *bs, *image, *sizes, region_distance)


def _draw_link_delay(
    scenario: Scenario, rng: np.random.Generator, count: int
) -> np.ndarray:
    """Exponential, redrawn until above its minimum: memoryless, so just shifted."""
    return scenario.link_delay_min_s + rng.exponential(
        scenario.link_delay_mean_s, count
    )


def _power(scenario: Scenario, clusters: Clusters, ue: np.ndarray) -> np.ndarray:
    """Cluster power `max(exp(-k (tau - tau_0)), exp(-k (tau_b - tau_0)))`, shadowed.

    Local clusters are not attenuated.
    """
    terminal = ue[clusters.drop]
    ground = np.hypot(*(clusters.ue_centre - terminal).T)
    length = clusters.bs_distance + np.hypot(ground, clusters.ue_height)
    delay = length / SPEED_OF_LIGHT + clusters.link_delay
    if scenario.cutoff_delay_us is not None:
        delay = np.minimum(delay, scenario.cutoff_delay_us * 1e-6)
    excess_us = (delay - link_length(scenario, terminal) / SPEED_OF_LIGHT) * 1e6
    attenuation = np.exp(-scenario.attenuation_per_us * excess_us)
    return clusters.shadowing * np.where(clusters.is_local, 1.0, attenuation)


def link_length(scenario: Scenario, ue: np.ndarray) -> np.ndarray:
    """Distance `[...]` m of terminals at `ue [..., 2]` from the BS above them."""
    return np.hypot(np.hypot(ue[..., 0], ue[..., 1]), scenario.bs_height_m)


def draw_scatterers(
    scenario: Scenario, rng: np.random.Generator, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Paths of `count` clusters, in units of their cluster.

    Returns:
      Positions `[3, C, n]` in thirds of the radii, the same on both sides, and complex
      amplitudes `[C, n]`; all are standard normal.
    """
    shape = (count, scenario.paths_per_cluster)
    normal = rng.standard_normal((3, *shape))
    return normal, rng.standard_normal((*shape, 2)).view(np.complex128)[..., 0]


def trace_paths(
    scenario: Scenario,
    clusters: Clusters,
    scatterers: tuple[np.ndarray, np.ndarray],
    ue: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Paths of every cluster to `ue [drops, 2]`: azimuth, elevation, delay, amplitude.

    All `[C, n]`. Amplitudes carry the power of their cluster, without visibility gain
    and path loss. Azimuths are not wrapped.
    """
    normal, amplitude = scatterers
    energy = np.sum(amplitude.real**2 + amplitude.imag**2, axis=1)
    power = _power(scenario, clusters, ue)
    amplitude = amplitude * np.sqrt(power / energy)[:, None]
    above_bs = clusters.bs_height - scenario.bs_height_m
    seen = clusters.bs_centre, above_bs, clusters.bs_facing, clusters.bs_radii
    bs = _spread(normal, *seen)
    to_ue = clusters.ue_centre - ue[clusters.drop]
    seen = to_ue, clusters.ue_height, clusters.ue_facing, clusters.ue_radii
    image = _spread(normal, *seen)
    ground = np.hypot(bs[0], bs[1])
    azimuth = clusters.bs_facing[:, None] + np.arctan2(bs[1], bs[0])
    length = np.hypot(ground, bs[2]) + np.sqrt(np.sum(image**2, axis=0))
    delay = length / SPEED_OF_LIGHT + clusters.link_delay[:, None]
    return azimuth, np.arctan2(bs[2], ground), delay, amplitude


def _spread(
    normal: np.ndarray,
    centre: np.ndarray,
    height: np.ndarray,
    facing: np.ndarray,
    radii: np.ndarray,
) -> np.ndarray:
    """Positions `[3, C, n]` m about the terminal, in axes turned along `facing`."""
    position = normal * (radii.T / 3)[:, :, None]
    cosine, sine = np.cos(facing), np.sin(facing)
    position[0] += (cosine * centre[:, 0] + sine * centre[:, 1])[:, None]
    position[1] += (cosine * centre[:, 1] - sine * centre[:, 0])[:, None]
    position[2] += height[:, None]
    return position
