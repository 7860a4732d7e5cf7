"""What the places of atoms tell about those that follow: learned from training CSI.

The mixture of `serving.codec.atom_context` is fitted by expectation and maximisation
(A. P. Dempster, N. M. Laird and D. B. Rubin, J. Royal Statistical Society B 39, 1977):
kernels are histograms of the atoms they are responsible for, weights take the step of
D. R. Hunter, Annals of Statistics 32, 2004, for choices among several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from serving.codec import atom_context, atom_stream, prefix_coder
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_context import NEAR, RANKS, RATIOS, AtomContext, Past
from serving.codec.atom_stream import AtomTables
from zoo.codecs import atom_tables, stops
from zoo.codecs.pursuit import PursuitCodec
from zoo.codecs.search import Pursuit, search
from zoo.codecs.step_search import bisect

KERNELS = 24
ROUNDS = 25  # of expectation and maximisation
EXAMPLES = 2_000  # CSI that the kernels are fitted to
OF_STEP = 1_000  # CSI that the step is chosen on
TRIALS = 11  # bisections of the step
SMOOTH = 0.4  # grid points: width of what one atom adds to a kernel
FLOOR = 1e-3  # of the mean of a kernel, everywhere


def learned(
    codec: PursuitCodec,
    h: np.ndarray,
    bits: float,
    seed: int,
    found: Pursuit | None = None,
    context: AtomContext | None = None,
) -> PursuitCodec:
    """The codec with a context of positions, again at so many bits in the mean.

    Args:
        codec: plain.
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        bits: mean bits of a report.
        seed: of the first kernels.
        found: what `search` found for these, where it is known.
        context: where it is fitted already.

    Raises:
        ValueError: the array is not linear.
    """
    found = found or search(codec.grid, h[:EXAMPLES], codec.most)
    context = context or fit(codec.grid, codec.tables, found, seed)
    some = found[:OF_STEP]

    def at(step: float) -> _AtStep:
        kept = np.full(len(found.value), codec.most)
        for _ in range(2):  # tables and stops, each fitted to the other
            tables = atom_tables.fit(codec.grid, found, kept, step)
            kept, _ = stops.worth(tables, found)
        tables = replace(tables, context=context)
        return _AtStep(tables, float(stops.worth(tables, some)[1].mean()))

    best = bisect(at, 2 * float(codec.tables.step), bits, TRIALS, levels=8)
    return PursuitCodec(codec.grid, best.tables, codec.most)


class _AtStep(NamedTuple):
    tables: AtomTables
    mean_bits: float


def fit(
    grid: AngleDelayGrid, tables: AtomTables, found: Pursuit, seed: int
) -> AtomContext:
    """Context of the atoms that are worth their bits.

    Args:
        grid: what the atoms are, of a linear array.
        tables: of the plain stream.
        found: atoms of training CSI.
        seed: of the first kernels.

    Raises:
        ValueError: the array is not linear.
    """
    if grid.index_shape[0] > 1 or grid.index_shape[2] > 1:
        raise ValueError(
            f"array={grid.array}: the learned context takes linear arrays, such as "
            "ula:32; use --method=pursuit"
        )
    ranks = _ranks(grid, tables, found)
    mixture = _first(grid, seed)
    for _ in range(ROUNDS):
        mixture = _better(mixture, ranks)
    scale = np.maximum(mixture.weight.max(axis=(1, 2)), mixture.own)
    scale = atom_context.LARGEST / scale
    return AtomContext(
        angle=prefix_coder.tables_of(mixture.angle),
        delay=prefix_coder.tables_of(mixture.delay),
        weight=np.rint(mixture.weight * scale[:, None, None]).astype(np.int16),
        own=np.rint(mixture.own * scale).clip(1).astype(np.int16),
        reach=np.int64(grid.oversampling),
    )


class _Rank(NamedTuple):
    """Training atoms of one rank, int `[n, k]` for the k before each of them."""

    group: int
    across: np.ndarray
    along: np.ndarray
    classes: np.ndarray
    own: np.ndarray  # probability `[n]` by the tables of the rank


@dataclass
class _Mixture:
    """A context in the making, float64; fields as of `AtomContext`."""

    angle: np.ndarray
    delay: np.ndarray
    weight: np.ndarray
    own: np.ndarray


def _ranks(grid: AngleDelayGrid, tables: AtomTables, found: Pursuit) -> list[_Rank]:
    """What each atom that is sent has before it."""
    kept, _ = stops.worth(tables, found)
    order = np.argsort(-kept, kind="stable")  # those with a k-th atom come first
    found, kept = found[order], kept[order]
    level = tables.row(*tables.quantise(found.value))
    angle, delay = found.angle.astype(np.int64), found.delay.astype(np.int64)
    shape = KERNELS, RATIOS * NEAR
    empty = AtomContext(  # only says what is near
        angle=prefix_coder.tables_of(np.ones((KERNELS, grid.num_angles))),
        delay=prefix_coder.tables_of(np.ones((KERNELS, 2 * grid.num_delays - 1))),
        weight=np.ones((len(RANKS) + 1, *shape), int),
        own=np.ones(len(RANKS) + 1, int),
        reach=np.int64(grid.oversampling),
    )
    past, ranks = Past(empty, *angle.shape), []
    for k in range(1, int(kept[0])):
        past.append(angle[:, k - 1], delay[:, k - 1], level[:, k - 1])
        n, row = int((kept > k).sum()), atom_stream.group(k)
        shares = tables.angle[row, angle[:n, k]], tables.delay[row, delay[:n, k]]
        ranks.append(
            _Rank(
                atom_context.group(k),
                (angle[:n, k, None] - angle[:n, :k]) % grid.num_angles,
                delay[:n, k, None] - delay[:n, :k] + grid.num_delays - 1,
                past.classes()[:n],
                np.prod(np.array(shares) / prefix_coder.TOTAL, axis=0),
            )
        )
    return ranks


def _first(grid: AngleDelayGrid, seed: int) -> _Mixture:
    """Kernels of random widths, from an eighth of a bin to eight."""
    rng = np.random.default_rng(seed)
    turn, over = grid.num_angles, grid.oversampling
    across = np.minimum(np.arange(turn), turn - np.arange(turn))
    along = np.abs(np.arange(1 - grid.num_delays, grid.num_delays))
    angle, delay = (
        np.exp(-x / (over * 2.0 ** rng.uniform(-3, 3, (KERNELS, 1))))
        for x in (across, along)
    )
    groups = len(RANKS) + 1
    return _Mixture(
        angle / angle.sum(axis=1, keepdims=True),
        delay / delay.sum(axis=1, keepdims=True),
        np.full((groups, KERNELS, RATIOS * NEAR), 1 / KERNELS),
        np.ones(groups),
    )


def _better(mixture: _Mixture, ranks: list[_Rank]) -> _Mixture:
    """One round of expectation and maximisation."""
    angle, delay, weight = (
        np.zeros(x.shape) for x in (mixture.angle, mixture.delay, mixture.weight)
    )
    offered, own, own_offered = np.zeros(weight.shape), *np.zeros((2, len(mixture.own)))
    columns = [np.ascontiguousarray(x.T) for x in (mixture.angle, mixture.delay)]
    for rank in ranks:
        g = rank.group
        weights = mixture.weight[g].T[rank.classes]
        share = weights * columns[0][rank.across] * columns[1][rank.along]
        of_own = mixture.own[g] * rank.own
        total = share.sum(axis=(1, 2)) + of_own
        share /= total[:, None, None]
        for sums, index in (
            (angle, rank.across),
            (delay, rank.along),
            (weight[g], rank.classes),
        ):
            sums += _histograms(index, share, sums.shape[1])
        choices = 1 / (weights.sum(axis=(1, 2)) + mixture.own[g])
        each = np.repeat(choices, rank.classes.shape[1])
        offered[g] += np.bincount(rank.classes.ravel(), each, weight.shape[2])
        own[g] += (of_own / total).sum()
        own_offered[g] += choices.sum()
    weight, own = (
        (weight + 1e-3) / (offered + 1e-2),
        (own + 1e-3) / (own_offered + 1e-2),
    )
    scale = weight.mean(axis=(1, 2))
    return _Mixture(
        _smooth(0.5 * (angle + np.roll(angle[:, ::-1], 1, axis=1)), "wrap"),
        _smooth(delay, "constant"),
        weight / scale[:, None, None],
        own / scale,
    )


def _histograms(index: np.ndarray, share: np.ndarray, size: int) -> np.ndarray:
    """Sums `[kernels, size]` of shares `[n, k, kernels]` at indices `[n, k]`."""
    index = index.ravel()
    rows = share.reshape(len(index), -1).T
    return np.stack([np.bincount(index, row, size) for row in rows])


def _smooth(counts: np.ndarray, mode: str) -> np.ndarray:
    """Kernels of histograms `[kernels, size]`, symmetric or not as they are."""
    counts = ndimage.gaussian_filter1d(counts, SMOOTH, axis=1, mode=mode)
    counts += FLOOR * counts.mean(axis=1, keepdims=True) + 0.01
    return counts / counts.sum(axis=1, keepdims=True)
