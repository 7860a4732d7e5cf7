"""Published networks: where their tensors go, in terms of the public modules' names.

A key is a name of the public file; a value is the place of the tensor: half and name of
our layer, and the index in that layer's weights, the trainable ones first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Places = dict[str, tuple[str, int]]
CODEWORD = "encoder/codeword"
EXPAND = "decoder/expand"


def fc_outputs(at: dict[tuple[str, int], np.ndarray]) -> int:
    """Codeword length of a network whose codeword is that of an FC layer.

    Args:
        at: place to tensor, in our axes.
    """
    return outputs(at[CODEWORD, 0])


def outputs(kernel: np.ndarray) -> int:
    """Outputs of a kernel in our axes; 0 of a number, which no network has."""
    return kernel.shape[-1] if kernel.ndim else 0


class PublicNetwork(NamedTuple):
    """A published network.

    Attributes:
        places: function of the model options to the places of all tensors.
        options: function of the tensors to the model options that they show.
        channels_first: whether its fully connected layers see (part, angle, delay)
            where ours see (angle, delay, part).
        note: what the user must know of the imported network.
        codeword_dim: function of place to tensor, in our axes, to M.
        unused: function of the model options to the beginnings of the names of tensors
            that the public network stores, but does not compute with.
        other: the same network under other names.
        pytorch_axes: whether kernels are (outputs, inputs, ...), not (..., outputs).
    """

    places: Callable[[dict[str, Any]], Places]
    options: Callable[[dict[str, np.ndarray]], dict[str, Any]] = lambda _: {}
    channels_first: bool = True
    note: str = ""
    codeword_dim: Callable[[dict[tuple[str, int], np.ndarray]], int] = fc_outputs
    unused: Callable[[dict[str, Any]], tuple[str, ...]] = lambda _: ()
    other: PublicNetwork | None = None
    pytorch_axes: bool = True

    def of(self, tensors: dict[str, np.ndarray]) -> PublicNetwork:
        """This network, or `other` where the tensors have its names."""
        other = self.other
        if other and set(other.places(other.options(tensors))) <= set(tensors):
            return other
        return self


def module(ours: str, theirs: str, *kinds: str) -> Places:
    """Tensors of a module, in the order of our layer's weights."""
    return {f"{theirs}.{kind}": (ours, i) for i, kind in enumerate(kinds)}


def linear(ours: str, theirs: str) -> Places:
    """Weight and bias."""
    return module(ours, theirs, "weight", "bias")


def conv_bn(ours: str, theirs: str, conv: str = "conv", *kinds: str) -> Places:
    """Convolution and batch norm; `kinds` of the convolution, by default its weight."""
    statistics = ("weight", "bias", "running_mean", "running_var")
    return {
        **module(f"{ours}_conv", f"{theirs}.{conv}", *(kinds or ("weight",))),
        **module(f"{ours}_bn", f"{theirs}.bn", *statistics),
    }


def conv_bns(half: str, names: dict[str, str], conv: str = "conv") -> Places:
    """Several of them: our name to theirs."""
    places: Places = {}
    for ours, theirs in names.items():
        places |= conv_bn(f"{half}/{ours}", theirs, conv)
    return places
