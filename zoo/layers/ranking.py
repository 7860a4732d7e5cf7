"""Which entries of a CSI matrix are large, agreed on without side information."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

LARGEST_KERNEL, LARGEST_BIAS = 127, 2**22


class Ranking(NamedTuple):
    """Order of the N entries of a CSI matrix by magnitude, from what was sent of it.

    The UE does not know the uplink, so the BS's estimate of the magnitudes cannot rank
    them at both ends. Scores are a linear map of the magnitude codeword's indices in
    small integers instead: every sum is exact in float32, in any order of summation, so
    that both ends find the same entries. Equal scores go by position.

    Attributes:
        kernel: integers `[M, N]` up to 127.
        bias: integers `[N]` up to 2^22.
        bits: of an index, at most 8.
    """

    kernel: object
    bias: object
    bits: int

    def largest(self, indices, count: int):
        """Positions int32 `[batch, count]`, the largest entry first.

        Args:
            indices: of the magnitude codeword, int32 `[batch, M]`.
            count: how many.
        """
        centred = tf.cast(indices, "float32") - 2.0 ** (self.bits - 1)
        kernel = tf.cast(self.kernel, "float32")
        if indices.shape[0] == 1:
            # TFLite makes matrices of 8 bits of its own, but no factors.
            scores = tf.reduce_sum(centred[:, :, None] * kernel[None], axis=1)
        else:
            scores = tf.matmul(centred, kernel)
        scores += tf.cast(self.bias, "float32")
        return tf.math.top_k(scores, count, index_type=tf.int32).indices


def fit(indices: np.ndarray, magnitude: np.ndarray, bits: int):
    """Kernel int8 `[M, N]` and bias int32 `[N]` of a ranking.

    Args:
        indices: of magnitude codewords of training CSI, `[n, M]`.
        magnitude: of that CSI, `[n, N]`.
        bits: of an index.
    """
    centred = indices.astype(np.float32) - np.float32(2 ** (bits - 1))
    regressors = np.concatenate([centred, np.ones((len(centred), 1))], axis=1)
    solution = np.linalg.lstsq(regressors, magnitude, rcond=1e-6)[0]
    kernel, bias = solution[:-1], solution[-1]
    largest = max(float(np.abs(kernel).max()), 1e-12)
    gain = LARGEST_KERNEL / largest
    gain = min(gain, LARGEST_BIAS / max(float(np.abs(bias).max()), 1e-12))
    return np.rint(gain * kernel).astype(np.int8), np.rint(gain * bias).astype(np.int32)


def scatter(values, positions, entries: int, other: float = 0.0):
    """Values `[batch, count]` at their positions in `[batch, entries]`.

    Args:
        values: float32.
        positions: int32 `[batch, count]`, different in each row.
        entries: N.
        other: what stands elsewhere.
    """
    rows = tf.range(tf.shape(positions)[0])[:, None] + tf.zeros_like(positions)
    where = tf.stack([rows, positions], axis=-1)
    everywhere = tf.fill([tf.shape(positions)[0], entries], other)
    return tf.tensor_scatter_nd_update(everywhere, where, values)
