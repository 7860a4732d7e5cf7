"""Data-dependent initialisation: a network that starts as the linear KLT codec.

`--init=klt`. The convolutions of encoder and decoder let the CSI through unchanged
(`zoo.conv_start`); the two fully connected layers then are, in closed form, the best
linear codec of the training CSI for the encoder's features: reduced-rank regression
for the encoder, ridge regression on the codeword that arrives for the decoder. The
untrained network reaches the KLT line up to what its activations cannot express, and
training begins there instead of at noise.
"""

from __future__ import annotations

import numpy as np

from zoo.conv_start import let_through
from zoo.keras_compat import Model, layers
from zoo.layers.activations import HardSigmoid
from zoo.models.autoencoder import CsiAutoencoder

EXAMPLES = 20_000
WALKED = 256
BATCH = 500
# Relative to the mean variance of a regressor. The features' share of it bounds how far
# directions that few examples have shown can be trusted.
FEATURE_RIDGE, CODEWORD_RIDGE = 1e-4, 1e-6
CODEWORD_STD = 0.4  # of a normalised codeword: tanh is nearly linear there
LARGEST = 0.49


def initialise(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Set all weights of a network from training CSI.

    Args:
        model: network whose encoder and decoder have one large dense layer each.
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].

    Raises:
        ValueError: no such layer, or fewer examples than codeword entries.
    """
    compress = _dense(model.encoder, -1)
    expand = _dense(model.decoder, 0)
    if len(csi) < compress.units:
        raise ValueError(
            f"--init=klt: {len(csi)} training examples are fewer than the "
            f"{compress.units} codeword entries; use --init=paper or more data"
        )
    h = csi - np.float32(0.5)
    let_through(model.encoder, csi[:WALKED], h[:WALKED] / h.std(), shift=True)
    features = _evaluate(Model(model.encoder.input, compress.input), csi)
    h = h.reshape(len(h), -1)
    kernel, bias = reduced_rank_regression(features, h, compress.units)
    compress.kernel.assign(kernel)
    compress.bias.assign(bias)
    codeword = _arriving(model, compress, features @ kernel + bias)
    kernel, bias = ridge_regression(codeword, h)
    h_hat = (codeword[:WALKED] @ kernel + bias).reshape(-1, *csi.shape[1:])
    slope, target, weight = _before_output(model.decoder, h_hat)
    expand.kernel.assign(slope * kernel)
    expand.bias.assign(slope * bias)
    let_through(model.decoder, codeword[:WALKED], target, weight)


def _dense(part: Model, index: int) -> layers.Dense:
    """First or last dense layer of a side that is not a gate."""
    gates = ("relu", "sigmoid")
    found = [
        layer
        for layer in part.layers
        if isinstance(layer, layers.Dense) and layer.activation.__name__ not in gates
    ]
    if not found:
        raise ValueError(
            f"--init=klt: {part.name} has no fully connected layer to fit; use "
            "--init=paper"
        )
    return found[index]


def _evaluate(part: Model, inputs: np.ndarray) -> np.ndarray:
    starts = range(0, len(inputs), BATCH)
    return np.concatenate(
        [np.asarray(part(inputs[i : i + BATCH], training=False)) for i in starts]
    )


def _arriving(model: CsiAutoencoder, compress, z: np.ndarray) -> np.ndarray:
    """Codewords at the decoder, given the outputs of the encoder's dense layer.

    Calibrates the codeword's batch norm where there is one.
    """
    position = model.encoder.layers.index(compress)
    path = model.autoencoder.layers[2:-1]  # input, encoder, path, decoder
    for layer in [*model.encoder.layers[position + 1 :], *path]:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(z.mean(0))
            layer.moving_variance.assign(z.var(0))
            layer.gamma.assign(np.full(z.shape[1], CODEWORD_STD))
        z = np.asarray(layer(z.astype(np.float32)))
    return z


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


def reduced_rank_regression(x: np.ndarray, y: np.ndarray, rank: int):
    """Best linear bottleneck between x and y in the least-squares sense.

    The projection on the `rank` strongest eigenvectors of C_yx C_xx^-1 C_xy; for x = y
    the KLT. Scaled to unit mean variance of the outputs.

    Args:
        x: `[n, features]` float32.
        y: `[n, values]` float32.
        rank: number of outputs.

    Returns:
        Kernel `[features, rank]` and bias `[rank]` of the projection of x.
    """
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - x_mean
    covariance = (centred.T @ centred).astype(np.float64) / len(x)
    cross = (centred.T @ (y - y_mean)).astype(np.float64) / len(x)
    solution = _solve(covariance, cross, FEATURE_RIDGE)
    power, vectors = np.linalg.eigh(cross.T @ solution)
    kernel = solution @ vectors[:, ::-1][:, :rank]
    kernel /= np.sqrt(power[::-1][:rank].mean())
    return kernel, -x_mean @ kernel


def ridge_regression(x: np.ndarray, y: np.ndarray):
    """Kernel `[features, values]` and bias `[values]` of y given x."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = (x - x_mean).astype(np.float64)
    normal = centred.T @ centred
    kernel = _solve(normal, centred.T @ (y - y_mean), CODEWORD_RIDGE)
    return kernel, y_mean - x_mean @ kernel


def _solve(matrix: np.ndarray, right: np.ndarray, ridge: float) -> np.ndarray:
    """Solve with a ridge relative to the mean of the matrix' diagonal."""
    load = ridge * np.diag(matrix).mean() * np.eye(len(matrix))
    return np.linalg.solve(matrix + load, right)
