"""Every network of the zoo, by name; without TensorFlow until one is looked up."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tfds_builders import blocks
from zoo.config import ExperimentConfig

if TYPE_CHECKING:
    from zoo.models.autoencoder import CsiAutoencoder
    from zoo.models.spec import ModelSpec

_NAMES = (
    "acrnet", "attention_csinet", "bacrnet", "bcsinet", "cl_csinet", "cl_crnet",
    "cl_acrnet", "cllwcsinet", "clnet", "convlstm_csinet", "crnet", "cs_csinet",
    "csinet", "csinet_lstm", "csinet_plus", "csinet_plus_pm", "csinet_plus_sm",
    "deepcmc", "ds_nlcsinet", "dualnet_mag", "dualnet_mp", "fista_net", "ista_net",
    "ista_net_cnn", "lora", "tilista_joint", "transnet",
)  # fmt: skip
_SHARED = {  # modules that are not called as their networks, with several SPECS
    "cl_csinet": "conv_latent",
    "cl_crnet": "conv_latent",
    "cl_acrnet": "conv_latent",
    "csinet_plus_pm": "csinet_plus_rates",
    "csinet_plus_sm": "csinet_plus_rates",
}


class _Specs(Mapping):
    """Name to specification; a network is imported when it is looked up."""

    def __getitem__(self, name: str) -> ModelSpec:
        if name not in _NAMES:
            raise KeyError(name)
        module = importlib.import_module(f"zoo.models.{_SHARED.get(name, name)}")
        specs = module.SPECS if name in _SHARED else (module.SPEC,)
        return {spec.name: spec for spec in specs}[name]

    def __contains__(self, name: object) -> bool:
        return name in _NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


MODELS: Mapping[str, ModelSpec] = _Specs()


def check_name(name: str) -> None:
    """Refuse a name that no network has, without importing one.

    Raises:
        ValueError: no such network; the message lists close names.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=3) or sorted(MODELS)
        raise ValueError(
            f"unknown model {name!r}, did you mean {', '.join(close)}? "
            "(python -m zoo list shows all)"
        )


def check_names(settings: ExperimentConfig) -> None:
    """Refuse a network or data set that there is not, without TensorFlow.

    Raises:
        ValueError: there is none of that name; the message lists close ones.
    """
    check_name(settings.model)
    blocks.check_name(settings.dataset)


def get(name: str) -> ModelSpec:
    """Look a network up.

    Raises:
        ValueError: no such network; the message lists close names.
    """
    check_name(name)
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
