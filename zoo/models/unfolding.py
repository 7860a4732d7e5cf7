"""What unfolded networks share: the linear encoder, the decoder's end, the start."""

from __future__ import annotations

import numpy as np

from zoo.keras_compat import Model, layers
from zoo.metrics import klt_line
from zoo.models.autoencoder import codeword_input, csi_input, flat_size

SENSING = "codeword"  # name of the layer that holds A
START_THETA = 1e-4  # almost no shrinkage: the start is the KLT codec


def centred_csi_input(csi_shape):
    """Encoder input and the zero-centred vector x `[batch, N]` that it is."""
    csi = csi_input(csi_shape)
    x = layers.Rescaling(1.0, -0.5, dtype="float32", name="centre")(csi)
    return csi, layers.Flatten(name="flatten")(x)


def sensing_encoder(name: str, csi_shape, codeword_dim: int) -> Model:
    """Encoder v = A x of zero-centred CSI, A `[M, N]`, orthonormal rows at first."""
    csi, x = centred_csi_input(csi_shape)
    codeword = layers.Dense(
        codeword_dim, use_bias=False, kernel_initializer="orthogonal", name=SENSING
    )(x)
    return Model(csi, codeword, name=f"{name}_encoder")


def unfolded_decoder(name: str, csi_shape, codeword_dim: int, blocks) -> Model:
    """Decoder of blocks in a row, the first from x = 0, without output activation.

    Args:
        name: name of the network.
        csi_shape: (N_t, N_a, 2).
        codeword_dim: M.
        blocks: layers (x, v) to x, see `zoo.layers.unfolding.Block`.
    """
    v = codeword_input(codeword_dim)
    first, *others = blocks
    x = first(v)
    for block in others:
        x = block([x, v])
    return Model(v, csi_of(x, csi_shape), name=f"{name}_decoder")


def csi_of(x, csi_shape):
    """CSI around 0.5 `[batch, N_t, N_a, 2]` of its zero-centred vector `[batch, N]`."""
    x = layers.Reshape(tuple(csi_shape), dtype="float32", name="unflatten")(x)
    return layers.Rescaling(1.0, 0.5, dtype="float32", name="csi_hat")(x)


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


def start_at_klt(model, csi: np.ndarray) -> None:
    """Set A to the KLT's basis and every block to add nothing: `--init=klt`.

    With orthonormal rows of A the first block already is the best linear estimate and
    A x = v holds from then on.

    Args:
        model: unfolded network made of `Block` layers.
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].

    Raises:
        ValueError: odd M, fewer examples than coefficients, or a codeword normaliser,
            which the blocks do not undo.
    """
    if model.encoder.layers[-1].name != SENSING:
        raise ValueError(
            "--init=klt: the unfolded decoder starts from the codeword itself; give "
            "--normaliser=none, and --quantizer=qat, lsq or lszq"
        )
    sensing = model.encoder.get_layer(SENSING)
    sensing.kernel.assign(klt_kernel(csi, sensing.units))
    for block in model.decoder.layers:
        if hasattr(block, "start_neutral"):
            block.start_neutral(START_THETA)
