"""DualNet-MP: magnitudes with uplink side information, phases by their cosine."""

from __future__ import annotations

import math

from zoo.keras_compat import Model, layers
from zoo.layers.polar import FromPolar, Phase, Stretch, Unstretch
from zoo.layers.slots import SlotRange
from zoo.models.autoencoder import CsiAutoencoder, codeword_input, connect, csi_input
from zoo.models.dualnet_branches import (
    ENCODER,
    LICENCE,
    PAPER,
    check_options,
    csi_of,
    decode_magnitude,
    encode_magnitude,
    stack,
    uplink_input,
)
from zoo.models.spec import ModelSpec

PHASES, COMBINE = ("cosine", "angle"), ("cosine", "always")


def build_dualnet_mp(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 384,
    magnitude_dim: int = 256,
    core: str = "circular",
    convs: int = 5,
    phase: str = "cosine",
    combine: str = "cosine",
) -> CsiAutoencoder:
    """DualNet-MP.

    Lin, Liu, Lee, Ding, "Deep Learning Phase Compression for MIMO CSI Feedback by
    Exploiting FDD Channel Reciprocity", IEEE Wireless Communications Letters 10(10),
    2021, https://arxiv.org/abs/2103.00432. Circular convolutions, 7x7 in the magnitude
    branch (see `build_dualnet_mag`) and in the encoder, 5x5 elsewhere::

        encoder (UE): cos - 16 - 8 - 4 - 2 - 1 - FC L - tanh - kappa    tanh each
                      sign of the sine, N_t N_a entries
        decoder (BS): 1 / kappa - FC 1024 - 16 - 8 - 4 - 2 tanh - 1 tanh = cos_hat
                      h_0 = |h_hat| (cos_hat, sign sqrt(1 - cos_hat^2))
                      h_0 + (16 - 8 - 4 LReLU - 2 tanh)(h_0) = h_hat

    The codeword is `[magnitudes | phases L | signs]`. With `phase` 'angle' the phase
    itself is coded, there are no signs, and h_0 = |h_hat| (cos, sin) of the decoded
    phase: the paper's MSE0 and MDPP, whose architecture is otherwise the same (give
    `combine` 'always').

    Parameters at magnitude 1/4, phase 1/8 (M = 384): 826,922 with five, 826,330 with
    four convolutions in the encoders; phase 1/16 (M = 320): 695,722.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: M = magnitude_dim + L real entries; the signs come on top.
        magnitude_dim: of them those of the magnitudes.
        core: 'circular' or 'zero' continuation at the edges, or 'dnn'.
        convs: convolutions of the encoders, 5 (public code) or 4 (the text).
        phase: 'cosine' and signs, or 'angle'.
        combine: whether the last network repairs h_0: behind a 'cosine' alone, as in
            networks that were trained before there was a choice, or 'always'.

    Returns:
        Encoder, decoder and autoencoder; the decoder takes `[codeword, uplink]`, the
        uplink's magnitudes `[batch, N_t, N_a, 1]`.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: as of `build_dualnet_mag`; L is as long as the text says, the public
    code's is twice that; kappa starts at 1 and not in (-0.05, 0.05), where about a
    dozen of 256 levels are used; the square root has a finite slope at |cos| = 1; the
    'dnn' core has two FC layers for each stack, sized to the 11.6M parameters that the
    paper names without saying the sizes.
    """
    shape = check_options(csi_shape, codeword_dim, core, convs)
    if phase not in PHASES:
        raise ValueError(f"phase is {phase!r}, expected one of {', '.join(PHASES)}")
    if combine not in COMBINE:
        raise ValueError(
            f"combine is {combine!r}, expected one of {', '.join(COMBINE)}"
        )
    phase_dim = codeword_dim - magnitude_dim
    if not 0 < magnitude_dim < codeword_dim:
        raise ValueError(
            f"magnitude_dim is {magnitude_dim}, expected 1 to {codeword_dim - 1}, less "
            f"than the {codeword_dim} entries of the codeword"
        )
    stretch = Stretch(name="phase_kappa")
    csi = csi_input(shape)
    parts = [
        encode_magnitude(csi, magnitude_dim, core, convs),
        stretch(_encode_phase(csi, phase_dim, core, convs, phase)),
    ]
    if phase == "cosine":
        parts.append(layers.Flatten(name="signs")(Phase("sign", name="sign")(csi)))
    encoder = Model(csi, layers.Concatenate(name="codeword")(parts))
    sections = magnitude_dim, phase_dim, stretch
    decoder = _decoder(shape, sections, core, phase, combine in (phase, "always"))
    return connect(encoder, decoder)


def _encode_phase(csi, phase_dim: int, core: str, convs: int, phase: str):
    """Codeword `[batch, phase_dim]` in (-1, 1)."""
    x = Phase(phase, name=phase)(csi)
    filters = ENCODER[convs]
    x = stack(x, filters, 7, core, "phase_encoder", ["tanh"] * len(filters))
    x = layers.Flatten(name="phase_flatten")(x)
    return layers.Dense(phase_dim, activation="tanh", name="phase_codeword")(x)


def _decoder(csi_shape, sections, core: str, phase: str, combine: bool) -> Model:
    magnitude_dim, phase_dim, stretch = sections
    map_shape, entries = (*csi_shape[:2], 1), math.prod(csi_shape[:2])
    signs = entries if phase == "cosine" else 0
    end = magnitude_dim + phase_dim
    codeword, uplink = codeword_input(end + signs), uplink_input(csi_shape)
    sent = SlotRange(0, magnitude_dim, name="magnitude_entries")(codeword)
    magnitude = decode_magnitude(sent, uplink, core)
    x = SlotRange(magnitude_dim, end, name="phase_entries")(codeword)
    x = layers.Dense(entries, name="phase_expand")(
        Unstretch(stretch, name="phase_unkappa")(x)
    )
    x = layers.Reshape(map_shape, name="phase_map")(x)
    linear = [None, None, None, "tanh", "tanh"]
    polar = [magnitude, stack(x, (16, 8, 4, 2, 1), 5, core, "phase_decoder", linear)]
    if signs:
        x = SlotRange(end, end + signs, name="sign_entries")(codeword)
        polar.append(layers.Reshape(map_shape, name="sign_map")(x))
    h = FromPolar(dtype="float32", name="h_0")(polar)
    if combine:
        repair = ["leaky", "leaky", "leaky", "tanh"]
        repaired = stack(h, (16, 8, 4, 2), 5, core, "combine", repair)
        h = layers.Add(dtype="float32", name="h")([h, repaired])
    return Model([codeword, uplink], csi_of(h))


SPEC = ModelSpec(
    name="dualnet_mp",
    build=build_dualnet_mp,
    paper=PAPER,
    licence=LICENCE,
    codeword_dims=(384, 320),  # 256 of the magnitudes, the phases at 1/8 and 1/16
    fitted_start="",
    takes_uplink=True,
    continues="dualnet_mag",
)
