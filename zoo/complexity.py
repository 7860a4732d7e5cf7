"""Parameters, multiply-accumulates and bytes of a network, per side.

Conventions (SPECS 0 and 8): a MAC is one multiply-accumulate of a convolution (grouped
ones at their own cost), a fully connected or a recurrent layer; parameters are all
trainable scalars, batch-normalisation scale and shift included, running statistics
excluded. A frozen matrix costs MACs but is no parameter. The UE side is the encoder,
the BS side the decoder and the receiver in front of it. Counts in the conventions of
the papers: `zoo.flops`.
"""

from __future__ import annotations

import math

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
    result = {}
    for side, layers in side_layers(model).items():
        counts = {
            "params": sum(size(layer.trainable_weights) for layer in layers),
            "params_float_equivalent": sum(map(_float_equivalent, layers)),
            "macs": sum(map(layer_macs, layers)),
            "bytes_fp32": sum(_bytes(layer, 32) for layer in layers),
            "bytes_int8": sum(_bytes(layer, 8) for layer in layers),
        }
        result |= {f"{side}_{key}": value for key, value in counts.items()}
    return result


def _float_equivalent(layer) -> int:
    entries = size(w for w in layer.trainable_weights if len(w.shape) > 1)
    bits = getattr(layer, "kernel_bits", 32)
    return size(layer.trainable_weights) - entries + math.ceil(entries * bits / 32)


def _bytes(layer, bits: int) -> int:
    entries = size(kernels(layer))
    bits = getattr(layer, "kernel_bits", bits)
    return 4 * (size(layer.weights) - entries) + math.ceil(entries * bits / 8)
