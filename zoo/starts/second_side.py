"""Fitted starts of one side from the codewords of the other one (`--init=klt`).

Regressions on pairs of CSI and codeword, where a network's own fitted start is one: the
convolutions let the CSI through, the two fully connected layers are least squares.
"""

from __future__ import annotations

import numpy as np

from zoo.keras_compat import Model, layers
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.spec import ModelSpec
from zoo.models.subband_transformer import STACK
from zoo.starts import by_name, klt_start, tokens
from zoo.starts.conv_start import let_through
from zoo.starts.regression import ridge_regression
from zoo.starts.transformer import silence

INSIDE = 0.98  # of tanh's range, where a point lies on its edge
DECODERS = {"linear": klt_start.fit_decoder, "tokens": tokens.fit_decoder}


def check(spec: ModelSpec, model: CsiAutoencoder) -> None:
    """Refuse a network whose fully connected layers no regression gives.

    Raises:
        ValueError: it has none, or another start of its own.
    """
    by_name.check(spec, model)
    if spec.fitted_start not in DECODERS:
        raise ValueError(
            "--init=klt of one side alone is for networks whose own fitted start is a "
            f"pair of regressions, --model={spec.name} has none: use --init=paper"
        )
    klt_start.last_dense(model.encoder)


def fit(
    spec: ModelSpec, model: CsiAutoencoder, csi: np.ndarray, codeword: np.ndarray,
    encoder: bool,
) -> None:  # fmt: skip
    """Set the initial weights of a decoder and, if asked for, of an encoder.

    Args:
        spec: of the network.
        model: network.
        csi: `[n, N_t, N_a, 2]` float32 in [0, 1].
        codeword: what the other side makes of them, `[n, M]` in [-1, 1].
        encoder: whether the encoder is fitted, too.

    Raises:
        ValueError: fewer examples than codeword entries.
    """
    klt_start.check_enough(csi, codeword.shape[1])
    h = csi - np.float32(0.5)
    DECODERS[spec.fitted_start](model.decoder, codeword, h)
    if not encoder:
        return
    if spec.fitted_start == "tokens":
        silence(model.encoder.get_layer(STACK))
    else:
        some = slice(klt_start.WALKED)
        let_through(model.encoder, csi[some], h[some] / h.std())
    _fit_encoder(model.encoder, csi, codeword)


def _fit_encoder(encoder: Model, csi: np.ndarray, codeword: np.ndarray) -> None:
    """Fit the last layer before the normaliser, and the normaliser to its outputs."""
    compress = klt_start.last_dense(encoder)
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
