"""`klt_residual` that starts as the linear KLT codec: `--init=klt`."""

from __future__ import annotations

import numpy as np

from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.klt_residual import COMPRESS, EXPAND
from zoo.starts import klt_start
from zoo.starts.regression import ridge_regression
from zoo.starts.unfolded import klt_kernel


def start(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Set both fully connected layers; the convolutional branches add nothing yet.

    The encoder's is the KLT's basis. So is the decoder's where the codeword arrives as
    it was; behind a normaliser, a quantiser or a receiver it is the best linear
    estimate of the CSI from what arrives.

    Args:
        model: klt_residual as it was built.
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].

    Raises:
        ValueError: odd M, or fewer examples than coefficients.
    """
    compress = model.encoder.get_layer(COMPRESS)
    expand = model.decoder.get_layer(EXPAND)
    basis = klt_kernel(csi, compress.units)
    compress.kernel.assign(basis)
    h = (csi - np.float32(0.5)).reshape(len(csi), -1)
    unit = h * np.float32(len(basis) ** 0.5)
    codeword = unit @ basis
    arriving = klt_start.arriving(model, compress, codeword)
    if arriving is codeword:
        kernel, bias = basis.T, np.zeros(len(basis), np.float32)
    else:
        kernel, bias = ridge_regression(arriving, unit)
    expand.kernel.assign(kernel)
    expand.bias.assign(bias)
