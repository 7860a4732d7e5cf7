"""Unfolded networks that start as the linear KLT codec: `--init=klt`."""

from __future__ import annotations

import numpy as np

from zoo.layers.unfolded_cnn import IstaNetPhase
from zoo.metrics import klt_line
from zoo.models.autoencoder import CsiAutoencoder, flat_size
from zoo.models.ista_net_cnn import FIRST
from zoo.models.unfolding import SENSING
from zoo.starts.regression import ridge_regression

START_THETA = 1e-4  # almost no shrinkage: the start is the KLT codec


def klt_kernel(csi: np.ndarray, codeword_dim: int) -> np.ndarray:
    """A^T `[N, M]` whose rows are the principal components: A^T A x is the KLT's x.

    A complex component u is two rows: Re(u^H h) and Im(u^H h) of the flattened CSI.

    Args:
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].
        codeword_dim: M, even.

    Raises:
        ValueError: odd M, or fewer examples than coefficients.
    """
    basis = klt_line.fit(csi - np.float32(0.5), codeword_dim)
    real = np.stack([basis.real, basis.imag], axis=1)
    imag = np.stack([-basis.imag, basis.real], axis=1)
    kernel = np.stack([real, imag], axis=-1)
    return kernel.reshape(flat_size(csi.shape[1:]), codeword_dim).astype(np.float32)


def check(model) -> None:
    """Refuse a codeword normaliser, which the blocks do not undo.

    Raises:
        ValueError: there is one.
    """
    if model.encoder.layers[-1].name != SENSING:
        raise ValueError(
            "--init=klt: the unfolded decoder starts from the codeword itself; give "
            "--normaliser=none, and --quantizer=qat, lsq or lszq"
        )


def start(model, csi: np.ndarray) -> None:
    """Set A to the KLT's basis and every block to add nothing.

    With orthonormal rows of A the first block already is the best linear estimate and
    A x = v holds from then on.

    Args:
        model: unfolded network made of `Block` layers.
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].

    Raises:
        ValueError: odd M, fewer examples than coefficients, or as of `check`.
    """
    check(model)
    sensing = model.encoder.get_layer(SENSING)
    sensing.kernel.assign(klt_kernel(csi, sensing.units))
    for block in model.decoder.layers:
        if hasattr(block, "start_neutral"):
            block.start_neutral(START_THETA)


def start_tied(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Set A and W of TiLISTA-Joint to the KLT's basis, see `start`."""
    start(model, csi)
    block = model.decoder.get_layer("block1")
    block.back.kernel.assign(block.sensing.kernel)


def start_estimate(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Q of ISTA-Net by regression, transforms that start as the identity."""
    sensing = model.encoder.get_layer(SENSING)
    h = (csi - np.float32(0.5)).reshape(len(csi), -1)
    kernel, _ = ridge_regression(h @ np.asarray(sensing.kernel), h)
    model.decoder.get_layer(FIRST).kernel.assign(kernel)
    for layer in model.decoder.layers:
        if isinstance(layer, IstaNetPhase):
            layer.start_neutral(START_THETA)
