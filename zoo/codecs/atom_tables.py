"""Tables of an atom stream, fitted to the atoms of training CSI."""

from __future__ import annotations

import numpy as np

from serving.codec import prefix_coder
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_stream import LEAST_BITS, RANKS, AtomTables, group, size_class
from zoo.codecs.search import Pursuit

SPREAD = 4.0  # grid points: width of the kernel of positions
WIDTH = 0.06  # share of a size: width of the kernel of sizes
MARGIN = 1.5  # largest size of a table over the largest of the training CSI


def fit(grid: AngleDelayGrid, found: Pursuit, kept: np.ndarray, step: float):
    """Tables of the first `kept [n]` atoms of each training CSI at one step.

    Returns:
        AtomTables.
    """
    scaled = found.value / step
    real, imag = (np.rint(x).astype(np.int64) for x in (scaled.real, scaled.imag))
    sent = np.arange(real.shape[1]) < kept[:, None]
    size, other = np.abs(real), np.abs(imag)
    largest = int(MARGIN * max(size[:, 0].max(), other[:, 0].max())) + 2
    classes = int(size_class(largest, largest)) + 1
    before = np.full(real.shape, classes)
    before[:, 1:] = size_class(real, imag)[:, :-1]
    counts_real = np.zeros((classes + 1, largest + 1))
    counts_imag = np.zeros((classes + 1, classes, largest + 1))
    np.add.at(counts_real, (before[sent], size[sent]), 1)
    within = size_class(size)[sent]
    np.add.at(counts_imag, (before[sent], within, other[sent]), 1)
    return AtomTables(
        angle=_positions(found.angle, sent, len(grid.angles)),
        delay=_positions(found.delay, sent, len(grid.delays)),
        real=prefix_coder.tables_of(_smooth_sizes(counts_real)),
        imag=prefix_coder.tables_of(_smooth_sizes(counts_imag)),
        step=np.float64(step),
        centroids=_centroids(scaled, real, imag, sent, largest),
    )


def _positions(index: np.ndarray, sent: np.ndarray, size: int) -> np.ndarray:
    """Tables `[groups, size]` of grid indices, smoothed along the grid."""
    counts = np.zeros((len(RANKS) + 1, size))
    for rank in range(index.shape[1]):
        np.add.at(counts[group(rank)], index[sent[:, rank], rank], 1)
    reach = np.arange(-4 * SPREAD, 4 * SPREAD + 1)
    kernel = np.exp(-0.5 * (reach / SPREAD) ** 2)
    start = len(kernel) // 2
    smooth = np.stack([np.convolve(row, kernel) for row in counts])[:, start:][:, :size]
    smooth += 0.03 * smooth.mean(axis=1, keepdims=True) + 0.01
    return prefix_coder.tables_of(_capped(smooth, 2.0 ** (-LEAST_BITS / 2)))


def _capped(counts: np.ndarray, most: float) -> np.ndarray:
    """Shares of counts `[rows, size]`, none above `most` where that can be."""
    share = counts / counts.sum(axis=1, keepdims=True)
    most = max(most, 1 / share.shape[1])
    for _ in range(20):  # what is cut off goes to the others
        share = np.minimum(share, most)
        rest = 1 - share.sum(axis=1, keepdims=True)
        free = np.where(share < most, share, 0)
        share += free * rest / np.maximum(free.sum(axis=1, keepdims=True), 1e-12)
    return np.minimum(share, most)


def _smooth_sizes(counts: np.ndarray) -> np.ndarray:
    """Counts `[..., sizes]` spread over sizes that are alike."""
    size = np.arange(counts.shape[-1])
    width = np.where(size > 3, WIDTH * size, 1e-3)
    seen = counts.reshape(-1, len(size)).any(axis=0)  # few of the sizes of fine steps
    kernel = np.exp(-0.5 * ((size[seen, None] - size) / width[seen, None]) ** 2)
    smooth = counts[..., seen] @ (kernel / kernel.sum(axis=1, keepdims=True))
    return smooth + 1e-3 * smooth.mean(axis=-1, keepdims=True) + 0.01


def _centroids(scaled, real, imag, sent, largest: int) -> np.ndarray:
    """Mean of what is rounded to each size, in steps."""
    sizes = np.concatenate([np.abs(real)[sent], np.abs(imag)[sent]])
    exact = np.concatenate([np.abs(scaled.real)[sent], np.abs(scaled.imag)[sent]])
    size = np.arange(largest + 1)
    number = np.bincount(sizes, minlength=largest + 1)
    total = np.bincount(sizes, exact, largest + 1)
    # Half a dozen made-up ones in the middle keep rare sizes where they belong.
    return np.where(size > 0, (total + 6 * size) / (number + 6), 0.0)
