"""Parameters, multiply-accumulates and bytes of a network, per side.

Conventions (SPECS 0 and 8): a MAC is one multiply-accumulate of a convolution (grouped
ones at their own cost) or a fully connected layer; parameters are all trainable
scalars, batch-normalisation scale and shift included, running statistics excluded.
"""

from __future__ import annotations

import math

from zoo.keras_compat import Model, layers
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.models.autoencoder import CsiAutoencoder


def count_params(model: Model) -> int:
    """Number of trainable scalars of a model."""
    return sum(math.prod(w.shape) for w in model.trainable_weights)


def count_macs(model: Model) -> int:
    """Multiply-accumulates of one forward pass of one example.

    Args:
        model: functional model without nested models.

    Raises:
        ValueError: a layer with a weight matrix or kernel that has no counting rule.
    """
    return sum(_layer_macs(layer) for layer in model.layers)


def _layer_macs(layer) -> int:
    if isinstance(layer, (layers.Conv2D, GroupedConv2D)):
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape)
    if isinstance(layer, layers.PReLU):
        return 0
    if any(len(w.shape) > 1 for w in layer.trainable_weights):
        raise ValueError(
            f"no MAC rule for layer {layer.name!r} of type {type(layer).__name__}"
        )
    return 0


def summary(model: CsiAutoencoder) -> dict[str, int]:
    """Parameters, MACs and weight bytes of the UE (encoder) and BS (decoder) side.

    Bytes count every stored weight (running statistics included): 4 each at fp32; at
    int8 one byte per kernel entry and four for everything else. A real file differs by
    its structure, by folded batch norm and by small kernels left in float.
    """
    result = {}
    for side, part in (("ue", model.encoder), ("bs", model.decoder)):
        total = sum(math.prod(w.shape) for w in part.weights)
        kernels = sum(
            math.prod(layer.kernel.shape)
            for layer in part.layers
            if hasattr(layer, "kernel")
        )
        result |= {
            f"{side}_params": count_params(part),
            f"{side}_macs": count_macs(part),
            f"{side}_bytes_fp32": 4 * total,
            f"{side}_bytes_int8": kernels + 4 * (total - kernels),
        }
    return result
