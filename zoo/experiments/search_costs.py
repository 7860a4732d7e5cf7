"""What searches of the pursuit cost: multiplications, CPU time, error at equal bits.

`plain` is `zoo.codecs.search`, `quick` the same without a residual and with few maps
(`zoo.codecs.quick_search`), `proposals` that with a network instead of refinement
(`zoo.codecs.learned_offsets`), of which seeds have other training CSI.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs import quick_search, search
from zoo.codecs.learned_offsets import Offsets
from zoo.codecs.quick_search import CELLS, EVERY
from zoo.codecs.search import Pursuit

NUM_ATOMS = 32  # of the costs: about 768 bits indoors
TIMED = 128  # CSI
REPEATS = 3

Search = Callable[[np.ndarray, int], Pursuit]


def searches(grid: AngleDelayGrid, network: Offsets) -> dict[str, Search]:
    """Functions of CSI and number of atoms."""
    return {
        "plain": lambda h, num: search.search(grid, h, num),
        "quick": lambda h, num: quick_search.search(grid, h, num),
        "proposals": lambda h, num: quick_search.search(grid, h, num, network),
    }


def cpu_ms(kinds: dict[str, Search], h: np.ndarray) -> dict[str, float]:
    """CPU milliseconds per CSI of each search, side by side, the least of a few."""
    h, least = h[:TIMED], dict.fromkeys(kinds, np.inf)
    for _ in range(REPEATS):
        for name, kind in kinds.items():
            began = time.process_time()
            kind(h, NUM_ATOMS)
            spent = time.process_time() - began
            least[name] = min(least[name], 1e3 * spent / len(h))
    return least


def macs(grid: AngleDelayGrid, network: Offsets) -> dict[str, int]:
    """Real multiplications per CSI of each search of a linear array."""
    sizes = grid.num_antennas, grid.num_delay
    stride = grid.oversampling // search.COARSE
    coarse = len(search.coarse_angles(grid)), grid.num_delays // stride
    steps = len(search.neighbours(grid))
    plain = quick = proposals = 0
    for k in range(NUM_ATOMS):
        plain += sum(_plain(k, *sizes, *coarse, steps))
        *both, refined = _quick(k, *sizes, *coarse, steps)
        quick += sum(both) + refined
        proposals += sum(both) + 12 * k + network.macs // 4
    return {"plain": 4 * plain, "quick": 4 * quick, "proposals": 4 * proposals}


def _plain(k, antennas, taps, rows, columns, steps) -> Iterator[int]:
    """Complex multiplications of the k-th atom, from 0 on."""
    yield rows * taps * (antennas + columns)  # map
    yield steps * 3 * taps * (antennas + 3)  # refinement
    yield k * (antennas + taps) + 2 * k * k  # orthogonal basis
    yield (k + 1) * taps * (antennas + 1)  # component
    yield (k + 1) * taps * antennas  # residual


def _quick(k, antennas, taps, rows, columns, steps) -> Iterator[int]:
    if k == 0:
        yield rows * taps * (antennas + columns)
    elif k % EVERY == 0:
        yield rows * columns * k
    if (k + 1) % EVERY:
        yield CELLS * 2 * (k + 1)
    yield k * (antennas + taps) + 2 * k * k
    yield taps * (antennas + 1)  # component
    yield antennas * rows + taps * columns  # the atom on the coarse grid
    yield steps * 3 * (taps * (antennas + 3) + k * (antennas + taps + 3))
