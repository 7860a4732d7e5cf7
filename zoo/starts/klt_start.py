"""Data-dependent initialisation: a network that starts as the linear KLT codec.

`--init=klt`, or `klt_exact`. The convolutions of encoder and decoder let the CSI
through unchanged (`zoo.starts.conv_start`); the two fully connected layers then are, in
closed form, the best linear codec of the training CSI for the encoder's features:
reduced-rank regression for the encoder, ridge regression on the codeword that arrives
for the decoder. The untrained network reaches the KLT line up to what its activations
cannot express, and training begins there instead of at noise.
"""

from __future__ import annotations

import functools

import numpy as np

from zoo.data.batches import in_batches
from zoo.keras_compat import Model, layers
from zoo.layers.activations import HardSigmoid
from zoo.layers.binary import BinaryDense
from zoo.layers.random_projection import RandomProjection
from zoo.models.autoencoder import CsiAutoencoder, in_a_row
from zoo.starts import latent_start
from zoo.starts.conv_start import let_through
from zoo.starts.regression import reduced_rank_regression, ridge_regression

EXAMPLES = 20_000
WALKED = 256
CODEWORD_STD = 0.4  # of a normalised codeword: tanh is nearly linear there
LARGEST = 0.49
FULLY_CONNECTED = (layers.Dense, BinaryDense, RandomProjection)


def initialise(model: CsiAutoencoder, csi: np.ndarray, exact: bool = False) -> None:
    """Set all weights of a network from training CSI.

    Args:
        model: network whose encoder and decoder have one large fully connected layer
            each, or convolutions along delay in their place.
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].
        exact: lift what an encoder's LeakyReLU would bend above zero by a constant.
            The start is closer to the KLT line, but each weight behind the constant
            moves the codeword by it: training then needs a tenth of the usual rate.

    Raises:
        ValueError: the network has no such layers, or there are fewer examples than
            codeword entries.
    """
    check_enough(csi, model.encoder.output.shape[-1])
    h = csi - np.float32(0.5)
    check(model)
    compress = _dense(model.encoder, -1)
    let_through(model.encoder, csi[:WALKED], h[:WALKED] / h.std(), shift=exact)
    if compress is not None:
        codeword = fit_encoder(model, compress, csi, h)
    else:
        codeword = in_a_row(evaluate(model.encoder, csi[:WALKED]), _behind(model))
    fit_decoder(model.decoder, np.asarray(codeword), h)


def check(model) -> None:
    """Refuse a network that no regression fits.

    Raises:
        ValueError: a side has no fully connected layer, or one of single bits.
    """
    _dense(model.encoder, -1)
    _dense(model.decoder, 0)


def check_enough(csi: np.ndarray, codeword_dim: int) -> None:
    """Refuse fewer training examples than codeword entries.

    Raises:
        ValueError: there are fewer.
    """
    if len(csi) < codeword_dim:
        raise ValueError(
            f"--init=klt: {len(csi)} training examples are fewer than the "
            f"{codeword_dim} codeword entries; use --init=paper or more data"
        )


def fit_decoder(decoder: Model, codeword: np.ndarray, h: np.ndarray) -> None:
    """Set all weights of a decoder.

    Args:
        decoder: codeword to CSI.
        codeword: what arrives, `[n, M]`; without a fully connected layer to fit the
            first `WALKED` are enough.
        h: its zero-centred CSI, `[n, N_t, N_a, 2]`.
    """
    expand = _dense(decoder, 0)
    if expand is not None:
        kernel, bias = ridge_regression(codeword, h.reshape(len(h), -1))
        h_hat = (codeword[:WALKED] @ kernel + bias).reshape(-1, *h.shape[1:])
        slope, target, weight = _before_output(decoder, h_hat)
        expand.kernel.assign(slope * kernel)
        expand.bias.assign(slope * bias)
    else:
        _, target, weight = _before_output(decoder, h[:WALKED])
    let_through(decoder, codeword[:WALKED], target, weight)


def last_dense(encoder: Model):
    """The fully connected layer that an encoder ends in, before its normaliser.

    Raises:
        ValueError: there is none.
    """
    found = _dense(encoder, -1)
    if not isinstance(found, layers.Dense):
        raise ValueError(
            f"--init=klt: {encoder.name} has no fully connected layer to fit to "
            "codewords; use --init=paper"
        )
    return found


def _dense(part: Model, index: int):
    """First or last fully connected layer of a side that is not a gate, or None.

    Raises:
        ValueError: a decoder's has one bit per weight, or there is neither such a layer
            nor a sequence of delays to convolve.
    """
    gates = ("relu", "sigmoid")
    found = [
        layer
        for layer in part.layers
        if isinstance(layer, FULLY_CONNECTED)
        and getattr(layer, "activation", layers.Activation).__name__ not in gates
    ]
    if found and index == 0 and isinstance(found[0], BinaryDense):
        raise ValueError(
            f"--init=klt: {part.name} begins with one bit per weight, which no "
            "regression gives; use --init=paper"
        )
    if not found and not any(map(latent_start.is_sequence, part.layers)):
        raise ValueError(
            f"--init=klt: {part.name} has no fully connected layer to fit; use "
            "--init=paper"
        )
    return found[index] if found else None


def fit_encoder(model: CsiAutoencoder, compress, csi, h) -> np.ndarray:
    """Fit the encoder's last layer to what reaches it.

    Args:
        model: network whose encoder lets CSI through otherwise.
        compress: its fully connected layer.
        csi: `[n, N_t, N_a, 2]` in [0, 1].
        h: what is to be recovered of it, zero-centred.

    Returns:
        The codewords at the decoder `[n, M]`.
    """
    features = evaluate(Model(model.encoder.input, compress.input), csi)
    if not isinstance(compress, RandomProjection):
        h = h.reshape(len(h), -1)
        kernel, bias = reduced_rank_regression(features, h, compress.units)
        compress.kernel.assign(kernel)
        compress.bias.assign(bias)
    return arriving(model, compress, np.asarray(compress(features)))


def evaluate(part: Model, inputs: np.ndarray) -> np.ndarray:
    """Output of a model for `[n, ...]`, at inference."""
    return in_batches(functools.partial(part, training=False), inputs)


def arriving(model: CsiAutoencoder, compress, z: np.ndarray) -> np.ndarray:
    """Codewords at the decoder, given the outputs of the encoder's dense layer.

    Calibrates the codeword's batch norm where there is one. Where nothing is behind the
    layer, they are the outputs themselves.
    """
    position = model.encoder.layers.index(compress)
    for layer in [*model.encoder.layers[position + 1 :], *_behind(model)]:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(z.mean(0))
            layer.moving_variance.assign(z.var(0))
            layer.gamma.assign(np.full(z.shape[1], CODEWORD_STD))
        if getattr(layer, "needs_fit", False):
            layer.fit(z)
        z = np.asarray(layer(z.astype(np.float32)))
    return z


def _behind(model: CsiAutoencoder) -> list:
    """What a codeword passes between encoder and decoder."""
    return [*model.path, *([] if model.receiver is None else [model.receiver])]


def _before_output(decoder: Model, h_hat: np.ndarray):
    """What must enter the output activation for `h_hat` to come out.

    Returns:
        Slope of the linear part, the values `[n, N_t, N_a, 2]`, and the weight that a
        squared error there has after the activation.
    """
    if isinstance(decoder.layers[-1], HardSigmoid):
        return 6.0, 6 * h_hat, None
    p = 0.5 + np.clip(h_hat, -LARGEST, LARGEST)
    return 4.0, np.log(p / (1 - p)), (4 * p * (1 - p)) ** 2
