"""`subband_transformer` that starts as the linear KLT codec: `--init=klt`."""

from __future__ import annotations

import numpy as np

from zoo.keras_compat import Model
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.subband_transformer import COMPRESS, EMBED, EXPAND, PROJECT, STACK, gain
from zoo.starts import klt_start
from zoo.starts.regression import ridge_regression
from zoo.starts.transformer import silence


def check(model: CsiAutoencoder) -> None:
    """Refuse a network that loses something of a token.

    Raises:
        ValueError: tokens are narrower inside than outside.
    """
    outside, width = model.encoder.get_layer(EMBED).kernel.shape
    if width < outside:
        raise ValueError(
            f"--init=klt: width is {width}, expected {outside} or more, the values of "
            "a token; use --init=paper"
        )


def start(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Set the four linear maps; attentions and feed-forward networks add nothing yet.

    Args:
        model: subband_transformer as it was built: a token passes an orthogonal matrix
            on both sides.
        csi: training CSI `[n, P, T, 2]` float32 in [0, 1].

    Raises:
        ValueError: fewer examples than codeword entries.
    """
    compress = model.encoder.get_layer(COMPRESS)
    klt_start.check_enough(csi, compress.units)
    silence(model.encoder.get_layer(STACK))
    h = csi - np.float32(0.5)
    codeword = klt_start.fit_encoder(model, compress, csi, h)
    fit_decoder(model.decoder, codeword, h)


def fit_decoder(decoder: Model, codeword: np.ndarray, h: np.ndarray) -> None:
    """Set the first linear map of a decoder, and let its blocks add nothing.

    Args:
        decoder: of subband_transformer, as it was built.
        codeword: what arrives, `[n, M]`.
        h: its zero-centred CSI, `[n, P, T, 2]`.
    """
    silence(decoder.get_layer(STACK))
    unit = gain(h.shape[1:]) * h.transpose(0, 2, 1, 3)
    project = np.asarray(decoder.get_layer(PROJECT).kernel)
    inside = unit.reshape(len(h), h.shape[2], -1) @ project.T
    kernel, bias = ridge_regression(codeword, inside.reshape(len(h), -1))
    expand = decoder.get_layer(EXPAND)
    expand.kernel.assign(kernel)
    expand.bias.assign(bias)
