"""Networks of several rates that start as the linear KLT codec: `--init=klt`."""

from __future__ import annotations

import numpy as np

from zoo.keras_compat import Model, layers
from zoo.models.autoencoder import CsiAutoencoder
from zoo.starts import klt_start
from zoo.starts.conv_start import let_through
from zoo.starts.regression import reduced_rank_regression


def start(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Fit all rates to training CSI: a longer KLT begins as a shorter.

    Args:
        model: SM-CsiNet+ or PM-CsiNet+.
        csi: `[n, N_t, N_a, 2]` in [0, 1].
    """
    encode, *decoders = (x for x in model.joint.layers if isinstance(x, Model))
    dims = [z.shape[-1] for z in encode.outputs]
    klt_start.check_enough(csi, dims[0])
    h = csi - np.float32(0.5)
    front = Model(encode.input, encode.get_layer("flatten").output)
    seen = slice(klt_start.WALKED)
    let_through(front, csi[seen], h[seen] / h.std())
    features = klt_start.evaluate(front, csi)
    kernel, bias = reduced_rank_regression(features, h.reshape(len(h), -1), dims[0])
    _set_codewords(encode, kernel, bias)
    codeword = (features @ kernel + bias).astype(np.float32)
    for decoder, dim in zip(decoders, dims, strict=True):
        klt_start.fit_decoder(decoder, codeword[:, :dim], h)


def _set_codewords(encode: Model, kernel, bias) -> None:
    """Make the longest codeword `features @ kernel + bias`, the others its start."""
    first = 0
    for layer in encode.layers:
        if not isinstance(layer, layers.Dense):
            continue
        inputs, units = layer.kernel.shape
        if inputs < len(kernel):  # a codeword of SM is made of the one before
            layer.kernel.assign(np.eye(inputs, units, dtype=np.float32))
            layer.bias.assign(np.zeros(units, np.float32))
            continue
        layer.kernel.assign(kernel[:, first : first + units])
        layer.bias.assign(bias[first : first + units])
        first += units
