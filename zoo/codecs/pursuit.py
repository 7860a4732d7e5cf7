"""The pursuit codec: CSI as a few atoms of an oversampled angle-delay grid.

Fitted in seconds to a thousand channels, it needs no network. The trade between bits
and error is that of a Lagrangian: an atom is sent where its gain is worth its bits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_decoder import AtomDecoder
from serving.codec.atom_stream import AtomTables
from zoo.codecs import atom_tables, noise_stop, stops
from zoo.codecs.noise_stop import Noise
from zoo.codecs.search import Pursuit, search
from zoo.codecs.step_search import bisect

ROUNDS = 3  # of tables and stops, each fitted to the other
TRIALS = 11  # bisections of the step
STEPS = 8  # tried for a target, each half as much squared error as the one before
MOST = 128  # atoms of a report that has a target
COARSER = 2 ** (np.arange(6) / 4)  # steps for a budget over those for a mean
MARGIN = 1.25  # atoms of any report over those of all training CSI


class PursuitCodec(AtomDecoder):
    """Encoder and decoder at one operating point."""

    def encode(
        self,
        h: np.ndarray,
        budget: int = 0,
        noise: Noise | None = None,
        target_db: float | None = None,
        weight: float = stops.WEIGHT,
    ) -> list[bytes]:
        """Report of each CSI; it ends at what it reaches first.

        Args:
            h: zero-centred CSI, complex `[n, N_t, N_a]`.
            budget: bits that no report exceeds, 8 or more; 0: no limit.
            noise: variance of the noise per complex entry, one or `[n]`, or
                'estimated': atoms that it could have given are not sent.
            target_db: error of each CSI relative to its energy [dB]. Without target and
                budget atoms that are not worth their bits are not sent.
            weight: see `stops.worth`; that of the fit.

        Raises:
            ValueError: CSI of another shape, NaN, infinity, a budget below a byte, or
                no variance.
        """
        if budget and budget < 8:
            raise ValueError(f"budget={budget}: expected 8 bits or more, or 0")
        found = search(self.grid, h, self.most)
        if target_db is not None:
            number, _ = stops.reaching(self.tables, found, norms(h), target_db)
        elif budget:
            number = np.full(len(h), self.most)
        else:
            number, _ = stops.worth(self.tables, found, weight=weight)
        if noise is not None:
            real = noise_stop.number(self.grid, found, norms(h), noise)
            number = np.minimum(number, real)
        return self.reports(found, number, budget)

    def reports(
        self, found: Pursuit, number: np.ndarray, budget: int = 0
    ) -> list[bytes]:
        """Reports of the first `number [n]` atoms found, cut to `budget` (0: not)."""
        atoms = found.angle, found.delay, *self.tables.quantise(found.value)
        return [
            self.tables.encode(*[x[i, :k] for x in atoms], bits=budget)
            for i, k in enumerate(number)
        ]


def norms(h: np.ndarray) -> np.ndarray:
    """Squared norms float64 `[n]` of CSI `[n, N_t, N_a]`."""
    return np.sum(np.abs(h) ** 2, axis=(1, 2), dtype=np.float64)


def fit(
    grid: AngleDelayGrid,
    h: np.ndarray,
    bits: float,
    most: int,
    found: Pursuit | None = None,
    noise: Noise | None = None,
    weight: float = stops.WEIGHT,
) -> PursuitCodec:
    """Codec whose reports of training CSI have so many bits in the mean.

    Channels that a few atoms describe take fewer; so do noisy ones, whose noise is not
    described.

    Args:
        grid: what the atoms are.
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        bits: mean bits of a report.
        most: atoms of a report at most.
        found: what `search` found for these, where it is known.
        noise: of the training CSI, as `PursuitCodec.encode` takes it.
        weight: see `stops.worth`.

    Raises:
        ValueError: bad CSI or noise.
    """
    found = found or search(grid, h, most)
    real, finest = None, 0.0
    if noise is not None:
        about = grid, found, norms(h), noise
        real, finest = noise_stop.number(*about), noise_stop.finest_step(*about)
    stop = functools.partial(stops.worth, found=found, most=real, weight=weight)
    best = bisect(
        lambda step: _fitted(grid, found, max(step, finest), stop),
        _level(found),
        bits,
        TRIALS,
    )
    return PursuitCodec(grid, best.tables, most)


def fit_budget(
    grid: AngleDelayGrid,
    h: np.ndarray,
    budget: float,
    most: int,
    found: Pursuit | None = None,
    noise: Noise | None = None,
) -> PursuitCodec:
    """Codec that leaves the least error where no report exceeds a budget.

    Hard channels run out of bits, so its step is coarser than that of `fit`, and its
    tables are those of the atoms that the budget holds.

    Args:
        grid: what the atoms are.
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        budget: bits of a report at most.
        most: atoms of a report at most.
        found: what `search` found for these, where it is known.
        noise: of the training CSI, as `PursuitCodec.encode` takes it.

    Raises:
        ValueError: bad CSI or noise.
    """
    found = found or search(grid, h, most)
    real = None if noise is None else noise_stop.number(grid, found, norms(h), noise)
    stop = functools.partial(stops.within, found=found, budget=budget, most=real)
    step = float(fit(grid, h, budget, most, found, noise).tables.step)
    tried = [_fitted(grid, found, step * more, stop).tables for more in COARSER]
    best = min(tried, key=lambda one: stops.error(one, found, stop(one)[0]))
    return PursuitCodec(grid, best, most)


def fit_target(
    grid: AngleDelayGrid,
    h: np.ndarray,
    target_db: float,
    found: Pursuit | None = None,
    noise: Noise | None = None,
) -> PursuitCodec:
    """Codec that takes the fewest bits to bring training CSI to an error.

    Args:
        grid: what the atoms are.
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        target_db: error of each CSI relative to its energy [dB], below 0.
        found: what `search` found for these, where it is known.
        noise: of the training CSI, as `PursuitCodec.encode` takes it.

    Raises:
        ValueError: bad CSI or noise, or a target that is none.
    """
    if not target_db < 0:
        raise ValueError(f"target_db={target_db}: expected dB below 0, such as -20")
    found, energy = found or search(grid, h, MOST), norms(h)
    real = None if noise is None else noise_stop.number(grid, found, energy, noise)
    stop = functools.partial(
        stops.reaching, found=found, energy=energy, target_db=target_db, most=real
    )
    coarsest = _level(found) * 10 ** (target_db / 20)
    tried = [_fitted(grid, found, coarsest * 2 ** (-k / 2), stop) for k in range(STEPS)]
    tables = min(tried, key=lambda one: one.mean_bits).tables
    most = int(MARGIN * stop(tables)[0].max()) + 1
    return PursuitCodec(grid, tables, min(most, found.value.shape[1]))


def _level(found: Pursuit) -> float:
    """What steps are measured by."""
    level = float(np.sqrt(np.mean(np.abs(found.value[:, 0]) ** 2)))
    if not level > 0:
        raise ValueError("training CSI are all zero")
    return level


class _Fitted(NamedTuple):
    tables: AtomTables
    mean_bits: float


def _fitted(grid, found: Pursuit, step: float, stop: Callable) -> _Fitted:
    """Tables of one step, and the atoms that `stop` takes with them."""
    kept = np.full(len(found.value), found.value.shape[1])
    for _ in range(ROUNDS):
        tables = atom_tables.fit(grid, found, kept, step)
        kept, bits = stop(tables)
    return _Fitted(tables, float(bits.mean()))
