"""Fitted starts of one side from the codewords of the other one (`--init=klt`).

Regressions on pairs of CSI and codeword, where a network's own fitted start is one: the
convolutions let the CSI through, the two fully connected layers are least squares.
"""

from __future__ import annotations

import numpy as np

from zoo.keras_compat import Model, layers
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.spec import ModelSpec
from zoo.starts import klt_start
from zoo.starts.conv_start import let_through
from zoo.starts.regression import ridge_regression

INSIDE = 0.98  # of tanh's range, where a point lies on its edge


def check(spec: ModelSpec, model: CsiAutoencoder) -> None:
    """Refuse a network whose fully connected layers no regression gives.

    Raises:
        ValueError: it has none, or another start of its own.
    """
    klt_start.check(model)
    if spec.fitted_start != "linear":
        raise ValueError(
            f"--init=klt of one side alone is for networks that start linearly, "
            f"--model={spec.name} does not: use --init=paper"
        )


def fit(
    model: CsiAutoencoder, csi: np.ndarray, codeword: np.ndarray, encoder: bool
) -> None:
    """Set the initial weights of a decoder and, if asked for, of an encoder.

    Args:
        model: network.
        csi: `[n, N_t, N_a, 2]` float32 in [0, 1].
        codeword: what the other side makes of them, `[n, M]` in [-1, 1].
        encoder: whether the encoder is fitted, too.

    Raises:
        ValueError: fewer examples than codeword entries.
    """
    klt_start.check_enough(csi, codeword.shape[1])
    h = csi - np.float32(0.5)
    klt_start.fit_decoder(model.decoder, codeword, h)
    if encoder:
        _fit_encoder(model.encoder, csi, h, codeword)


def _fit_encoder(encoder: Model, csi, h, codeword: np.ndarray) -> None:
    compress = klt_start.last_dense(encoder)
    let_through(encoder, csi[: klt_start.WALKED], h[: klt_start.WALKED] / h.std())
    behind = encoder.layers[encoder.layers.index(compress) + 1 :]
    norms = [x for x in behind if isinstance(x, layers.BatchNormalization)]
    if norms:  # what must enter the tanh behind it
        codeword = np.arctanh(np.clip(codeword, -INSIDE, INSIDE))
    features = klt_start.evaluate(Model(encoder.input, compress.input), csi)
    kernel, bias = ridge_regression(features, codeword)
    compress.kernel.assign(kernel)
    compress.bias.assign(bias)
    for norm in norms:
        z = features @ kernel + bias
        norm.moving_mean.assign(z.mean(0))
        norm.moving_variance.assign(z.var(0))
        norm.gamma.assign(z.std(0))
        norm.beta.assign(z.mean(0))
