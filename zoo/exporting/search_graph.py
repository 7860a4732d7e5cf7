"""The search of the pursuit as a graph that TFLite runs: a loop of one atom.

The same steps as `zoo.codecs.search`, on real numbers alone. A complex row is the pair
[re, im], [-im, re] of real ones, so that products with its conjugate are real matrix
products whose results come in (re, im) pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atoms import SMALLEST
from zoo.codecs.search import COARSE, coarse_angles, neighbours


class _State(NamedTuple):
    """What the loop hands on; rows of atoms that are not found yet are 0.

    Attributes:
        k: atoms so far, `[1]`.
        residual: re over im, `[2 N_t, N_a]`.
        left: angles' pairs of the atoms, `[atoms, 2, 2 N_t]`.
        right: delays' pairs, `[atoms, 2, 2 N_a]`.
        mix: what the orthogonal vectors are made of, re beside im, `[atoms, 2 atoms]`.
        found: angle and delay as shares of the grid, re and im, `[atoms, 4]`.
    """

    k: tf.Tensor
    residual: tf.Tensor
    left: tf.Tensor
    right: tf.Tensor
    mix: tf.Tensor
    found: tf.Tensor


class SearchGraph:
    """Orthogonal matching pursuit on one CSI, builtin operations of TFLite only.

    Args:
        grid: what the atoms are.
    """

    def __init__(self, grid: AngleDelayGrid):
        self._antennas, self._taps = grid.num_antennas, grid.num_delay
        self._angles, self._delays = _pairs(grid.angles), _pairs(grid.delays)
        self._stride = grid.oversampling // COARSE
        self._coarse = coarse_angles(grid).astype(np.int32)
        self._left = self._angles[self._coarse].reshape(-1, 2 * self._antennas)
        right = self._delays[:: self._stride]
        self._right = np.concatenate([right[:, 0], right[:, 1]]).T.copy()
        self._near = neighbours(grid)

    def atoms(self, h, num_atoms: int):
        """Atoms of CSI float32 `[1, N_t, N_a, 2]`.

        Returns:
            Float32 `[1, 4 atoms]`: for each the angle and the delay, as shares of the
            grid's points, and the value, re and im.
        """
        n, taps = 2 * self._antennas, 2 * self._taps
        residual = tf.reshape(tf.transpose(h[0], [2, 0, 1]), [n, self._taps])
        shapes = (num_atoms, 2, n), (num_atoms, 2, taps), (num_atoms, 2 * num_atoms)
        empty = [tf.zeros(shape) for shape in (*shapes, (num_atoms, 4))]
        start = _State(tf.zeros([1], tf.int32), residual, *empty)
        *_, found = tf.while_loop(
            lambda k, *_: k[0] < num_atoms, lambda *x: self._next(_State(*x)), start
        )
        return tf.reshape(found, [1, -1])

    def _next(self, state: _State) -> _State:
        """One atom more."""
        k, residual, left, right, mix, found = state
        angle, delay, product = self._refined(residual, *self._best(residual))
        num_atoms = found.shape[0]
        here = tf.gather(np.eye(num_atoms, dtype=np.float32), k)[0]
        column = here[:, None]
        own = tf.gather(self._angles, angle), tf.gather(self._delays, delay)
        re, im = self._orthogonal(left, right, mix, own, here)
        left += column[:, None] * own[0]
        right += column[:, None] * own[1]
        mix += column * tf.concat([re, im], axis=0)
        scale = tf.reduce_sum(re * here)
        value = product[0] * scale
        place = [self._share(angle, self._angles), self._share(delay, self._delays)]
        found += column * tf.concat([*place, value], axis=0)
        # The newest orthogonal vector times its value, as a sum of the atoms.
        weights = (value[0] * re - value[1] * im), (value[0] * im + value[1] * re)
        sides = weights[0][:, None] * right[:, 0] + weights[1][:, None] * right[:, 1]
        sides = tf.reshape(sides, [2 * num_atoms, self._taps])
        rows = tf.reshape(left, [2 * num_atoms, 2 * self._antennas])
        residual -= tf.matmul(rows, sides, transpose_a=True)
        return _State(k + 1, residual, left, right, mix, found)

    def _best(self, residual):
        """Coarse atom of the largest correlation: angle and delay, `[1]` each."""
        half = tf.reshape(tf.matmul(self._left, residual), [-1, 2 * self._taps])
        re, im = tf.split(tf.matmul(half, self._right), 2, axis=1)
        energy = tf.reshape(re * re + im * im, [1, -1])
        best = tf.argmax(energy, axis=1, output_type=tf.int32)
        columns = self._right.shape[1] // 2
        row = best // columns
        return tf.gather(self._coarse, row), (best - row * columns) * self._stride

    def _refined(self, residual, angle, delay):
        """The best atom on ever smaller steps, and its correlation `[1, 2]`."""
        last = len(self._delays) - 1
        product = None
        for step, near in self._near:
            angles = tf.gather(near.astype(np.int32), angle)[0]
            delays = tf.clip_by_value(delay + np.int32([-step, 0, step]), 0, last)
            product = self._products(residual, angles, delays)
            energy = tf.reduce_sum(product * product, axis=1)[None]
            best = tf.argmax(energy, axis=1, output_type=tf.int32)
            row = best // 3
            angle, delay = tf.gather(angles, row), tf.gather(delays, best - 3 * row)
            product = tf.gather(product, best)
        if product is None:  # the coarse grid is all there is
            product = self._products(residual, angle, delay)
        return angle, delay, product

    def _products(self, residual, angles, delays):
        """Correlations (re, im) of atoms, `[angles delays, 2]`."""
        left = tf.reshape(tf.gather(self._angles, angles), [-1, 2 * self._antennas])
        right = tf.reshape(tf.gather(self._delays, delays), [-1, 2 * self._taps])
        half = tf.reshape(tf.matmul(left, residual), [-1, 2 * self._taps])
        return tf.reshape(tf.matmul(half, right, transpose_b=True), [-1, 2])

    def _orthogonal(self, left, right, mix, own, here):
        """Row of `mix` of an atom: re and im `[atoms]`, see `serving.codec.atoms`."""
        (ar, ai), (br, bi) = (
            tf.unstack(_inner(before, pair[0, :1]), axis=1)
            for before, pair in ((left, own[0]), (right, own[1]))
        )
        re, im = ar * br - ai * bi, ar * bi + ai * br
        both = tf.stack([tf.concat([re, im], 0), tf.concat([im, -re], 0)])
        along = tf.matmul(both, mix, transpose_b=True)
        outside = 1 - tf.reduce_sum(along * along)
        scale = tf.math.rsqrt(tf.maximum(outside, SMALLEST))
        spread = tf.matmul(along, mix)
        (rr, ri), (ir, ii) = (tf.split(x, 2) for x in tf.unstack(spread))
        return (here + ii - rr) * scale, -(ri + ir) * scale

    @staticmethod
    def _share(index, rows):
        return tf.cast(index, tf.float32) / len(rows)


def _inner(rows, row):
    """Inner products (re, im) `[n, 2]` of pairs `[n, 2, m]` with a row `[1, m]`."""
    flat = tf.reshape(rows, [-1, rows.shape[2]])
    return tf.reshape(tf.matmul(flat, row, transpose_b=True), [-1, 2])


def _pairs(x: np.ndarray) -> np.ndarray:
    """Complex `[n, m]` as float32 `[n, 2, 2 m]`: [re, im] and [-im, re]."""
    rows = [
        np.concatenate(pair, axis=1) for pair in ((x.real, x.imag), (-x.imag, x.real))
    ]
    return np.stack(rows, axis=1).astype(np.float32)
