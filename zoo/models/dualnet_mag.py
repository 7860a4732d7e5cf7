"""DualNet-MAG: compressed magnitudes with the uplink's as side information."""

from __future__ import annotations

import math

from zoo.keras_compat import Model, layers
from zoo.layers.polar import FromPolar, Phase
from zoo.layers.slots import SlotRange
from zoo.models.autoencoder import CsiAutoencoder, codeword_input, connect, csi_input
from zoo.models.dualnet_branches import (
    LICENCE,
    PAPER,
    check_options,
    csi_of,
    decode_magnitude,
    encode_magnitude,
    uplink_input,
)
from zoo.models.spec import ModelSpec


def build_dualnet_mag(
    csi_shape=(32, 32, 2), codeword_dim: int = 256, core: str = "circular",
    convs: int = 5,
) -> CsiAutoencoder:  # fmt: skip
    """DualNet-MAG with the layers of DualNet-MP's magnitude branch.

    Liu, Zhang, Ding, "Exploiting Bi-Directional Channel Reciprocity in Deep Learning
    for Low Rate Massive MIMO CSI Feedback", IEEE Wireless Communications Letters 8(3),
    2019; the layers are those of Lin, Liu, Lee, Ding, IEEE Wireless Communications
    Letters 10(10), 2021, https://arxiv.org/abs/2103.00432. Circular convolutions 7x7::

        encoder (UE): |h| - 16 - 8 - 4 - 2 - 1 - FC M            LReLU, last ReLU
        decoder (BS): FC 1024 - stack with |uplink| - 16 - 8 - 4 - 2 - 1

    The phases are not compressed: the codeword is the M entries of the magnitudes and
    behind them every phase in units of pi. Unquantised they arrive as they are, so the
    squared error of the CSI is that of the magnitudes, | |h_hat| - |h| |^2, which is
    the first stage of DualNet-MP.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M of the N_t N_a magnitudes.
        core: 'circular' or 'zero' continuation at the edges, or 'dnn'.
        convs: convolutions of the encoder, 5 (public code) or 4 (the text).

    Returns:
        Encoder, decoder and autoencoder; the decoder takes `[codeword, uplink]`, the
        uplink's magnitudes `[batch, N_t, N_a, 1]`.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: magnitudes are those of the CSI as it is scaled for every network, the
    public code scales each sample's to [0, 1] by a minimum and maximum that it does
    not feed back; the uplink's map is stacked as a second channel, the public code
    interleaves the two; the original network has the layers of CsiNet.
    """
    shape = check_options(csi_shape, codeword_dim, core, convs)
    csi, entries = csi_input(shape), math.prod(shape[:2])
    angle = layers.Flatten(name="phase")(Phase("angle", name="angle")(csi))
    parts = [encode_magnitude(csi, codeword_dim, core, convs), angle]
    encoder = Model(csi, layers.Concatenate(name="codeword")(parts))
    codeword, uplink = codeword_input(codeword_dim + entries), uplink_input(shape)
    sent = SlotRange(0, codeword_dim, name="magnitude_entries")(codeword)
    angle = SlotRange(codeword_dim, codeword_dim + entries, name="phase_entries")(
        codeword
    )
    angle = layers.Reshape((*shape[:2], 1), name="phase_map")(angle)
    magnitude = decode_magnitude(sent, uplink, core)
    h = FromPolar(dtype="float32", name="h")([magnitude, angle])
    return connect(encoder, Model([codeword, uplink], csi_of(h)))


SPEC = ModelSpec(
    name="dualnet_mag",
    build=build_dualnet_mag,
    paper=PAPER,
    licence=LICENCE,
    codeword_dims=(256,),
    fitted_start="",
    takes_uplink=True,
)
