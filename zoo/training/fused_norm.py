"""Batch norm, skip connection and leaky activation as one kernel each way.

    y = gamma (x - mean) / sqrt(var + eps) + beta + skip
    out = max(y, 0) + slope min(y, 0)

Forward and backward are one XLA-compiled function each. Rows of a feature map are
flattened, `[batch N_t, N_a channels]`, so that sums over positions and products with
per-channel numbers run over long vectors; a constant 0/1 matrix repeats the per-channel
numbers along a row and sums a row's entries per channel.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Form(NamedTuple):
    """What one kernel is compiled for.

    Attributes:
        width: N_a.
        channels: channels.
        epsilon: of the batch norm.
        skip: whether something is added before the activation.
        slope: negative slope; 1 without activation, None where it is learned.
    """

    width: int
    channels: int
    epsilon: float
    skip: bool
    slope: float | None


@functools.cache
def kernel(form: Form):
    """Differentiable training-mode function of a form.

    Returns:
        Function of x and skip `[batch, N_t, N_a, channels]` float32 (skip only if the
        form has it), gamma, beta and slope `[channels]` (slope only if learned); it
        gives out, mean and variance. Mean and variance carry no gradient.
    """
    spread = np.tile(np.eye(form.channels, dtype=np.float32), (1, form.width))
    forward = tf.function(functools.partial(_forward, form, spread), jit_compile=True)
    backward = tf.function(functools.partial(_backward, form, spread), jit_compile=True)

    @tf.custom_gradient
    def fused(x, gamma, beta, *rest):
        out, mean, variance = forward(x, gamma, beta, *rest)

        def gradient(upstream, *_):
            return backward(x, out, mean, variance, upstream, gamma, beta, *rest)

        return (out, mean, variance), gradient

    return fused


def _rest(form: Form, rest):
    """Optional arguments: skip, learned slope."""
    rest = list(rest)
    skip = rest.pop(0) if form.skip else None
    return skip, rest.pop(0) if form.slope is None else None


def _helpers(form: Form, spread):
    def rows(x):
        return tf.reshape(x, [-1, form.width * form.channels])

    def repeat(channel):
        return tf.linalg.matvec(spread, channel, transpose_a=True)

    def total(row):
        return tf.linalg.matvec(spread, row)

    return rows, repeat, total


def _forward(form, spread, x, gamma, beta, *rest):
    rows, repeat, total = _helpers(form, spread)
    skip, slope = _rest(form, rest)
    row = rows(x)
    count = tf.cast(tf.shape(row)[0] * form.width, x.dtype)
    mean = total(tf.reduce_sum(row, axis=0)) / count
    centred = row - repeat(mean)
    variance = total(tf.reduce_sum(tf.square(centred), axis=0)) / count
    y = centred * repeat(gamma * tf.math.rsqrt(variance + form.epsilon))
    y += repeat(beta)
    if skip is not None:
        y += rows(skip)
    if slope is not None:
        y = tf.where(y > 0, y, repeat(slope) * y)
    elif form.slope != 1:
        y = tf.where(y > 0, y, form.slope * y)
    return tf.reshape(y, tf.shape(x)), mean, variance


def _backward(form, spread, x, out, mean, variance, upstream, gamma, beta, *rest):
    rows, repeat, total = _helpers(form, spread)
    skip, slope = _rest(form, rest)
    row, dy = rows(x), rows(upstream)
    count = tf.cast(tf.shape(row)[0] * form.width, x.dtype)
    scale = tf.math.rsqrt(variance + form.epsilon)
    normal = (row - repeat(mean)) * repeat(scale)
    last = ()
    if slope is not None:
        y = normal * repeat(gamma) + repeat(beta)
        y = y if skip is None else y + rows(skip)
        last = (total(tf.reduce_sum(dy * tf.minimum(y, 0), axis=0)),)
        dy = tf.where(y > 0, dy, repeat(slope) * dy)
    elif form.slope != 1:
        dy = tf.where(rows(out) > 0, dy, form.slope * dy)
    dbeta = total(tf.reduce_sum(dy, axis=0))
    dgamma = total(tf.reduce_sum(dy * normal, axis=0))
    dx = dy - repeat(dbeta / count) - normal * repeat(dgamma / count)
    dx *= repeat(gamma * scale)
    dskip = () if skip is None else (tf.reshape(dy, tf.shape(x)),)
    return tf.reshape(dx, tf.shape(x)), dgamma, dbeta, *dskip, *last
