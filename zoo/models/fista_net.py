"""FISTA-Net for CSI: unfolded FISTA with learned measurement and convolutions."""

from __future__ import annotations

from zoo.keras_compat import Model
from zoo.layers.unfolded_cnn import ORDERS, FistaNetPhase, Penalty
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_count,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
)
from zoo.models.spec import ModelSpec, rows
from zoo.models.unfolding import (
    SENSING,
    csi_of,
    sensing_encoder,
)

WEIGHTS = (0.01, 0.01)  # of the estimates between and of the symmetry in the loss


def build_fista_net(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    phases: int = 20,
    channels: int = 16,
    order: str = "csi",
) -> CsiAutoencoder:
    """FISTA-Net for CSI feedback.

    Guo, Wang, Li, Xue, "CSI Feedback with Model-Driven Deep Learning of Massive MIMO
    Systems", https://github.com/XXXHUA/FISTA-NET-for-CSI-FEEDBACK, after Xiang, Dong,
    Yang, "FISTA-Net: Learning a Fast Iterative Shrinkage Thresholding Network for
    Inverse Problems in Imaging", IEEE Transactions on Medical Imaging 40(5), 2021,
    https://arxiv.org/abs/2008.02683.

    x in R^N, N = 2 N_t N_a, is the zero-centred CSI; A `[M, N]` is one variable of
    encoder and decoder; 20 phases with weights of their own::

        encoder (UE): v = A x
        decoder (BS): x_0 = x_-1 = 0
                      y = x_t + tau_t (x_t - x_(t-1))
                      r = y - step_t A^T (A y - v)
                      x_(t+1) = r + G(B(soft(F(D(r)), theta)))

        D 3x3 2 -> 16, F and B 1x1 - ReLU - 1x1, G 3x3 16 -> 2, theta per channel and
        sample: mean |F| x sigmoid(FC 16 (relu(BN(FC 4(mean |F|)))))

    Training adds 0.01 sum MSE(x_t) and 0.01 sum mean (B(F) - D)^2 to the loss.

    Published NMSE [dB]:

    | ratio | indoor | outdoor |
    |---|---|---|
    | 1/4 | -36.76 | -22.4 |
    | 1/8 | -26.5 | -13.65 |
    | 1/16 | -17.51 | -7.57 |
    | 1/32 | -12.01 | -4.41 |
    | 1/64 | -8.54 | -2.60 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        phases: iterations.
        channels: feature maps of D.
        order: what the convolutions see: 'csi', the CSI, or 'public', its numbers as
            the public code has them: the row (part, angle, delay) reshaped to (N_t,
            N_a, 2), so that a pixel is two neighbouring delays of one part. The
            published weights need it.

    Returns:
        Encoder, decoder and autoencoder, and the decoder with its loss for training.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: 1,758 parameters per phase beside A; the public code also creates 81
    biases per phase that it never uses. Its reshape mixes up rows and parts of the CSI,
    ours does only with `order='public'`. Its batch norm never sees a batch: it trains
    and runs with mean 0 and variance 1. A starts with orthonormal rows.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    check_count("phases", phases)
    check_count("channels", channels)
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}, expected one of {', '.join(ORDERS)}")
    encoder = sensing_encoder("fista_net", shape, codeword_dim)
    sensing = encoder.get_layer(SENSING)
    v = codeword_input(codeword_dim)
    estimates, symmetries = [], []
    for t in range(phases):
        phase = FistaNetPhase(sensing, shape, channels, order, name=f"phase{t + 1}")
        last_two = estimates[:-3:-1]
        x, symmetry = phase([*last_two, v] if last_two else v)
        estimates.append(x)
        symmetries.append(symmetry)
    csi_hat = csi_of(estimates[-1], shape)
    decoder = Model(v, csi_hat, name="fista_net_decoder")
    csi = csi_input(shape)
    between = estimates[:-1]
    penalty = Penalty(len(between), WEIGHTS, name="penalty")
    added = penalty([csi, *between, *symmetries])
    supervised = Model([v, csi], [csi_hat, added], name="fista_net_supervised")
    return connect(encoder, decoder, supervised=supervised)


SPEC = ModelSpec(
    name="fista_net",
    build=build_fista_net,
    paper="Guo, Wang, Li, Xue: CSI Feedback with Model-Driven Deep Learning of Massive "
    "MIMO Systems, https://github.com/XXXHUA/FISTA-NET-for-CSI-FEEDBACK; FISTA-Net is "
    "of Xiang, Dong, Yang, https://arxiv.org/abs/2008.02683",
    licence="none stated",
    published=rows(
        [-36.76, -26.5, -17.51, -12.01, -8.54], [-22.4, -13.65, -7.57, -4.41, -2.60]
    ),
    fitted_start="unfolded",
)
