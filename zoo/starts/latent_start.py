"""Convolutional codewords that let a signal through: a part of `--init=klt`.

A convolution along delay (`zoo.layers.conv_latent`) starts with its central tap, one
matrix for all delays: in an encoder the reduced-rank regression of the CSI on what
arrives, which with as many channels as the codeword is the KLT over angles and parts;
at the end of a decoder the ridge regression of the target. A constant is added to what
a LeakyReLU follows, so that almost all of it passes; not to the codeword, whose power
would be that of the constant: its LeakyReLU bends, which a decoder that begins with
signed copies (CLLWCsiNet's) undoes.
"""

from __future__ import annotations

import numpy as np

from zoo.keras_compat import layers
from zoo.starts.regression import reduced_rank_regression, ridge_regression

PASSING = 0.999  # share of values that the constant lifts above zero
LARGEST_MULTIPLE = 1.1


def is_sequence(layer) -> bool:
    """Whether a layer is a convolution over `[batch, 1, N_a, channels]`."""
    return isinstance(layer, layers.Conv2D) and layer.input.shape[1] == 1


def sequence(csi: np.ndarray) -> np.ndarray:
    """CSI `[n, N_t, N_a, 2]` as rows `[n N_a, 2 N_t]`, as `to_latent` orders them."""
    n, n_t, n_a, parts = csi.shape
    return csi.transpose(0, 2, 3, 1).reshape(n * n_a, parts * n_t)


def fit(conv, inputs: np.ndarray, target: np.ndarray, decoder: bool, centred: bool):
    """Central taps `[channels, filters]` and offsets `[filters]` of a convolution.

    Args:
        conv: convolution over a sequence.
        inputs: its input `[n, 1, N_a, channels]`.
        target: `[n, N_t, N_a, 2]`.
        decoder: whether the target itself is to come out, above zero.
        centred: whether no constant is added to an encoder's.
    """
    x, y = inputs.reshape(-1, inputs.shape[-1]), sequence(target)
    if decoder:
        return ridge_regression(x, y + LARGEST_MULTIPLE * np.abs(y).max())
    taps, bias = reduced_rank_regression(x, y, conv.filters)
    if centred:
        return taps, bias
    lowest = np.quantile(x @ taps + bias, 1 - PASSING, axis=0)
    return taps, bias - np.minimum(lowest, 0)
