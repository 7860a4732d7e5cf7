"""Every network of the zoo, by name."""

from __future__ import annotations

import difflib

from zoo.models import (
    acrnet,
    attention_csinet,
    bacrnet,
    bcsinet,
    cllwcsinet,
    clnet,
    conv_latent,
    convlstm_csinet,
    crnet,
    cs_csinet,
    csinet,
    csinet_lstm,
    csinet_plus,
    csinet_plus_rates,
    deepcmc,
    ds_nlcsinet,
    dualnet_mag,
    dualnet_mp,
    fista_net,
    ista_net,
    ista_net_cnn,
    lora,
    tilista_joint,
    transnet,
)
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.spec import ModelSpec

MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        acrnet.SPEC,
        attention_csinet.SPEC,
        bacrnet.SPEC,
        bcsinet.SPEC,
        *conv_latent.SPECS,
        cllwcsinet.SPEC,
        clnet.SPEC,
        convlstm_csinet.SPEC,
        crnet.SPEC,
        cs_csinet.SPEC,
        csinet.SPEC,
        csinet_lstm.SPEC,
        csinet_plus.SPEC,
        csinet_plus_rates.SPEC_PM,
        csinet_plus_rates.SPEC_SM,
        deepcmc.SPEC,
        ds_nlcsinet.SPEC,
        dualnet_mag.SPEC,
        dualnet_mp.SPEC,
        fista_net.SPEC,
        ista_net.SPEC,
        ista_net_cnn.SPEC,
        lora.SPEC,
        tilista_joint.SPEC,
        transnet.SPEC,
    )
}


def get(name: str) -> ModelSpec:
    """Look a network up.

    Raises:
        ValueError: no such network; the message lists close names.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=3) or sorted(MODELS)
        raise ValueError(
            f"unknown model {name!r}, did you mean {', '.join(close)}? "
            "(python -m zoo list shows all)"
        )
    return MODELS[name]


def build(
    name: str, csi_shape=(32, 32, 2), codeword_dim: int = 512, model_args=None
) -> CsiAutoencoder:
    """Build a network with the paper's options given by name.

    Args:
        name: registry name.
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        model_args: the paper's options, for example {'head': '3x3'}.

    Raises:
        ValueError: unknown network or option, or a value the network refuses.
    """
    spec, args = get(name), dict(model_args or {})
    unknown = sorted(set(args) - set(spec.options))
    if unknown:
        raise ValueError(
            f"model {name!r} has no option {', '.join(unknown)}; it has "
            f"{', '.join(spec.options) or 'none'}"
        )
    for option, value in args.items():
        default = spec.options[option]
        if not _is_like(value, default):
            raise ValueError(
                f"option {option} of model {name!r} is {value!r}, expected a value "
                f"like {default!r}"
            )
    return spec.build(csi_shape, codeword_dim, **args)


def _is_like(value, default) -> bool:
    """Whether an option's value is of its default's type; None stands for a number."""
    if isinstance(value, bool) or isinstance(default, bool):
        return type(value) is type(default)
    number = default is None or isinstance(default, float)
    return isinstance(value, (int, float) if number else type(default))
