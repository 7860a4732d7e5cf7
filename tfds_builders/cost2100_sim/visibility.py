"""Visibility regions of the COST 2100 channel model.

A cluster radiates to a terminal that stands in one of its regions. For a terminal that
rests only those regions matter, so their number is drawn and their centres lie around
the terminal: the same law as scattering all regions over the cell, without its
thousands of unused ones. For terminals on tracks the cell is scattered in full: regions
are then entered and left as often as they should be, whatever the track.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from tfds_builders.cost2100_sim.parameters import Scenario

_MOST_ACTIVE = 4  # regions of one cluster that hold one terminal: P(> 4) < 1e-8


def draw_cluster_counts(
    scenario: Scenario, rng: np.random.Generator, num_drops: int
) -> np.ndarray:
    """Number of clusters visible in each drop, at least one, int `[num_drops]`."""
    visible = sum(weight for _, _, weight in _group_table(scenario))
    counts = np.zeros(num_drops, int)
    while (empty := counts == 0).any():
        groups = _draw_cell_counts(scenario, rng, empty.sum())
        counts[empty] = rng.binomial(groups, visible)
    return counts


def _draw_cell_counts(
    scenario: Scenario, rng: np.random.Generator, num_drops: int
) -> np.ndarray:
    """Number of clusters in the whole cell, int `[num_drops]`."""
    inner = scenario.visibility_radius_m - scenario.transition_length_m
    far = np.full(num_drops, scenario.num_far_clusters)
    if scenario.num_far_clusters_is_poisson:
        far = np.maximum(rng.poisson(far), 1)
    regions = np.rint(far * (scenario.cell_radius_m / inner) ** 2)
    groups = np.rint(regions / (1 + scenario.extra_regions_per_cluster))
    return groups.astype(int)


@functools.cache
def _group_table(scenario: Scenario) -> list[tuple[int, int, float]]:
    """(regions of a cluster, active ones, probability) for at least one active."""
    extra = scenario.extra_regions_per_cluster
    active = (scenario.visibility_radius_m / scenario.cell_radius_m) ** 2
    largest = 1 + math.ceil(extra + 8 * math.sqrt(extra))
    table = []
    for size in range(1, largest + 1):
        others = size - 1
        weight = math.exp(-extra) * extra**others / math.factorial(others)
        for k in range(1, min(size, _MOST_ACTIVE) + 1):
            chance = math.comb(size, k) * active**k * (1 - active) ** (size - k)
            table.append((size, k, weight * chance))
    return table


def polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Cartesian position `[..., 2]`."""
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def draw_regions(
    scenario: Scenario, rng: np.random.Generator, ue: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Reference region centre `[C, 2]` and distance `[C]` to the nearest active one.

    A cluster owns several regions. The reference one, drawn at random among them, fixes
    the geometry even where the terminal stands in another one.
    """
    table = np.array(_group_table(scenario))
    rows = rng.choice(len(table), len(ue), p=table[:, 2] / table[:, 2].sum())
    size, active = table[rows, 0], table[rows, 1].astype(int)
    most = int(table[:, 1].max())
    distance = scenario.visibility_radius_m * np.sqrt(rng.random((len(ue), most)))
    distance[np.arange(most) >= active[:, None]] = np.inf
    chosen = np.floor(size * rng.random(len(ue))).astype(int)
    is_active = chosen < active
    around = distance[np.arange(len(ue)), np.where(is_active, chosen, 0)]
    centre = ue + polar(around, rng.uniform(0, 2 * np.pi, len(ue)))
    outside = ~is_active
    while outside.any():
        count = outside.sum()
        radius = scenario.cell_radius_m * np.sqrt(rng.random(count))
        centre[outside] = polar(radius, rng.uniform(0, 2 * np.pi, count))
        offset = np.hypot(*(centre - ue).T)
        outside &= offset < scenario.visibility_radius_m
    return centre, distance.min(axis=1)


def draw_track_regions(
    scenario: Scenario, rng: np.random.Generator, ue: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters that terminals on tracks `ue [drops, times, 2]` m see at some time.

    Every drop has a cell of its own, drawn again where no cluster is visible at first.
    At every time the clusters then follow the law of `draw_cluster_counts` and
    `draw_regions`, but that one in a hundred terminals indoors later sees none.

    Returns:
      Drop `[C]`, ascending; centre `[C, 2]` of the reference region; distance
      `[C, times]` to the nearest active region, inf where none is active.
    """
    parts, pending = [], np.arange(len(ue))
    while len(pending):
        drop, centre, distance = _scatter_cells(scenario, rng, ue[pending])
        kept = np.isin(np.arange(len(pending)), drop[np.isfinite(distance[:, 0])])
        rows = kept[drop]
        parts.append((pending[drop[rows]], centre[rows], distance[rows]))
        pending = pending[~kept]
    drop, centre, distance = map(np.concatenate, zip(*parts, strict=True))
    order = np.argsort(drop, kind="stable")
    return drop[order], centre[order], distance[order]


def _scatter_cells(
    scenario: Scenario, rng: np.random.Generator, ue: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One cell for each track: see `draw_track_regions`, without its condition."""
    groups = _draw_cell_counts(scenario, rng, len(ue))
    drop = np.repeat(np.arange(len(ue)), groups)
    sizes = 1 + rng.poisson(scenario.extra_regions_per_cluster, len(drop))
    owner = np.repeat(np.arange(len(drop)), sizes)
    radius = scenario.cell_radius_m * np.sqrt(rng.random(len(owner)))
    centre = polar(radius, rng.uniform(0, 2 * np.pi, len(owner)))
    chosen = np.floor(sizes * rng.random(len(sizes))).astype(int)
    reference = centre[np.cumsum(sizes) - sizes + chosen]
    middle = ue.mean(axis=1)
    reach = np.hypot(*(ue - middle[:, None]).T).max(axis=0)
    offset = np.hypot(*(centre - middle[drop[owner]]).T) - reach[drop[owner]]
    near = np.flatnonzero(offset < scenario.visibility_radius_m)
    distance = np.hypot(*(centre[near, None] - ue[drop[owner[near]]]).T).T
    distance[distance >= scenario.visibility_radius_m] = np.inf
    near = near[seen := np.isfinite(distance).any(axis=1)]
    cluster, row = np.unique(owner[near], return_inverse=True)
    nearest = np.full((len(cluster), ue.shape[1]), np.inf)
    np.minimum.at(nearest, row, distance[seen])
    return drop[cluster], reference[cluster], nearest


def draw_line_of_sight(
    scenario: Scenario, rng: np.random.Generator, num_drops: int
) -> tuple[np.ndarray, np.ndarray]:
    """Centre `[num_drops, 2]` m of the line of sight's region, K factor `[num_drops]`.

    The K factor is the one where the line of sight is visible.
    """
    reach = scenario.los_cutoff_m - scenario.los_visibility_radius_m
    radius = reach * np.sqrt(rng.random(num_drops))
    centre = polar(radius, rng.uniform(0, np.pi / 2, num_drops))
    factor_db = scenario.los_factor_std_db * rng.standard_normal(num_drops)
    return centre, scenario.los_factor_mean * 10 ** (0.1 * factor_db)


def los_factor_at(
    scenario: Scenario, centre: np.ndarray, factor: np.ndarray, ue: np.ndarray
) -> np.ndarray:
    """`factor [drops]` where `ue [drops, 2]` sees the BS, elsewhere zero."""
    visible = np.hypot(*ue.T) < scenario.los_cutoff_m
    visible &= np.hypot(*(ue - centre).T) < scenario.los_visibility_radius_m
    return np.where(visible, factor, 0.0)
