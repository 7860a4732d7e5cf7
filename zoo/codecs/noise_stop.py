"""Where a pursuit stops because what is left could be noise alone.

White noise of variance sigma^2 per complex entry gives every atom a component c with
|c|^2 / sigma^2 exponential of mean 1. Over a grid finer than the resolution of array
and band these components are a smooth field, and the expected number of its peaks above
x sigma^2 is close to

    N(x) exp(-x),
    N(x) = N_a prod_d sqrt(N_d^2 - 1) (pi x / 3)^(D/2) (1 - D (D - 1) / (4 x)),

N_d the antennas of dimension d of the array, counted once per polarisation, and D one
more than the number of dimensions above 1 (K. J. Worsley, "Local maxima and the
expected Euler characteristic of excursion sets of chi^2, F and t fields", Advances in
Applied Probability 26, 1994: chi^2 of two degrees of freedom; the second moment of N
equally spaced antennas is (N^2 - 1) / 12). N(x) is the number of effectively
independent atoms. High peaks are rare and independent, so none is above x with
probability exp(-N(x) exp(-x)): the threshold is the x where this is one half.
"""

from __future__ import annotations

import math

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs.search import Pursuit

ESTIMATED = "estimated"
FINEST = 1.0  # standard deviations of the noise: this step adds a sixth to its error

Noise = float | np.ndarray | str


def threshold(grid: AngleDelayGrid) -> float:
    """Median of the largest |c|^2 / sigma^2 that noise alone has over a grid."""
    *sizes, polarisations = grid.dimensions
    large = [size for size in sizes if size > 1]
    places = grid.num_delay * polarisations
    places *= math.prod(math.sqrt(size**2 - 1) for size in large)
    dimensions = len(large) + 1
    x = 10.0
    for _ in range(20):  # a contraction: logarithms of x change little
        field = (math.pi * x / 3) ** (dimensions / 2)
        field *= max(1 - dimensions * (dimensions - 1) / (4 * x), 0.5)
        x = max(math.log(places * field / math.log(2)), 1.0)
    return x


def variance(
    grid: AngleDelayGrid, found: Pursuit, energy: np.ndarray, noise: Noise
) -> np.ndarray:
    """Variance of the noise per complex entry, as it is taken for each atom.

    Args:
        grid: what the atoms are.
        found: of the search.
        energy: squared norms of the CSI, `[n]`.
        noise: the variance, one or `[n]`, or `ESTIMATED`: as if all that an atom and
            those behind it leave were noise. That is close where it matters, at the
            first atom that is none.

    Returns:
        float64, for `[n, atoms]`.

    Raises:
        ValueError: no variance.
    """
    if isinstance(noise, str):
        if noise != ESTIMATED:
            raise ValueError(f"noise={noise!r}: expected a variance or {ESTIMATED!r}")
        gain = np.abs(found.value) ** 2
        left = energy[:, None] - np.cumsum(gain, axis=1) + gain
        return np.maximum(left, 0) / (grid.num_antennas * grid.num_delay)
    noise = np.asarray(noise, np.float64).reshape(-1, 1)
    if len(noise) not in (1, len(energy)) or not (noise >= 0).all():
        raise ValueError(
            f"noise is {noise.ravel()[:3]} of length {len(noise)}, expected variances "
            f">= 0, one or {len(energy)}"
        )
    return noise


def number(
    grid: AngleDelayGrid, found: Pursuit, energy: np.ndarray, noise: Noise
) -> np.ndarray:
    """Atoms `[n]` before the first that noise alone could have given, at least 1.

    Args and errors as `variance`.
    """
    least = threshold(grid) * variance(grid, found, energy, noise)
    below = np.abs(found.value) ** 2 < least
    first = np.where(below.any(axis=1), below.argmax(axis=1), below.shape[1])
    return np.maximum(first, 1)


def finest_step(
    grid: AngleDelayGrid, found: Pursuit, energy: np.ndarray, noise: Noise
) -> float:
    """Step below which further bits would describe noise.

    Args and errors as `variance`.
    """
    each = np.broadcast_to(variance(grid, found, energy, noise), found.value.shape)
    last = np.minimum(number(grid, found, energy, noise), each.shape[1] - 1)
    typical = np.take_along_axis(each, last[:, None], axis=1).mean()
    return FINEST * float(np.sqrt(typical))
