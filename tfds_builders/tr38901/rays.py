"""Clusters and rays of TR 38.901, clause 7.5, steps 5 to 9, over all drops at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tfds_builders.tr38901.large_scale import (
    Geometry,
    LargeScale,
    zenith_spread_mean,
    zod_offset_deg,
)
from tfds_builders.tr38901.parameters import Scenario

RAYS = 20
_OFFSETS = (
    0.0447, 0.1413, 0.2492, 0.3715, 0.5129, 0.6797, 0.8844, 1.1481, 1.5195, 2.1551,
)  # fmt: skip
RAY_OFFSETS = np.ravel([(a, -a) for a in _OFFSETS])  # table 7.5-3
SUB_CLUSTER = np.repeat([0, 1, 2, 1, 0], [8, 4, 4, 2, 2])  # table 7.5-5, by ray
SUB_DELAY = np.array([0, 1.28, 2.56])[SUB_CLUSTER]  # in c_DS
NUM_SUB_CLUSTERED = 2
WEAKEST = 10**-2.5  # clusters below are removed


@dataclass(frozen=True)
class Rays:
    """Rays `[drops, rays]`; with line of sight, that is ray 0.

    Attributes:
      delay: s after the first.
      power: sums to about one in each drop; 0 where a weak cluster was removed.
      aod, zod: azimuth and zenith in rad at the BS.
      aoa, zoa: the same at the UE, towards where the ray comes from.
      xpr: cross-polarisation power ratio; infinite for the line of sight.
      has_los: is ray 0 the line of sight?
    """

    delay: np.ndarray
    power: np.ndarray
    aod: np.ndarray
    zod: np.ndarray
    aoa: np.ndarray
    zoa: np.ndarray
    xpr: np.ndarray
    has_los: bool

    def departure(self) -> np.ndarray:
        """Unit vectors from the BS along the rays, `[drops, rays, 3]`."""
        return _unit(self.aod, self.zod)

    def arrival(self) -> np.ndarray:
        """Unit vectors from the UE against the rays, `[drops, rays, 3]`."""
        return _unit(self.aoa, self.zoa)

    def rows(self, rows: slice) -> Rays:
        """The rays of some drops."""
        arrays = {k: v[rows] for k, v in vars(self).items() if k != "has_los"}
        return dataclasses.replace(self, **arrays)


def _unit(azimuth: np.ndarray, zenith: np.ndarray) -> np.ndarray:
    sine = np.sin(zenith)
    parts = sine * np.cos(azimuth), sine * np.sin(azimuth), np.cos(zenith)
    return np.stack(parts, axis=-1)


def draw_rays(
    scenario: Scenario,
    carrier_hz: float,
    rng: np.random.Generator,
    geometry: Geometry,
    lsp: LargeScale,
) -> Rays:
    """Draw the rays of every drop; the carrier enters through the tables only."""
    delay, power = _draw_delays_and_powers(scenario, rng, lsp)
    angle_power, k = power, None
    if lsp.k_db is not None:
        k = 10 ** (lsp.k_db / 10)
        angle_power = power / (k + 1)[:, None]
        angle_power[:, 0] += k / (k + 1)
        delay = delay / _delay_scaling(lsp.k_db)[:, None]
    log_power = -np.log(angle_power / angle_power.max(axis=1, keepdims=True))
    is_split = _strongest(power, NUM_SUB_CLUSTERED)
    angles = _cluster_angles(scenario, carrier_hz, rng, geometry, lsp, log_power)
    angles = _ray_angles(scenario, rng, geometry, angles, is_split)
    sub_delay = is_split[..., None] * SUB_DELAY * scenario.cluster_ds_s(carrier_hz)
    power = np.where(power < WEAKEST * power.max(axis=1, keepdims=True), 0, power)
    xpr_db = rng.normal(*scenario.xpr_db, (*power.shape, RAYS))
    rays = {
        "delay": delay[..., None] + sub_delay,
        "power": np.repeat(power[..., None] / RAYS, RAYS, axis=-1),
        **angles,
        "xpr": 10 ** (xpr_db / 10),
    }
    flat = {name: value.reshape(len(power), -1) for name, value in rays.items()}
    if k is not None:
        flat = _add_line_of_sight(flat, geometry, k)
    return Rays(**flat, has_los=k is not None)


def _strongest(power: np.ndarray, count: int) -> np.ndarray:
    """Mask `[drops, clusters]` of the strongest clusters."""
    mask = np.zeros(power.shape, bool)
    index = np.argsort(-power, axis=1)[:, :count]
    np.put_along_axis(mask, index, True, axis=1)
    return mask


def _draw_delays_and_powers(
    scenario: Scenario, rng: np.random.Generator, lsp: LargeScale
) -> tuple[np.ndarray, np.ndarray]:
    """Steps 5 and 6: sorted delays `[drops, clusters]` s, powers that sum to one."""
    shape = (len(lsp.delay_spread_s), scenario.num_clusters)
    spread, r_tau = lsp.delay_spread_s[:, None], scenario.delay_scaling
    delay = np.sort(r_tau * spread * rng.standard_exponential(shape), axis=1)
    delay -= delay[:, :1]
    shadow_db = rng.normal(0, scenario.cluster_shadow_std_db, shape)
    power = np.exp(-delay * (r_tau - 1) / (r_tau * spread)) * 10 ** (-shadow_db / 10)
    return delay, power / power.sum(axis=1, keepdims=True)


def _delay_scaling(k_db: np.ndarray) -> np.ndarray:
    """C_tau, eq. 7.5-3."""
    return np.polyval([0.000017, 0.0002, -0.0433, 0.7705], k_db)


def _cluster_angles(
    scenario: Scenario,
    carrier_hz: float,
    rng: np.random.Generator,
    geometry: Geometry,
    lsp: LargeScale,
    log_power: np.ndarray,
) -> list[np.ndarray]:
    """Step 7 for clusters: AOD, ZOD, AOA, ZOA `[drops, clusters]` in degrees."""
    c_phi, c_theta = scenario.azimuth_scaling(), scenario.zenith_scaling()
    if lsp.k_db is not None:
        c_phi = c_phi * np.polyval([0.0001, -0.002, -0.028, 1.1035], lsp.k_db)
        c_theta = c_theta * np.polyval([0.0002, -0.0077, 0.0339, 1.3086], lsp.k_db)
    centres = [*geometry.departure(), *geometry.arrival()]
    centres = [np.degrees(centre) for centre in centres]
    if lsp.k_db is None:
        centres[1] = centres[1] + zod_offset_deg(scenario, carrier_hz, geometry)
    spreads = (lsp.asd_deg, lsp.zsd_deg, lsp.asa_deg, lsp.zsa_deg)
    result = []
    for index, (spread, centre) in enumerate(zip(spreads, centres, strict=True)):
        if index % 2:
            magnitude = (spread / c_theta)[:, None] * log_power
        else:
            magnitude = (2 / 1.4 * spread / c_phi)[:, None] * np.sqrt(log_power)
        sign = rng.choice([-1.0, 1.0], log_power.shape)
        jitter = rng.standard_normal(log_power.shape) * (spread / 7)[:, None]
        offset = sign * magnitude + jitter
        if lsp.k_db is not None:
            offset -= offset[:, :1]
        result.append(centre[:, None] + offset)
    return result


def _ray_angles(
    scenario: Scenario,
    rng: np.random.Generator,
    geometry: Geometry,
    angles: list[np.ndarray],
    is_split: np.ndarray,
) -> dict[str, np.ndarray]:
    """Steps 7 and 8 for rays: angles `[drops, clusters, 20]` rad, randomly coupled."""
    zod_width = 0.375 * 10 ** zenith_spread_mean(scenario, geometry)[:, None, None]
    widths = {
        "aod": scenario.cluster_asd_deg,
        "zod": zod_width,
        "aoa": scenario.cluster_asa_deg,
        "zoa": scenario.cluster_zsa_deg,
    }
    rays, order = {}, np.arange(RAYS)
    for (name, width), angle in zip(widths.items(), angles, strict=True):
        rays[name] = np.radians(angle[..., None] + width * RAY_OFFSETS[order])
        order = _couple(rng, is_split)
    return rays | {name: _fold(rays[name]) for name in ("zod", "zoa")}


def _couple(rng: np.random.Generator, is_split: np.ndarray) -> np.ndarray:
    """Step 8: a random order of the rays of each cluster, `[drops, clusters, 20]`.

    Rays of a split cluster stay within their sub-cluster.
    """
    key = rng.random((*is_split.shape, RAYS))
    key[is_split] += SUB_CLUSTER
    order = np.argsort(key, axis=-1)
    split = np.empty_like(order[is_split])
    split[:, np.argsort(SUB_CLUSTER, kind="stable")] = order[is_split]
    order[is_split] = split
    return order


def _fold(zenith: np.ndarray) -> np.ndarray:
    """Zenith angles in [0, pi]: what lies beyond a pole comes back."""
    zenith = zenith % (2 * np.pi)
    return np.where(zenith > np.pi, 2 * np.pi - zenith, zenith)


def _add_line_of_sight(flat: dict, geometry: Geometry, k: np.ndarray) -> dict:
    """Put the specular ray in front and share the power, eq. 7.5-30."""
    names = ("aod", "zod", "aoa", "zoa")
    los = dict(zip(names, (*geometry.departure(), *geometry.arrival()), strict=True))
    flat = flat | {"power": flat["power"] / (k + 1)[:, None]}
    los |= {"delay": np.zeros_like(k), "power": k / (k + 1)}
    los |= {"xpr": np.full_like(k, np.inf)}
    return {name: np.column_stack([los[name], flat[name]]) for name in flat}
