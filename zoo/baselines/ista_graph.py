"""ISTA as a TensorFlow graph: the same iteration on the device that runs networks."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.baselines.sparse import step_size
from zoo.layers.regularisers import soft_threshold


class IstaGraph(tf.Module):
    """A fixed number of ISTA iterations for one matrix and any measurements.

    x = soft(x - alpha A^T (A x - y), alpha lambda), x_0 = 0, alpha = 1 / ||A||^2 and
    lambda a share of max|A^T y| of each sample, as `zoo.baselines.sparse.lasso` with
    the same number of iterations. It is there for timing.

    Args:
        a: measurement matrix `[M, N]`.
        weight: lambda as a share of max|A^T y|, between 0 and 1.
        iterations: how many.

    Raises:
        ValueError: a value is out of range.
    """

    def __init__(self, a: np.ndarray, weight: float, iterations: int):
        super().__init__()
        if not 0 < weight < 1:
            raise ValueError(f"weight is {weight}, expected between 0 and 1")
        if iterations < 1:
            raise ValueError(f"iterations is {iterations}, expected 1 or more")
        self.a = tf.constant(a, tf.float32)
        self.alpha, self.weight = float(step_size(a)), weight
        self.iterations = iterations
        signature = [tf.TensorSpec([None, len(a)], tf.float32, name="y")]
        self.recover = tf.function(self._recover, input_signature=signature)

    def _recover(self, y):
        """Estimates `[batch, N]` of measurements `[batch, M]`, float32."""
        back = tf.matmul(y, self.a)
        largest = tf.reduce_max(tf.abs(back), axis=1, keepdims=True)
        threshold = self.alpha * self.weight * largest
        x = tf.zeros_like(back)
        for _ in tf.range(self.iterations):
            error = tf.matmul(x, self.a, transpose_b=True) - y
            x = soft_threshold(x - self.alpha * tf.matmul(error, self.a), threshold)
        return x
