"""SM-CsiNet+ and PM-CsiNet+: one encoder for four compression ratios."""

from __future__ import annotations

from zoo.keras_compat import Model, layers
from zoo.models import csinet_plus
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    connect,
    csi_input,
    flat_size,
)
from zoo.models.csinet_plus import csinet_plus_decoder, front_end
from zoo.models.spec import ModelSpec

RATES = (4, 8, 16, 32)  # values of a CSI matrix per value of its codeword


def build_csinet_plus_sm(
    csi_shape=(32, 32, 2), codeword_dim: int = 512
) -> CsiAutoencoder:
    """SM-CsiNet+: serial multiple-rate encoder.

    Guo, Wen, Jin, Li, IEEE Transactions on Wireless Communications 19(4), 2020,
    https://arxiv.org/abs/1906.06007, section on multiple-rate CSI feedback.

    A codeword is compressed again to give the next shorter one; every rate has its own
    decoder, CsiNet+'s::

        csi - CsiNet+ convolutions - FC 512 +- FC 256 +- FC 128 +- FC 64
                                            |         |         |      |
                                       decoder 4  decoder 8    16     32

    The chain replaces four encoders at the UE:

    | | SM | PM | four CsiNet+ |
    |---|---|---|---|
    | UE params | 1,221,968 | 1,049,488 | 1,968,640 |
    | saved | 37.9 % | 46.7 % | |

    (the abstract prints 38.0 % and 46.7 %).

    Args:
        csi_shape: (N_t, N_a, 2), 2 N_t N_a a multiple of 32.
        codeword_dim: rate that encoder, decoder and autoencoder are built for, one of
            2 N_t N_a / (4, 8, 16, 32): M = 512, 256, 128 or 64 at 32 x 32. The encoder
            holds the chain down to that rate.

    Returns:
        Encoder, decoder and autoencoder of that rate, and in `joint` the model from CSI
        to the reconstructions of all four, longest codeword first. `joint` is the same
        for every `codeword_dim`, so that its weights file serves all of them.

    Raises:
        ValueError: a size is not usable.

    Deviations: the authors' code is not public, and neither are the weights of the four
    losses, which are equal unless the training says otherwise. Between the FC layers
    is no activation, since each output is itself a linear codeword. See also
    `build_csinet_plus`.
    """
    shape, dims = _sizes(csi_shape, codeword_dim)
    csi = csi_input(shape)
    z, codewords = front_end(csi), []
    for rate, dim in zip(RATES, dims, strict=True):
        z = layers.Dense(dim, name=f"codeword_cr{rate}")(z)
        codewords.append(z)
    return _all_rates("csinet_plus_sm", csi, codewords, codeword_dim)


def build_csinet_plus_pm(
    csi_shape=(32, 32, 2), codeword_dim: int = 512
) -> CsiAutoencoder:
    """PM-CsiNet+: parallel multiple-rate encoder.

    Guo, Wen, Jin, Li, as `build_csinet_plus_sm`.

    The codeword of 1/4 consists of eight pieces; the other rates send the first four,
    two or one of them. A UE that stops earlier has computed what it sends, and one
    encoder of 1/4 (1,049,488 parameters) holds all rates::

                                       +- FC 64: z1
        csi - CsiNet+ convolutions ----+- FC 64: z2
                                       +- ...
                                       +- FC 64: z8

        1/32: z1   1/16: [z1 z2]   1/8: [z1 ... z4]   1/4: [z1 ... z8]

    Args:
        csi_shape: (N_t, N_a, 2), 2 N_t N_a a multiple of 32.
        codeword_dim: rate that encoder, decoder and autoencoder are built for, one of
            2 N_t N_a / (4, 8, 16, 32): M = 512, 256, 128 or 64 at 32 x 32. The encoder
            holds the pieces of that rate.

    Returns:
        As `build_csinet_plus_sm`.

    Raises:
        ValueError: a size is not usable.

    Deviations: see `build_csinet_plus_sm`.
    """
    shape, dims = _sizes(csi_shape, codeword_dim)
    csi = csi_input(shape)
    features, length = front_end(csi), dims[-1]
    pieces = [
        layers.Dense(length, name=f"piece{i + 1}")(features)
        for i in range(dims[0] // length)
    ]
    codewords = [
        layers.Concatenate(name=f"codeword_cr{rate}")(pieces[: dim // length])
        for rate, dim in zip(RATES[:-1], dims[:-1], strict=True)
    ]
    return _all_rates("csinet_plus_pm", csi, [*codewords, pieces[0]], codeword_dim)


def _sizes(csi_shape, codeword_dim: int):
    """Checked csi_shape and the codeword lengths of all rates."""
    shape = check_sizes(csi_shape, codeword_dim)
    size = flat_size(shape)
    if size % RATES[-1]:
        raise ValueError(
            f"csi_shape is {shape} with {size} values, expected a multiple of "
            f"{RATES[-1]} that all rates divide; choose N_t N_a a multiple of 16"
        )
    dims = [size // rate for rate in RATES]
    if codeword_dim not in dims:
        raise ValueError(
            f"codeword_dim is {codeword_dim}, expected one of "
            f"{', '.join(map(str, dims))}: the rates 1/4 to 1/32 of {size} values"
        )
    return shape, dims


def _all_rates(network: str, csi, codewords, codeword_dim: int) -> CsiAutoencoder:
    """Decoders for codewords of one encoder graph, and all models."""
    shape, dims = csi.shape[1:], [z.shape[-1] for z in codewords]
    decoders = [
        csinet_plus_decoder(shape, dim, f"cr{rate}")
        for rate, dim in zip(RATES, dims, strict=True)
    ]
    chosen = dims.index(codeword_dim)
    encoder = Model(csi, codewords[chosen], name=f"{network}_encoder")
    inputs = csi_input(shape)
    all_codewords = Model(csi, codewords, name=f"{network}_all_codewords")(inputs)
    outputs = [decoder(z) for decoder, z in zip(decoders, all_codewords, strict=True)]
    joint = Model(inputs, outputs, name=f"{network}_joint")
    return connect(encoder, decoders[chosen])._replace(joint=joint)


def _spec(name: str, build) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=build,
        paper=csinet_plus.SPEC.paper,
        licence=csinet_plus.SPEC.licence,
        codeword_dims=(512, 256, 128, 64),
        fitted_start="nested_rates",
    )


SPECS = (
    _spec("csinet_plus_pm", build_csinet_plus_pm),
    _spec("csinet_plus_sm", build_csinet_plus_sm),
)
