"""Every network of the zoo, by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zoo.models.acrnet import build_acrnet
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.clnet import build_clnet
from zoo.models.crnet import build_crnet
from zoo.models.csinet import build_csinet


@dataclass(frozen=True)
class ModelSpec:
    """A network and where it comes from.

    Attributes:
        name: lower-case registry name.
        build: model function (csi_shape, codeword_dim, **paper options).
        paper: authors, title, venue and link.
        licence: licence of the authors' public code.
        published: compression ratio to {scenario: NMSE dB} as the paper prints it for
            the default options.
    """

    name: str
    build: Callable[..., CsiAutoencoder]
    paper: str
    licence: str
    published: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The paper's options of the model function with their defaults."""
        parameters = inspect.signature(self.build).parameters.values()
        fixed = ("csi_shape", "codeword_dim")
        return {p.name: p.default for p in parameters if p.name not in fixed}


def _rows(indoor: list[float], outdoor: list[float]) -> dict[str, dict[str, float]]:
    ratios = ("1/4", "1/8", "1/16", "1/32", "1/64")
    rows = zip(ratios, indoor, outdoor, strict=True)
    return {ratio: {"indoor": i, "outdoor": o} for ratio, i, o in rows}


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="acrnet",
            build=build_acrnet,
            paper="Lu, Zhang, He, Wang, Song: Binarized Aggregated Network with "
            "Quantization: Flexible Deep Learning Deployment for CSI Feedback in "
            "Massive MIMO Systems, IEEE Transactions on Wireless Communications "
            "21(7), 2022, https://arxiv.org/abs/2105.00354",
            licence="MIT",
            published=_rows(
                [-27.16, -15.34, -10.36, -8.60, -6.51],
                [-10.71, -7.85, -5.19, -3.31, -2.29],
            ),
        ),
        ModelSpec(
            name="clnet",
            build=build_clnet,
            paper="Ji, Li: CLNet: Complex Input Lightweight Neural Network Designed "
            "for Massive MIMO CSI Feedback, IEEE Wireless Communications Letters "
            "10(10), 2021, https://arxiv.org/abs/2102.07507",
            licence="MIT",
            published=_rows(
                [-29.16, -15.60, -11.15, -8.95, -6.34],
                [-12.88, -8.29, -5.56, -3.49, -2.19],
            ),
        ),
        ModelSpec(
            name="crnet",
            build=build_crnet,
            paper="Lu, Wang, Song: Multi-resolution CSI Feedback with Deep Learning in "
            "Massive MIMO System, IEEE ICC 2020, https://arxiv.org/abs/1910.14322",
            licence="MIT",
            published=_rows(
                [-26.99, -16.01, -11.35, -8.93, -6.49],
                [-12.71, -8.04, -5.44, -3.51, -2.22],
            ),
        ),
        ModelSpec(
            name="csinet",
            build=build_csinet,
            paper="Wen, Shih, Jin: Deep Learning for Massive MIMO CSI Feedback, IEEE "
            "Wireless Communications Letters 7(5), 2018, "
            "https://arxiv.org/abs/1712.08919",
            licence="none stated",
            published=_rows(
                [-17.36, -12.70, -8.65, -6.24, -5.84],
                [-8.75, -7.61, -4.51, -2.81, -1.93],
            ),
        ),
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
        kinds = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(
                f"option {option} of model {name!r} is {value!r}, expected a value "
                f"like {default!r}"
            )
    return spec.build(csi_shape, codeword_dim, **args)
