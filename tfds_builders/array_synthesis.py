"""Rays straight to delay taps of any array, one delay per ray or one per element.

The excess delay of an element over its ray is a small part of a tap. Over the band it
turns the phase by at most x = pi B excess at the edges, so that a polynomial through a
few Chebyshev nodes gives every element's tap kernel from those of the nodes, with an
error below x^J / (2^(J-1) J!) for J nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tfds_builders import dft_kernel as dft
from tfds_builders.synthesis import Band

LARGEST_ERROR = 3e-5
MOST_NODES = 16


def array_taps(
    delay: np.ndarray,
    response: np.ndarray,
    band: Band,
    taps: tuple[int, ...],
    excess: np.ndarray | None = None,
    largest_excess: float = 0.0,
) -> np.ndarray:
    """Unitary inverse DFT over the band of every element's frequency response.

    Args:
      delay: `[drops, rays]` s.
      response: complex64 `[drops, rays, elements]` at frequency 0, zero for no ray.
      band: subcarriers, counted from the frequency of `response`.
      taps: which delay bins, `0 <= tap < num_subcarriers`.
      excess: `[drops, rays, elements]` s on top of the delay; None: none.
      largest_excess: bound of |excess| in s.

    Returns:
      complex64 `[drops, elements, taps]`.

    Raises:
      ValueError: an excess of many taps, see `chebyshev_nodes`.
    """
    used = (response != 0).any(axis=-1)
    counts = used.sum(axis=1)
    delay, response = delay[used], response[used]
    tables = dft.tables(band.num_subcarriers, taps)
    parts = _nodes(band, None if excess is None else excess[used], largest_excess)
    total = np.zeros((len(used), len(taps), 2 * response.shape[-1]), np.float32)
    for node, weight in parts:
        late = delay + node
        gain, turns, kernel = dft.kernel(late * band.bandwidth_hz, tables)
        phase = gain * dft.phasor(turns - band.first_hz * late)
        left = response * (phase[:, None] * weight)
        total += dft.sum_paths(kernel, left.view(np.float32), counts)
    product = np.swapaxes(total.view(np.complex64), 1, 2)
    return product * dft.bin_phase(band.num_subcarriers, np.array(taps))


def array_frequency(
    delay: np.ndarray,
    response: np.ndarray,
    band: Band,
    keep: int,
    excess: np.ndarray | None = None,
    largest_excess: float = 0.0,
) -> np.ndarray:
    """Frequency response of every element, complex64 `[drops, elements, keep]`.

    Args and errors as `array_taps`; `keep` subcarriers from the first one on.
    """
    total = np.zeros((len(delay), response.shape[-1], keep), np.complex64)
    for node, weight in _nodes(band, excess, largest_excess):
        left = np.swapaxes(response * weight, 1, 2)
        for drop, late in enumerate(delay + node):
            turn = dft.phasor(-band.first_hz * late)[:, None]
            total[drop] += left[drop] @ (
                turn * dft.powers(-band.spacing_hz * late, keep)
            )
    return total


def _nodes(
    band: Band, excess: np.ndarray | None, largest: float
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield delays of nodes and their float32 weights `[rays, elements]`."""
    if excess is None:
        yield 0.0, np.ones((1, 1), np.float32)
        return
    nodes = chebyshev_nodes(np.pi * band.bandwidth_hz * largest)
    place = (excess / largest).astype(np.float32)
    for index, node in enumerate(nodes):
        others = np.delete(nodes, index)
        factors = [
            (place - np.float32(other)) / np.float32(node - other) for other in others
        ]
        yield node * largest, np.prod(factors, axis=0)


def chebyshev_nodes(edge: float) -> np.ndarray:
    """As few Chebyshev nodes in (-1, 1) as reach `LARGEST_ERROR`.

    Args:
      edge: phase in rad of the largest excess delay at the edge of the band.

    Raises:
      ValueError: more than `MOST_NODES`: the excess is no small part of a tap.
    """
    for count in range(2, MOST_NODES + 1):
        if edge**count / (2 ** (count - 1) * math.factorial(count)) < LARGEST_ERROR:
            return np.cos(np.pi * (2 * np.arange(count) + 1) / (2 * count))
    raise ValueError(
        f"an excess delay of up to {edge / np.pi:.1f} taps over the array: use a"
        " smaller array, band or movement"
    )
