"""Dynamic int8 of fully connected layers, as the CLLWCsiNet paper does with ACRNet.

After the training, without another: the kernel of a fully connected layer becomes int8
with one scale, its input int8 with the range that it has at that moment, the sum of
products is an integer; biases and all other layers stay float. The ranges here are
those of one CSI, which is all that a UE has; PyTorch takes those of a batch.
"""

from __future__ import annotations

import functools

import numpy as np

from zoo.experiments import codewords
from zoo.keras_compat import Model, layers
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import evaluation


def linear(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A fully connected layer in int8.

    Args:
        x: `[batch, n]` float32; each row has a scale and a zero point of its own.
        kernel: `[n, m]` float32, symmetric with one scale.
        bias: `[m]` float32.

    Returns:
        `[batch, m]` float32.
    """
    weight_scale = np.abs(kernel).max() / 127
    weights = np.round(kernel / weight_scale).astype(np.float64)
    low = np.minimum(x.min(axis=1, keepdims=True), 0)
    high = np.maximum(x.max(axis=1, keepdims=True), 0)
    scale = np.maximum((high - low) / 255, 1e-12)
    zero = np.round(-low / scale)
    index = np.clip(np.round(x / scale) + zero, 0, 255)
    products = (index - zero).astype(np.float64) @ weights  # of integers: exact
    return (products * scale * weight_scale + bias).astype(np.float32)


@functools.cache
def nmse_db(run: RunDirectory) -> float:
    """NMSE [dB] on the test split with the FC layers of both sides in int8.

    Args:
        run: of a network whose encoder ends, and decoder begins, in its only FC layer.
    """
    model, test, _ = codewords.tested(run)
    (compress,), (expand,) = (
        [x for x in part.layers if isinstance(x, layers.Dense)]
        for part in (model.encoder, model.decoder)
    )
    before = Model(model.encoder.input, compress.input)
    behind = Model(expand.output, model.decoder.output)
    x = before.predict(test.csi, batch_size=evaluation.BATCH, verbose=0)
    for layer in (compress, expand):
        x = linear(x, *(np.asarray(w) for w in (layer.kernel, layer.bias)))
    csi = behind.predict(x, batch_size=evaluation.BATCH, verbose=0)
    return accuracy.nmse_db(test.h, csi - np.float32(0.5))
