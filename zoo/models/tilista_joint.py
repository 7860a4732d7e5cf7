"""TiLISTA-Joint: tied LISTA in a learned sparse domain, with a learned measurement."""

from __future__ import annotations

from zoo.keras_compat import layers
from zoo.layers.regularisers import SparseCoder
from zoo.layers.unfolding import TiedBlock
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_count,
    check_sizes,
    connect,
    flat_size,
)
from zoo.models.lora import SPEC as LORA
from zoo.models.spec import ModelSpec
from zoo.models.unfolding import (
    SENSING,
    sensing_encoder,
    unfolded_decoder,
)

BACK = "back"  # name of the layer that holds W


def build_tilista_joint(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    blocks: int = 10,
    code: int = 2544,
) -> CsiAutoencoder:
    """TiLISTA-Joint, the strongest baseline of the LORA paper.

    Hu, Liu, Xie, Xue, Meng, Gunduz, "A Learnable Optimization and Regularization
    Approach to Massive MIMO CSI Feedback", IEEE Transactions on Wireless
    Communications 23(1), 2024.

    x in R^N, N = 2 N_t N_a, is the zero-centred CSI; A `[M, N]` is one variable of
    encoder and decoder; W `[M, N]`, E `[code, N]` and D `[N, code]` are the same in all
    blocks::

        encoder (UE): v = A x
        decoder (BS): x_0 = 0
                      x_t = D soft(E (x_(t-1) - alpha_t W^T (A x_(t-1) - v)), theta_t)

    Parameters N M at the UE; N (M + 2 code) + 2 blocks = 11,468,820 at 1/4 and
    10,485,780 at 1/64 at the BS (Table IV), which holds a copy of A besides. The paper
    gives its results as curves only, between ISTA-NET and LORA.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        blocks: iterations, each with its own alpha and theta.
        code: length of the sparse code, at least N to start as the identity.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: the paper's text gives no shapes; blocks and code follow from its
    parameter counts, the place of the transform is our choice. W starts as A with
    orthonormal rows, D as the transpose of E with orthonormal columns, alpha at 1 and
    theta at 0.001, so that the first block is the projection A^T v.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    check_count("blocks", blocks)
    check_count("code", code)
    encoder = sensing_encoder("tilista_joint", shape, codeword_dim)
    sensing = encoder.get_layer(SENSING)
    back = layers.Dense(codeword_dim, use_bias=False, name=BACK)
    back.build((None, flat_size(shape)))
    back.kernel.assign(sensing.kernel)
    coder = SparseCoder(code, name="coder")
    iterations = [
        TiedBlock(sensing, back, coder, name=f"block{t + 1}") for t in range(blocks)
    ]
    decoder = unfolded_decoder("tilista_joint", shape, codeword_dim, iterations)
    return connect(encoder, decoder)


SPEC = ModelSpec(
    name="tilista_joint",
    build=build_tilista_joint,
    paper=LORA.paper,
    licence=LORA.licence,
    fitted_start="tied",
)
