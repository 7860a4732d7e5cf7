"""Visibility regions of the COST 2100 channel model.

A cluster radiates to a terminal that stands in one of its regions. Only those regions
matter, so their number is drawn and their centres lie around the terminal: the same law
as scattering all regions over the cell, without its thousands of unused ones.
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
    inner = scenario.visibility_radius_m - scenario.transition_length_m
    area_ratio = (scenario.cell_radius_m / inner) ** 2
    counts = np.zeros(num_drops, int)
    while (empty := counts == 0).any():
        far = np.full(empty.sum(), scenario.num_far_clusters)
        if scenario.num_far_clusters_is_poisson:
            far = np.maximum(rng.poisson(far), 1)
        regions = np.rint(far * area_ratio)
        groups = np.rint(regions / (1 + scenario.extra_regions_per_cluster))
        counts[empty] = rng.binomial(groups.astype(int), visible)
    return counts


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
