"""What the registry holds of a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from zoo.models.autoencoder import CsiAutoencoder

RATIOS = {"1/4": 512, "1/8": 256, "1/16": 128, "1/32": 64, "1/64": 32}
Rows = dict[str, dict[str, float]]


class Variant(NamedTuple):
    """Options other than the default for which a paper publishes figures.

    Attributes:
        model_args: options of the model function.
        published: as in ModelSpec.
        training: flags of zoo.train that differ from the network's flagfile.
    """

    model_args: dict[str, Any]
    published: Rows
    training: dict[str, Any] = {}


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
        codeword_dims: codeword lengths that the network exists for at 32 x 32.
        csi_shape: (N_t, N_a, 2), or (T, N_t, N_a, 2) of a network for sequences.
        variants: name to options and figures of what else the paper publishes.
        fitted_start: how `--init=klt` starts it, a name of `zoo.starts.by_name`:
            'linear' where a signal passes its layers linearly, up to invertible
            activations; '' where nothing starts it so.
        takes_uplink: whether the decoder knows the uplink's magnitudes.
        continues: network whose runs are a first stage: `--weights` takes them.
    """

    name: str
    build: Callable[..., CsiAutoencoder]
    paper: str = "not published"
    licence: str = "its author's"
    published: Rows = field(default_factory=dict)
    codeword_dims: tuple[int, ...] = tuple(RATIOS.values())
    csi_shape: tuple[int, ...] = (32, 32, 2)
    variants: dict[str, Variant] = field(default_factory=dict)
    fitted_start: str = "linear"
    takes_uplink: bool = False
    continues: str = ""

    @property
    def takes_sequences(self) -> bool:
        """Whether the network takes T snapshots at once."""
        return len(self.csi_shape) == 4

    @property
    def options(self) -> dict[str, Any]:
        """The paper's options of the model function with their defaults."""
        parameters = inspect.signature(self.build).parameters.values()
        fixed = ("csi_shape", "codeword_dim")
        return {p.name: p.default for p in parameters if p.name not in fixed}


def rows(indoor: list[float], outdoor: list[float] = ()) -> Rows:
    """Published NMSE [dB] from 1/4 on; a scenario may end earlier than the other."""
    result: Rows = {}
    for scenario, values in (("indoor", indoor), ("outdoor", outdoor)):
        for ratio, value in zip(RATIOS, values, strict=False):
            result.setdefault(ratio, {})[scenario] = value
    return result
