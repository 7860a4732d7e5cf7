"""CS-CsiNet: random compression at the UE, CsiNet's decoder at the BS."""

from __future__ import annotations

from zoo.keras_compat import Model, layers
from zoo.layers.random_projection import RandomProjection
from zoo.models.autoencoder import CsiAutoencoder, check_sizes, connect, csi_input
from zoo.models.csinet import SPEC as CSINET
from zoo.models.csinet import conv_options, csinet_decoder
from zoo.models.spec import ModelSpec


def build_cs_csinet(
    csi_shape=(32, 32, 2), codeword_dim: int = 512, bn: str = "channel"
) -> CsiAutoencoder:
    """CS-CsiNet, which learns only to reconstruct from random measurements.

    Wen, Shih, Jin, "Deep Learning for Massive MIMO CSI Feedback", IEEE Wireless
    Communications Letters 7(5), 2018, https://arxiv.org/abs/1712.08919.

    Feature maps `[batch, 32, 32, channels]`; RefineNet as in `build_csinet`::

        encoder (UE): csi - flatten 2048 - fixed random matrix M
        decoder (BS): FC 2048 - reshape - RefineNet - RefineNet - 3x3 2 - sigmoid

    The UE has no trained parameter but stores M x 2048 numbers and needs as many MACs.

    Published NMSE [dB] (the paper has no 1/8):

    | ratio | M | indoor | outdoor | params (BS) | MACs |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -11.82 | -6.69 | 1,053,986 | 5,378,048 |
    | 1/16 | 128 | -6.09 | -2.51 | 267,554 | 3,805,184 |
    | 1/32 | 64 | -4.67 | -0.52 | 136,482 | 3,543,040 |
    | 1/64 | 32 | -2.46 | -0.22 | 70,946 | 3,411,968 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        bn: batch norm of the decoder, 'channel' or 'delay' as in `build_csinet`.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or `bn` is not usable.

    Deviations: the authors' matrices are files; here each is drawn from a fixed seed
    (`RandomProjection`), with a variance of our choice. As in their code the
    measurement includes the offset 0.5. CSI is flattened channels-last, so the
    authors' matrices and FC weights need a permutation.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    conv = conv_options(bn)
    csi = csi_input(shape)
    x = layers.Flatten(name="flatten")(csi)
    codeword = RandomProjection(codeword_dim, name="codeword")(x)
    encoder = Model(csi, codeword, name="cs_csinet_encoder")
    return connect(encoder, csinet_decoder("cs_csinet", shape, codeword_dim, conv))


SPEC = ModelSpec(
    name="cs_csinet",
    build=build_cs_csinet,
    paper=CSINET.paper,
    licence=CSINET.licence,
    published={
        "1/4": {"indoor": -11.82, "outdoor": -6.69},
        "1/16": {"indoor": -6.09, "outdoor": -2.51},
        "1/32": {"indoor": -4.67, "outdoor": -0.52},
        "1/64": {"indoor": -2.46, "outdoor": -0.22},
    },
)
