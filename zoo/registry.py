"""Every network of the zoo, by name; without TensorFlow until one is looked up."""

from __future__ import annotations

import difflib
import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfds_builders import blocks
from zoo.config import OWN, ExperimentConfig
from zoo.config_checks import is_reference
from zoo.models import references

if TYPE_CHECKING:
    from zoo.models.autoencoder import CsiAutoencoder
    from zoo.models.spec import ModelSpec

_NAMES = (
    "acrnet", "attention_csinet", "bacrnet", "bcsinet", "cl_csinet", "cl_crnet",
    "cl_acrnet", "cllwcsinet", "clnet", "convlstm_csinet", "crnet", "cs_csinet",
    "csinet", "csinet_lstm", "csinet_plus", "csinet_plus_pm", "csinet_plus_sm",
    "deepcmc", "ds_nlcsinet", "dualnet_mag", "dualnet_mp", "fista_net", "ista_net",
    "ista_net_cnn", "klt_residual", "lora", "subband_transformer", "tilista_joint",
    "transnet",
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


ENTRY_POINTS = "csi_feedback_zoo.models"
_registered: dict[str, ModelSpec] = {}


def register(spec: ModelSpec) -> ModelSpec:
    """Give this process a network of its own under `spec.name`.

    Registering another of that name replaces it.

    Raises:
        ValueError: no ModelSpec, or a name that is not free or not lower_snake.
    """
    _registered[_checked(spec, "register").name] = spec
    return spec


@functools.cache
def _installed() -> dict[str, metadata.EntryPoint]:
    """Entry points of installed packages, by name."""
    return {entry.name: entry for entry in metadata.entry_points(group=ENTRY_POINTS)}


def own() -> list[str]:
    """Names of the networks that are registered or come with installed packages."""
    return sorted({*_registered, *_installed()})


def is_registered(name: str) -> bool:
    """Whether a network was registered in this process, where no other one has it."""
    return name in _registered


def _checked(spec: Any, origin: str) -> ModelSpec:
    """A network of the user, once it is one and its name is free."""
    from zoo.models.spec import ModelSpec

    if not isinstance(spec, ModelSpec):
        raise ValueError(
            f"{origin}: got {type(spec).__name__} {spec!r:.60}, expected a "
            "zoo.models.spec.ModelSpec(name, build)"
        )
    if not re.fullmatch("[a-z][a-z0-9_]*", spec.name):
        raise ValueError(
            f"{origin}: the name is {spec.name!r}, expected lower case such as 'my_net'"
        )
    if spec.name in MODELS:
        raise ValueError(
            f"{origin}: the name {spec.name!r} is that of a network of the zoo, choose "
            "another"
        )
    return spec


def _from_package(name: str) -> ModelSpec:
    """Network of an installed package.

    Raises:
        ValueError: it cannot be imported, or is no network of that name.
    """
    entry = _installed()[name]
    origin = f"entry point {name} of {entry.dist.name} {entry.dist.version}"
    try:
        spec = entry.load()
    except (Exception, SystemExit) as error:
        raise ValueError(f"{origin}: {type(error).__name__}: {error}") from error
    if _checked(spec, origin).name != name:
        raise ValueError(f"{origin}: its network is called {spec.name!r}, expected one")
    return spec


def admit(model: str = "", quantizer: str = "") -> None:
    """Import what a command line or a caller names of the user's own code.

    Args:
        model: as of `--model`; only a reference is imported.
        quantizer: as of `--quantizer`.

    Raises:
        ValueError: it cannot be imported, or is no network.
    """
    for flag, name in zip(OWN, (model, quantizer), strict=True):
        if is_reference(name):
            value = references.load(flag, name)
            if flag == "model":
                _checked(value, f"--model={name}")


def check_name(name: str) -> None:
    """Refuse a name that no network has, without importing one.

    Raises:
        ValueError: no such network; the message lists close names.
    """
    if is_reference(name):
        references.loaded("model", name)
    elif name not in MODELS and name not in own():
        known = [*MODELS, *own()]
        close = difflib.get_close_matches(name, known, n=3) or sorted(known)
        fix = f"--model={name}:SPEC for your own" if name.endswith(".py") else ""
        raise ValueError(
            f"unknown model {name!r}, did you mean "
            f"{fix or ', '.join(close)}? (python -m zoo list shows all)"
        )


def check_names(settings: ExperimentConfig) -> None:
    """Refuse a network or data set that there is not, without TensorFlow.

    The settings are a command line's or a caller's: own code that they name is
    imported.

    Raises:
        ValueError: there is none of that name; the message lists close ones.
    """
    blocks.check_name(settings.dataset)
    admit(settings.model, settings.quantizer)
    check_name(settings.model)


def check_run(run: Path, model: str = "", quantizer: str = "") -> None:
    """Refuse a run whose network or quantiser there is not, without TensorFlow.

    Args:
        run: directory of the run.
        model: the user's own network, where the command line names it.
        quantizer: likewise.

    Raises:
        FileNotFoundError: not a run directory.
        ValueError: config.json is damaged, or refers to code that nobody has named; or
            a name that is no code of the user, for which the run has its own.
    """
    for flag, name in zip(OWN, (model, quantizer), strict=True):
        if name and not is_reference(name):
            raise ValueError(
                f"--{flag}={name}: {run} has its own; expected FILE.py:NAME or "
                "package.module:NAME of your code, leave it out"
            )
    admit(model, quantizer)
    settings = ExperimentConfig.of_run(run)
    check_name(model or settings.model)
    if is_reference(quantizer or settings.quantizer):
        references.loaded("quantizer", quantizer or settings.quantizer)


def get(name: str) -> ModelSpec:
    """Look a network up: of the zoo, of this process, of an installed package.

    Args:
        name: of the network, or a reference that was admitted before.

    Raises:
        ValueError: no such network; the message lists close names.
    """
    check_name(name)
    if is_reference(name):
        return references.loaded("model", name)
    if name in MODELS:
        return MODELS[name]
    return _registered.get(name) or _from_package(name)


def build(
    name: str, csi_shape=None, codeword_dim: int = 512, model_args=None
) -> CsiAutoencoder:
    """Build a network with the paper's options given by name.

    Args:
        name: registry name.
        csi_shape: (N_t, N_a, 2); None: the paper's.
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
    return spec.build(tuple(csi_shape or spec.csi_shape), codeword_dim, **args)


def _is_like(value, default) -> bool:
    """Whether an option's value is of its default's type; None stands for a number."""
    if isinstance(value, bool) or isinstance(default, bool):
        return type(value) is type(default)
    number = default is None or isinstance(default, float)
    return isinstance(value, (int, float) if number else type(default))
