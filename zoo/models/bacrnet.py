"""BACRNet: ACRNet with one-bit fully connected layers."""

from __future__ import annotations

from zoo.layers.binary import binary_dense
from zoo.models.acrnet import aggregated_network
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.spec import ModelSpec, Variant, rows


def build_bacrnet(
    csi_shape=(32, 32, 2), codeword_dim: int = 512, kappa: int = 1
) -> CsiAutoencoder:
    """BACRNet-1x to -20x, whose two FC layers, at UE and BS, are binarised.

    Lu, Zhang, He, Wang, Song, "Binarized Aggregated Network with Quantization: Flexible
    Deep Learning Deployment for CSI Feedback in Massive MIMO Systems", IEEE
    Transactions on Wireless Communications 21(7), 2022,
    https://arxiv.org/abs/2105.00354.

    Feature maps `[batch, 32, 32, channels]`; EBlock and DBlock as in `build_acrnet`::

        encoder (UE): csi 2 - 5x5 2 - PReLU - EBlock - EBlock - binary FC M
        decoder (BS): binary FC 2048 - reshape - 5x5 2 - PReLU - DBlock - DBlock
                      - sigmoid

    A binary FC layer computes with alpha sign(W) (`zoo.layers.binary.BinaryDense`).

    Published NMSE [dB], indoor/outdoor (Table V of Ansari and Mohassel Feghhi's
    CLLWCsiNet paper), and parameters as float equivalents (a bit is 1/32):

    | ratio | M | 1x | 10x | 1x equivalents | 10x equivalents |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -14.20/-7.03 | -17.27/-8.78 | 70,728 | 90,888 |
    | 1/8 | 256 | -11.52/-5.52 | -14.96/-6.63 | 37,704 | 57,864 |
    | 1/16 | 128 | -/-2.92 | -11.7/-4.63 | 21,192 | 41,352 |

    Trained parameters and MACs are ACRNet's. The indoor figure of 1x at 1/16 is printed
    as -2.19, with 7.12K parameters; both belong to CL-CsiNet in that paper's Table III.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        kappa: expansion factor of the decoder, 1 to 20.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or `kappa` is not usable.

    Deviations: the codeword stays float. The paper quantises it too, in a way that is
    not in the public code; choose a quantiser in the configuration. The training of the
    binary layers is not published, see `BinaryDense`.
    """
    return aggregated_network("bacrnet", csi_shape, codeword_dim, kappa, binary_dense)


SPEC = ModelSpec(
    name="bacrnet",
    build=build_bacrnet,
    paper="Lu, Zhang, He, Wang, Song: Binarized Aggregated Network with "
    "Quantization: Flexible Deep Learning Deployment for CSI Feedback in "
    "Massive MIMO Systems, IEEE Transactions on Wireless Communications "
    "21(7), 2022, https://arxiv.org/abs/2105.00354",
    licence="MIT",
    # Indoor 1/16 is left out: the source prints another network's figure.
    published=rows([-14.20, -11.52], [-7.03, -5.52, -2.92]),
    variants={
        "10x": Variant(
            {"kappa": 10}, rows([-17.27, -14.96, -11.7], [-8.78, -6.63, -4.63])
        ),
    },
    fitted_start="",
)
