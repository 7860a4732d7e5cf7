"""Parameters, multiply-accumulates and bytes of a network, per side.

Conventions: a MAC is one multiply-accumulate of a convolution (grouped
ones at their own cost), a fully connected or a recurrent layer; parameters are all
trainable scalars, batch-normalisation scale and shift included, running statistics
excluded. A frozen matrix costs MACs but is no parameter. The UE side is the encoder,
the BS side the decoder and the receiver in front of it. A weight that several layers
share is one parameter; one that both sides hold is a parameter of the UE, and stored
twice. Counts in the conventions of the papers: `zoo.metrics.flops`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from zoo.keras_compat import Model
from zoo.models.autoencoder import CsiAutoencoder

_PER_OUTPUT = ("Dense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2D")

# How often a layer applies its kernels to one example: class name to a shape.
POSITIONS = {
    **dict.fromkeys(_PER_OUTPUT, lambda layer: layer.output.shape[1:-1]),
    "SeparableConv2D": lambda layer: layer.output.shape[1:-1],
    "Conv2DTranspose": lambda layer: layer.input.shape[1:-1],
    "LSTM": lambda layer: layer.input.shape[1:2],
    "ConvLSTM2D": lambda layer: (layer.input.shape[1], *layer.output.shape[-3:-1]),
}


def count_params(model: Model) -> int:
    """Number of trainable scalars of a model."""
    return size(model.trainable_weights)


def count_macs(model: Model) -> int:
    """Multiply-accumulates of one forward pass of one example.

    Args:
        model: functional model without nested models.

    Raises:
        ValueError: a layer with a weight matrix or kernel that has no counting rule.
    """
    return sum(layer_macs(layer) for layer in model.layers)


def layer_macs(layer) -> int:
    """Multiply-accumulates of one layer for one example.

    A layer of our own knows them, `macs() -> int`. The others multiply every entry of
    their kernels once per position: of the output for convolutions and FC layers, of
    the input for transposed convolutions, once per time step for recurrent layers.

    Raises:
        ValueError: there are kernels but neither `macs` nor a rule.
    """
    if hasattr(layer, "macs"):
        return layer.macs()
    entries = size(kernels(layer))
    if not entries:
        return 0
    kind = type(layer).__name__
    if kind not in POSITIONS:
        raise ValueError(
            f"no MAC rule for layer {layer.name!r} of type {kind}: expected a method "
            f"`macs() -> int` or one of {', '.join(POSITIONS)}"
        )
    return entries * math.prod(POSITIONS[kind](layer))


def kernels(layer) -> list:
    """Weights that multiply: those with two or more axes, except PReLU's slopes."""
    if type(layer).__name__ == "PReLU":
        return []
    return [w for w in layer.weights if len(w.shape) > 1]


def size(weights) -> int:
    """Number of scalars of some weights."""
    return sum(math.prod(w.shape) for w in weights)


def side_layers(model: CsiAutoencoder) -> dict[str, list]:
    """Layers of the UE (`ue`) and of the BS (`bs`)."""
    encoder, *behind = model.parts.values()
    return {"ue": encoder.layers, "bs": [x for part in behind for x in part.layers]}


def summary(model: CsiAutoencoder) -> dict[str, int]:
    """Parameters, MACs and weight bytes of both sides, keys `ue_...` and `bs_...`.

    Bytes count every stored weight (running statistics included): 4 each at fp32; at
    int8 one byte per kernel entry and four for everything else. A layer that has
    `kernel_bits` stores so many bits per entry in either case (without the one scale
    of a binary matrix), and `params_float_equivalent` counts an entry as that share of
    32 bits. A real file differs by its structure, by folded batch norm and by small
    kernels left in float.
    """
    result, counted = {}, set()
    for side, layers in side_layers(model).items():
        params = list(once(layers, "trainable_weights", counted))
        stored = list(once(layers, "weights", set()))
        counts = {
            "params": sum(size(w) for _, w in params),
            "params_float_equivalent": sum(_float_equivalent(*x) for x in params),
            "macs": sum(map(layer_macs, layers)),
            "bytes_fp32": sum(_bytes(*x, 32) for x in stored),
            "bytes_int8": sum(_bytes(*x, 8) for x in stored),
        }
        result |= {f"{side}_{key}": value for key, value in counts.items()}
    return result


def once(layers, kind: str, counted: set) -> Iterator[tuple]:
    """Layers with those of their weights that no earlier layer has.

    Args:
        layers: layers, in order.
        kind: 'weights' or 'trainable_weights'.
        counted: identities of the weights that are taken; grows.

    Yields:
        A layer and some of its weights.
    """
    for layer in layers:
        own = [w for w in getattr(layer, kind) if id(w) not in counted]
        counted.update(map(id, own))
        yield layer, own


def _float_equivalent(layer, weights) -> int:
    entries = size(w for w in weights if len(w.shape) > 1)
    bits = getattr(layer, "kernel_bits", 32)
    return size(weights) - entries + math.ceil(entries * bits / 32)


def _bytes(layer, weights, bits: int) -> int:
    multiplying = {id(w) for w in kernels(layer)}
    entries = size(w for w in weights if id(w) in multiplying)
    bits = getattr(layer, "kernel_bits", bits)
    return 4 * (size(weights) - entries) + math.ceil(entries * bits / 8)
