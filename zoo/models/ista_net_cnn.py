"""ISTA-Net of Zhang and Ghanem: unfolded ISTA with convolutional transforms."""

from __future__ import annotations

import numpy as np

from zoo.keras_compat import Model, layers
from zoo.layers.random_projection import RandomProjection
from zoo.layers.unfolded_cnn import IstaNetPhase, Penalty
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_count,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    flat_size,
)
from zoo.models.spec import ModelSpec
from zoo.models.unfolding import (
    SENSING,
    centred_csi_input,
    csi_of,
)

FIRST = "first_estimate"
WEIGHTS = (0.0, 0.01)  # of the estimates between and of the symmetry in the loss


def build_ista_net_cnn(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    phases: int = 9,
    channels: int = 32,
) -> CsiAutoencoder:
    """ISTA-Net for CSI: a random measurement and a learned sparse transform.

    Zhang, Ghanem, "ISTA-Net: Interpretable Optimization-Inspired Deep Network for Image
    Compressive Sensing", CVPR 2018, https://arxiv.org/abs/1706.07929. (What LORA's
    authors call ISTA-NET is `build_ista_net`.)

    x in R^N, N = 2 N_t N_a, is the zero-centred CSI; A `[M, N]` has random orthonormal
    rows and is never trained; 9 phases with weights of their own::

        encoder (UE): v = A x
        decoder (BS): x_0 = Q v
                      r = x_(t-1) - rho_t A^T (A x_(t-1) - v)
                      x_t = B(soft(F(r), theta_t))

        F 3x3 2 -> 32 - ReLU - 3x3 32 -> 32, B 3x3 32 -> 32 - ReLU - 3x3 32 -> 2

    Q is the least-squares estimate of training CSI given v, `--init=klt`, or A^T.
    Training adds 0.01 sum mean (B(F(r)) - r)^2 to the loss. 19,586 trained parameters
    per phase; the UE stores A. There are no published figures on CSI.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        phases: iterations.
        channels: feature maps of F.

    Returns:
        Encoder, decoder and autoencoder, and the decoder with its loss for training.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: two parts of the CSI instead of one grey image, so that the outer
    convolutions have 2 channels. Without `--init=klt` Q is A^T.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    check_count("phases", phases)
    check_count("channels", channels)
    csi, x = centred_csi_input(shape)
    sensing = RandomProjection(codeword_dim, orthonormal=True, name=SENSING)
    encoder = Model(csi, sensing(x), name="ista_net_cnn_encoder")
    v = codeword_input(codeword_dim)
    first = layers.Dense(flat_size(shape), use_bias=False, trainable=False, name=FIRST)
    x, symmetries = first(v), []
    first.kernel.assign(np.asarray(sensing.kernel).T)
    for t in range(phases):
        phase = IstaNetPhase(sensing, shape, channels, name=f"phase{t + 1}")
        x, symmetry = phase([x, v])
        symmetries.append(symmetry)
    csi_hat = csi_of(x, shape)
    decoder = Model(v, csi_hat, name="ista_net_cnn_decoder")
    true_csi = csi_input(shape)
    added = Penalty(0, WEIGHTS, name="penalty")([true_csi, *symmetries])
    supervised = Model([v, true_csi], [csi_hat, added], name="ista_net_cnn_supervised")
    return connect(encoder, decoder, supervised=supervised)


SPEC = ModelSpec(
    name="ista_net_cnn",
    build=build_ista_net_cnn,
    paper="Zhang, Ghanem: ISTA-Net: Interpretable Optimization-Inspired Deep Network "
    "for Image Compressive Sensing, CVPR 2018, https://arxiv.org/abs/1706.07929",
    licence="none stated",
    fitted_start="estimate",
)
