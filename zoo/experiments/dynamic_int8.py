"""Dynamic int8 of fully connected layers, as the CLLWCsiNet paper does with ACRNet.

After the training, without another: the kernel of a fully connected layer becomes int8
with one scale, its input unsigned integers with the range that it has at that moment,
the sum of products is an integer; biases and all other layers stay float. A UE knows
the range of one CSI and has 8 bits (`one_csi`). The paper's numbers come from PyTorch's
`quantize_dynamic` on x86, which takes one range for the whole batch, there the test
split, and 7 bits of it (`as_pytorch`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from zoo.experiments import codewords
from zoo.keras_compat import Model, layers
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

Linear = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def one_csi(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A fully connected layer in int8, each CSI with a range of its own.

    Args:
        x: `[batch, n]` float32; each row has a scale and a zero point.
        kernel: `[n, m]` float32, symmetric with one scale.
        bias: `[m]` float32.

    Returns:
        `[batch, m]` float32.
    """
    ends = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    return _linear(x, ends, 255, kernel, np.abs(kernel).max() / 127, bias)


def as_pytorch(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The same with one range of the batch and 7 bits; arguments as `one_csi`.

    PyTorch drops a bit because 8 overflow the 16-bit sums of older x86 cores, and puts
    the largest weight at 127.5.
    """
    ends = x.min(), x.max()
    return _linear(x, ends, 127, kernel, np.abs(kernel).max() / 127.5, bias)


def _linear(x, ends, largest: int, kernel, weight_scale, bias) -> np.ndarray:
    low, high = np.minimum(ends[0], 0), np.maximum(ends[1], 0)
    scale = np.maximum((high - low) / largest, 1e-12)
    zero = np.round(-low / scale)
    index = np.clip(np.round(x / scale) + zero, 0, largest) - zero
    weights = np.clip(np.round(kernel / weight_scale), -128, 127)
    products = index.astype(np.float64) @ weights.astype(np.float64)  # exact: integers
    return (products * scale * weight_scale + bias).astype(np.float32)


@functools.cache
def nmse_db(run: RunDirectory, linear: Linear = one_csi) -> float:
    """NMSE [dB] on the test split with the FC layers of both sides in int8.

    Args:
        run: of a network whose encoder ends, and decoder begins, in its only FC layer.
        linear: what takes their place, `one_csi` or `as_pytorch`.
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
