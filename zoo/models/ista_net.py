"""ISTA-NET as LORA's authors define it: unfolded ISTA with a learned measurement."""

from __future__ import annotations

from zoo.layers.unfolding import ShrinkageBlock
from zoo.models.autoencoder import CsiAutoencoder, check_count, check_sizes, connect
from zoo.models.lora import SPEC as LORA
from zoo.models.spec import ModelSpec
from zoo.models.unfolding import (
    SENSING,
    sensing_encoder,
    unfolded_decoder,
)


def build_ista_net(
    csi_shape=(32, 32, 2), codeword_dim: int = 512, blocks: int = 10
) -> CsiAutoencoder:
    """ISTA-NET, a baseline of the LORA paper (not Zhang and Ghanem's ISTA-Net).

    Hu, Liu, Xie, Xue, Meng, Gunduz, "A Learnable Optimization and Regularization
    Approach to Massive MIMO CSI Feedback", IEEE Transactions on Wireless
    Communications 23(1), 2024.

    x in R^N, N = 2 N_t N_a, is the zero-centred CSI; A `[M, N]` is one variable of
    encoder and decoder::

        encoder (UE): v = A x
        decoder (BS): x_0 = 0
                      x_t = soft(x_(t-1) - alpha_t A^T (A x_(t-1) - v), theta_t)

    Parameters N M at the UE and 2 per block at the BS, which holds a copy of A besides.
    The paper gives its results as curves only, below TiLISTA-Joint and LORA.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        blocks: iterations, each with its own alpha and theta.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: the number of blocks is not in the paper; 10 as TiLISTA-Joint's. The
    initial A has orthonormal rows, alpha starts at 1 and theta at 0.001, a twentieth of
    the CSI's standard deviation.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    check_count("blocks", blocks)
    encoder = sensing_encoder("ista_net", shape, codeword_dim)
    sensing = encoder.get_layer(SENSING)
    iterations = [ShrinkageBlock(sensing, name=f"block{t + 1}") for t in range(blocks)]
    decoder = unfolded_decoder("ista_net", shape, codeword_dim, iterations)
    return connect(encoder, decoder)


SPEC = ModelSpec(
    name="ista_net",
    build=build_ista_net,
    paper=LORA.paper,
    licence=LORA.licence,
    fitted_start="unfolded",
)
