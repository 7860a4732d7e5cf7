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

    Each side has a centre `[C, 2]` m, the direction `[C]` rad along which the first
    radius points, and radii `[C, 3]` m (delay, azimuth, elevation).
    """

    drop: np.ndarray
    bs_centre: np.ndarray
    bs_facing: np.ndarray
    bs_radii: np.ndarray
    ue_centre: np.ndarray
    ue_facing: np.ndarray
    ue_radii: np.ndarray
    link_delay: np.ndarray
    power: np.ndarray
    region_distance: np.ndarray

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
    sites = [ue, np.zeros_like(ue)] if scenario.bs_local_cluster else [ue]
    parts = [_draw_local(scenario, rng, site) for site in sites]
    drop = np.repeat(np.arange(len(ue)), counts)
    parts.append(_draw_far(scenario, rng, ue, drop))
    return Clusters.concatenate(parts)


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


def _draw_local(
    scenario: Scenario, rng: np.random.Generator, terminal: np.ndarray
) -> Clusters:
    """One single-bounce cluster around each terminal `[drops, 2]` (a BS or a UE).

    It has no visibility region (distance -inf: gain 1) and no attenuation with delay.
    """
    count = len(terminal)
    shadowing, radius, _ = _draw_sizes(scenario, rng, count)
    side = (terminal, np.zeros(count), np.stack([radius, radius, radius / 20], axis=1))
    return Clusters(
        np.arange(count),
        *side,
        *side,
        np.zeros(count),
        shadowing,
        np.full(count, -np.inf),
    )


def _draw_far(
    scenario: Scenario, rng: np.random.Generator, ue: np.ndarray, drop: np.ndarray
) -> Clusters:
    """Clusters `[C]` of the visibility regions around the terminals `ue [drops, 2]`.

    `drop [C]` names the drop of each cluster. A twin cluster is seen by the UE as an
    image at the distance that gives both sides the same azimuth radius; a single-bounce
    one is the same on both sides.
    """
    count, terminal = len(drop), ue[drop]
    region, region_distance = draw_regions(scenario, rng, terminal)
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
    ]
    image = [
        region + polar(ue_distance, facing[1]),
        facing[1],
        np.stack([delay_radius, azimuth_radius, ue_distance * tangents[:, 3]], axis=1),
    ]
    single = rng.random(count) < scenario.single_bounce_share
    for near, far in zip(bs, image, strict=True):
        far[single] = near[single]
    link_delay = np.where(single, 0.0, _draw_link_delay(scenario, rng, count))
    length = bs_distance + np.hypot(*(image[0] - terminal).T)
    power = shadowing * _attenuation(
        scenario, length / SPEED_OF_LIGHT + link_delay, np.hypot(*terminal.T)
    )
    return Clusters(drop, *bs, *image, link_delay, power, region_distance)


def _draw_link_delay(
    scenario: Scenario, rng: np.random.Generator, count: int
) -> np.ndarray:
    """Exponential, redrawn until above its minimum: memoryless, so just shifted."""
    return scenario.link_delay_min_s + rng.exponential(
        scenario.link_delay_mean_s, count
    )


def _attenuation(
    scenario: Scenario, delay: np.ndarray, los_distance: np.ndarray
) -> np.ndarray:
    """Cluster power `max(exp(-k (tau - tau_0)), exp(-k (tau_b - tau_0)))`."""
    if scenario.cutoff_delay_us is not None:
        delay = np.minimum(delay, scenario.cutoff_delay_us * 1e-6)
    excess_us = (delay - los_distance / SPEED_OF_LIGHT) * 1e6
    return np.exp(-scenario.attenuation_per_us * excess_us)


def draw_paths(
    scenario: Scenario, rng: np.random.Generator, clusters: Clusters, ue: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Paths of every cluster: azimuth, elevation, delay, amplitude `[C, n]`.

    Positions are normal with a third of the radii and the same draw on both sides;
    amplitudes carry the power of their cluster, without visibility gain and path loss.
    Azimuths are not wrapped.
    """
    shape = (len(clusters.drop), scenario.paths_per_cluster)
    normal = rng.standard_normal((3, *shape))
    amplitude = rng.standard_normal((*shape, 2)).view(np.complex128)[..., 0]
    energy = np.sum(amplitude.real**2 + amplitude.imag**2, axis=1)
    amplitude *= np.sqrt(clusters.power / energy)[:, None]
    bs = _spread(normal, clusters.bs_centre, clusters.bs_facing, clusters.bs_radii)
    to_ue = clusters.ue_centre - ue[clusters.drop]
    image = _spread(normal, to_ue, clusters.ue_facing, clusters.ue_radii)
    ground = np.hypot(bs[0], bs[1])
    azimuth = clusters.bs_facing[:, None] + np.arctan2(bs[1], bs[0])
    length = np.hypot(ground, bs[2]) + np.sqrt(np.sum(image**2, axis=0))
    delay = length / SPEED_OF_LIGHT + clusters.link_delay[:, None]
    return azimuth, np.arctan2(bs[2], ground), delay, amplitude


def _spread(
    normal: np.ndarray, centre: np.ndarray, facing: np.ndarray, radii: np.ndarray
) -> np.ndarray:
    """Positions `[3, C, n]` m about the terminal, in axes turned along `facing`."""
    position = normal * (radii.T / 3)[:, :, None]
    cosine, sine = np.cos(facing), np.sin(facing)
    position[0] += (cosine * centre[:, 0] + sine * centre[:, 1])[:, None]
    position[1] += (cosine * centre[:, 1] - sine * centre[:, 0])[:, None]
    return position
