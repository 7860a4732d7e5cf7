"""LORA: gradient descent with a learned measurement, step and regulariser, unfolded."""

from __future__ import annotations

from zoo.layers.regularisers import CnnRegulariser, MlpRegulariser
from zoo.layers.unfolding import DescentBlock
from zoo.models.autoencoder import CsiAutoencoder, check_count, check_sizes, connect
from zoo.models.spec import ModelSpec, Variant
from zoo.models.unfolding import (
    SENSING,
    sensing_encoder,
    unfolded_decoder,
)

REGULARISERS = ("mlp", "cnn")
CHANNELS = 32  # between the convolutions of the CNN regulariser


def build_lora(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    blocks: int = 4,
    hidden: int = 1024,
    regulariser: str = "mlp",
    start: float = 0.01,
) -> CsiAutoencoder:
    """LORA, learnable optimisation and regularisation algorithm.

    Hu, Liu, Xie, Xue, Meng, Gunduz, "A Learnable Optimization and Regularization
    Approach to Massive MIMO CSI Feedback", IEEE Transactions on Wireless
    Communications 23(1), 2024.

    x in R^N, N = 2 N_t N_a, is the zero-centred CSI; A `[M, N]` is one variable of
    encoder and decoder::

        encoder (UE): v = A x
        decoder (BS): x_0 = 0
                      x_t = x_(t-1) - alpha_t (A^T (A x_(t-1) - v) + g(x_(t-1)))
                      g(x) = W2 relu(W1 x), hidden 1024, the same in all T = 4 blocks

    Parameters N M at the UE and 2 N 1024 + T at the BS, which holds a copy of A
    besides; at 1/4, 1/8, 1/16, 1/32, 1/64 the MACs of the BS are 24,117,248,
    20,447,232, 18,612,224, 17,694,720 and 17,235,968.

    Published NMSE, linear in the paper, on its RMa NLOS data: 0.0012 at 1/16 (Table I;
    0.0753 with the CNN), 0.0099 at 1/64 (Table III, which also varies T and hidden).

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        blocks: T.
        hidden: width of the MLP; the paper's is N / 2, and 2 N in Table III.
        regulariser: g, 'mlp' or 'cnn' (3x3 2 -> 32, ReLU, 3x3 32 -> 2).
        start: W2 (of the CNN the second kernel) begins at this share of Glorot's; at 1
            the untrained network is worse than the estimate 0, and more so by each
            block.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: the initial A (orthonormal rows), alpha (1) and W2 (a hundredth of
    Glorot's, so that the first estimate is A^T v) are not in the paper. Nor are the
    scaling of the CSI (here that of all networks, minus 0.5) and its order
    (channels-last). The CNN has no biases, as the MLP, and no activation at its end.
    The paper counts W1 and W2 once per block although all share them.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    check_count("blocks", blocks)
    check_count("hidden", hidden)
    if not start >= 0:
        raise ValueError(f"start is {start!r}, expected 0 or more")
    if regulariser not in REGULARISERS:
        raise ValueError(
            f"regulariser is {regulariser!r}, expected one of {', '.join(REGULARISERS)}"
        )
    encoder = sensing_encoder("lora", shape, codeword_dim)
    sensing = encoder.get_layer(SENSING)
    if regulariser == "mlp":
        g = MlpRegulariser(hidden, start, name="regulariser")
    else:
        g = CnnRegulariser(shape, CHANNELS, start, name="regulariser")
    iterations = [DescentBlock(sensing, g, name=f"block{t + 1}") for t in range(blocks)]
    decoder = unfolded_decoder("lora", shape, codeword_dim, iterations)
    return connect(encoder, decoder)


def _table3() -> dict[str, Variant]:
    """Table III: NMSE [dB] of (0.1791, 0.1706, ...) at 1/64, by width and blocks."""
    figures = {
        512: (-7.47, -7.68, -7.81, -7.89),
        1024: (-20.04, -21.49, -22.60, -23.28),
        4096: (-7.88, -18.63, -19.79, -20.92),
    }
    return {
        f"{blocks} blocks {hidden} wide": Variant(
            {"blocks": blocks, "hidden": hidden}, {"1/64": {"rma_nlos": nmse_db}}
        )
        for hidden, row in figures.items()
        for blocks, nmse_db in zip((4, 5, 6, 7), row, strict=True)
        if (blocks, hidden) != (4, 1024)
    }


LSZQ = {"quantizer": "lszq", "bits": 4, "normaliser": "none"}  # bits: not given

SPEC = ModelSpec(
    name="lora",
    build=build_lora,
    paper="Hu, Liu, Xie, Xue, Meng, Gunduz: A Learnable Optimization and "
    "Regularization Approach to Massive MIMO CSI Feedback, IEEE Transactions on "
    "Wireless Communications 23(1), 2024",
    licence="no public code",
    published={"1/16": {"rma_nlos": -29.21}, "1/64": {"rma_nlos": -20.04}},
    variants={
        "cnn": Variant({"regulariser": "cnn"}, {"1/16": {"rma_nlos": -11.23}}),
        **_table3(),
        "joint LSZQ": Variant({}, {"1/4": {"rma_nlos": -22.76}}, LSZQ),
        "LSZQ alone": Variant(
            {},
            {"1/4": {"rma_nlos": -21.61}},
            LSZQ | {"train_part": "quantizer", "weights": "runs/lora_4_rma_nlos"},
        ),
    },
    fitted_start="unfolded",
)
