"""Channel coefficients of rays: TR 38.901 step 11, with plane or spherical waves.

A coefficient is `gain * exp(j 2 pi turns)`. For plane waves the turns come from the
projection of element positions on the ray (eq. 7.5-22). For spherical waves (LORA, eq.
5-15) each ray has a first and a last scatterer, and the turns come from the distances
of every element to them; the excess over the path between the array centres also
delays the element's signal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfds_builders.tr38901.arrays import Array
from tfds_builders.tr38901.large_scale import SPEED_OF_LIGHT, Geometry
from tfds_builders.tr38901.rays import Rays

WAVES = ("plane", "spherical", "spherical_single_bounce")
MIN_SCATTERER_M = 1.0


@dataclass(frozen=True)
class Scatterers:
    """First and last scatterer `[drops, rays, 3]` m, relative to the BS.

    Of the line of sight these are the far ends: the UE and the BS.
    """

    first: np.ndarray
    last: np.ndarray

    def rows(self, rows: slice) -> Scatterers:
        """Those of some drops."""
        return Scatterers(self.first[rows], self.last[rows])


@dataclass(frozen=True)
class Link:
    """Both arrays at one carrier; the UE has moved by `moved [drops, 3]` m."""

    carrier_hz: float
    bs: Array
    ue: Array
    moved: np.ndarray

    @property
    def largest_excess_s(self) -> float:
        """No element's signal is later or earlier than the centres' by more."""
        moved = float(np.linalg.norm(self.moved, axis=1).max())
        return (self.bs.radius + self.ue.radius + moved) / SPEED_OF_LIGHT


def place_scatterers(rays: Rays, geometry: Geometry, waves: str) -> Scatterers:
    """Put scatterers on the rays such that the path lengths are those of the delays.

    Several bounces: the first scatterer lies along the departure, the last against the
    arrival, at equal distances s: of all pairs with `s + |first - last| + s` equal to
    the path length this has a closed form, a quadratic in s. Single bounce (eq. 5-7):
    one scatterer against the arrival; the drawn departure is not used. Scatterers are
    at least `MIN_SCATTERER_M` from their terminal, which a ray without delay needs.
    """
    to_ue = geometry.to_ue[:, None]
    distance = geometry.distance[:, None]
    length = distance + SPEED_OF_LIGHT * rays.delay
    excess = length**2 - distance**2
    arrival = rays.arrival()
    tiny = np.finfo(float).tiny  # 0 / 0 of the line of sight, which is set below
    if waves == "spherical_single_bounce":
        along = np.sum(to_ue * arrival, axis=-1)
        reach = excess / np.maximum(2 * (length + along), tiny)
        reach = np.maximum(reach, MIN_SCATTERER_M)
        last = to_ue + reach[..., None] * arrival
        first = last
    else:
        departure = rays.departure()
        turn = arrival - departure
        a = 4 - np.sum(turn**2, axis=-1)
        b = 4 * length + 2 * np.sum(to_ue * turn, axis=-1)
        root = np.sqrt(np.maximum(b**2 - 4 * a * excess, 0))
        reach = 2 * excess / np.maximum(b + root, tiny)
        reach = np.maximum(reach, MIN_SCATTERER_M)[..., None]
        first, last = reach * departure, to_ue + reach * arrival
    if rays.has_los:
        first, last = first.copy(), last.copy()
        first[:, 0], last[:, 0] = geometry.to_ue, 0
    return Scatterers(first, last)


def polarised_gain(rays: Rays, phases: np.ndarray, link: Link) -> np.ndarray:
    """Square root of power times polarisation, complex128 without element patterns.

    Args:
      rays: of the drops.
      phases: `[drops, rays, 2 at the UE, 2 at the BS]` rad, theta then phi.
      link: slants of the elements.

    Returns:
      `[drops, rays, N_r, N_t]`, or 1 in place of N_r and N_t where all are alike.
    """
    ue, ue_index = _slants(link.ue)
    bs, bs_index = _slants(link.bs)
    gain = np.zeros((*rays.power.shape, len(ue), len(bs)), complex)
    for row, column in np.ndindex(2, 2):
        weight = np.outer(ue[:, row], bs[:, column])
        if weight.any():  # vertical elements see theta alone
            amplitude = np.sqrt(rays.power / (1 if row == column else rays.xpr))
            angle = phases[..., row, column]
            term = amplitude * np.cos(angle) + 1j * (amplitude * np.sin(angle))
            gain += term[..., None, None] * weight
    if gain.shape[2:] == (1, 1):
        return gain
    return gain[:, :, ue_index[:, None], bs_index]


def _slants(array: Array) -> tuple[np.ndarray, np.ndarray]:
    """Field vectors `[slants, 2]` (theta, phi) and each element's slant."""
    slant, index = np.unique(array.slant, return_inverse=True)
    return np.stack([np.cos(slant), np.sin(slant)], axis=1), index


def plane_waves(rays: Rays, link: Link) -> tuple[np.ndarray, np.ndarray]:
    """Turns and element patterns `[drops, rays, N_r, N_t]` (or 1 where all alike)."""
    per_metre = link.carrier_hz / SPEED_OF_LIGHT
    bs = rays.departure() @ (link.bs.position.T * per_metre)
    arrival = rays.arrival() * per_metre
    ue = arrival @ link.ue.position.T
    ue += np.sum(arrival * link.moved[:, None], axis=-1, keepdims=True)
    turns = ue[..., None] + bs[:, :, None]
    pattern = link.bs.amplitude(rays.aod, rays.zod)
    pattern = pattern * link.ue.amplitude(rays.aoa, rays.zoa)
    return turns, np.broadcast_to(pattern, rays.delay.shape)[..., None, None]


def spherical_waves(
    rays: Rays, scatterers: Scatterers, geometry: Geometry, link: Link
) -> tuple[np.ndarray, np.ndarray]:
    """Excess delays `[drops, rays, N_r, N_t]` s and element patterns, of that shape.

    Excess over the path from centre to centre before the UE moved; the turns are minus
    the carrier times it.
    """
    start, end = geometry.to_ue, geometry.to_ue + link.moved
    bs = _distances(scatterers.first, link.bs.position)
    bs -= _distances(scatterers.first, np.zeros((1, 3)))
    from_ue = scatterers.last - end[:, None]
    ue = _distances(from_ue, link.ue.position)
    ue -= _distances(scatterers.last - start[:, None], np.zeros((1, 3)))
    excess = ue[..., None] + bs[:, :, None]
    if rays.has_los:
        ends = end[:, None] + link.ue.position
        direct = _distances(ends, link.bs.position)
        excess[:, 0] = direct - geometry.distance[:, None, None]
    pattern = _pattern(scatterers.first, link.bs)[:, :, None]
    pattern = pattern * _pattern(from_ue, link.ue)[..., None]
    return excess / SPEED_OF_LIGHT, pattern


def _distances(points: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """Distances `[drops, points, elements]` of `points [drops, points, 3]`."""
    square = np.sum(points**2, axis=-1)[..., None] - 2 * points @ elements.T
    return np.sqrt(square + np.sum(elements**2, axis=-1))


def _pattern(points: np.ndarray, array: Array) -> np.ndarray:
    """Amplitude `[drops, points, elements]` of each element towards each point."""
    if array.pattern == "omni":
        return np.ones((1, 1, 1))
    x, y, z = np.moveaxis(points[:, :, None] - array.position, -1, 0)
    return array.amplitude(np.arctan2(y, x), np.arctan2(np.hypot(x, y), z))
