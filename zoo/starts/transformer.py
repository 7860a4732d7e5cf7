"""TransNet that starts as the linear KLT codec: `--init=klt`.

A layer normalisation takes the mean and the power out of every token. Two of its values
are given up for them: where all drops have the least energy, a token carries a constant
of opposite signs, far above the signal, and on it what makes the token's mean zero.
Then normalisations are linear in the signal but for its square, and the constant's
power stands for the token's. Attention and feed-forward networks add nothing yet.
"""

from __future__ import annotations

import numpy as np

from zoo.models.autoencoder import CsiAutoencoder
from zoo.starts import klt_start
from zoo.starts.regression import ridge_regression

SIGNAL = 0.05  # standard deviation of a decoder's signal, the constant's power is 1


def start(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Set all weights that a signal passes.

    Args:
        model: TransNet.
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].

    Raises:
        ValueError: fewer examples than codeword entries.
    """
    compress = model.encoder.get_layer("codeword")
    klt_start.check_enough(csi, compress.units)
    h = csi - np.float32(0.5)
    width = 2 * csi.shape[2]
    tokens = h.transpose(0, 3, 1, 2).reshape(len(h), -1, width)
    carrier = _carrier(tokens)
    _pass_encoder(model.encoder.get_layer("transformer"), carrier)
    codeword = klt_start.fit_encoder(model, compress, csi, h)
    _fit_decoder(model.decoder, codeword, tokens, carrier)


def _carrier(tokens: np.ndarray) -> np.ndarray:
    """Constant of a token `[width]`: unit power, on the two weakest values."""
    energy = np.mean(np.square(tokens), axis=(0, 1))
    weakest = np.argsort(energy)[:2]
    carrier = np.zeros(tokens.shape[2], np.float32)
    carrier[weakest] = np.sqrt(len(carrier) / 2) * np.array([1, -1])
    return carrier


def _pass_encoder(stack, carrier: np.ndarray) -> None:
    """Add the constant to all tokens, and nothing else to anything."""
    silence(stack)
    stack.tensors["layers.0.self_attn.out_proj.bias"].assign(carrier)


def silence(stack) -> None:
    """Let attentions and feed-forward networks give zero."""
    for name, tensor in stack.tensors.items():
        if "out_proj" in name or "linear2" in name:
            tensor.assign(np.zeros(tensor.shape, np.float32))


def _fit_decoder(decoder, codeword: np.ndarray, tokens: np.ndarray, carrier) -> None:
    """Make the decoder the best linear estimate of the tokens, undone behind it."""
    silence(decoder.get_layer("transformer"))
    gain = SIGNAL / tokens.std()
    given_up = carrier != 0
    wanted = gain * tokens * ~given_up
    wanted += np.where(given_up, -wanted.sum(-1, keepdims=True) / 2, 0) + carrier
    kernel, bias = ridge_regression(codeword, wanted.reshape(len(wanted), -1))
    expand, norm = decoder.get_layer("expand"), decoder.get_layer("norm")
    expand.kernel.assign(kernel)
    expand.bias.assign(bias)
    norm.gamma.assign(np.where(given_up, 0, 1 / gain))
    norm.beta.assign(np.full(len(carrier), 0.5))
