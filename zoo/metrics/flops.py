"""Operation and parameter counts as the papers print them.

| key | counts for one example | printed in |
|---|---|---|
| macs | 1 per MAC | CLNet Table I (CsiNet, CsiNet+, CRNet), CRNet README, \
CLLWCsiNet Table III (networks with FC layers) |
| thop_old | 1 per convolution MAC, 2 per FC MAC, 4 per batch-norm value, 1 per \
LeakyReLU value | CRNet Tables I and IV |
| thop_new | 1 per MAC, 2 per batch-norm value, 1 per LeakyReLU or PReLU value, 1 per \
convolution output with a bias, 1 per input of a global pool | CLNet README and logs, \
CLLWCsiNet Table I |
| thop_last | as thop_new, but a LeakyReLU that the authors call twice counts at its \
last call | CLLWCsiNet Table III (CL networks, CLLWCsiNet) |
| clnet_paper | 1 per MAC, 1 per input of a global pool | CLNet Tables I, III (CLNet) |
| macc_bias | 1 per MAC, 1 per convolution output, 1 per FC output with a bias | \
FISTA-Net README (CsiNet, CsiNet+) |
| functional_blind | 1 per MAC that a layer hook sees: no attention | TransNet README |
| params_without_bn | trainable scalars but batch norm's | CLNet Table III |
| params_without_fc | trainable scalars but those of FC layers | CLLWCsiNet Table V |

A value is one number of a layer's output. FC layers are those whose kernels are all
matrices (recurrent and attention layers, too); every other layer with MACs is a
convolution. Sigmoid, tanh, ReLU, softmax, layer norm, sums and products of tensors
cost nothing anywhere. What each published figure needs:

* thop_old: CRNet has all terms. CsiNet's figures there belong to a variant with
  bias-free convolutions and a batch norm behind the last one, which is BCsiNet-A2.
* thop_new: CRNet and CsiNet+ have no convolution bias and no pool, CLNet no bias;
  CsiNet has biases.
* thop_last: CRNet's decoder block and, in CLLWCsiNet, its RefineNet, the compression
  and the whole network each call one LeakyReLU twice; other networks have none.
* macc_bias: a convolution without bias gets one when batch norm is folded into it, so
  that its outputs count as well; CsiNet+ needs that.
* functional_blind: FC layers and feed-forward networks; the README's last digits hold
  something else besides.
"""

from __future__ import annotations

import math
from collections import Counter

import tensorflow as tf

from zoo.layers.activations import EARLIER_CALL
from zoo.metrics import complexity
from zoo.metrics.complexity import kernels, layer_macs, once, size
from zoo.models.autoencoder import CsiAutoencoder


def summary(model: CsiAutoencoder) -> dict[str, int]:
    """Every count of `complexity.summary` and of the table above.

    Returns:
        Counts by key, with `ue_`, `bs_` or, for the sum of both, `total_` before it.

    Raises:
        ValueError: a layer without MAC rule.
    """
    result = complexity.summary(model)
    for side, layers in complexity.side_layers(model).items():
        counts = _published(layers)
        result |= {f"{side}_{key}": value for key, value in counts.items()}
    keys = [key.removeprefix("ue_") for key in result if key.startswith("ue_")]
    return result | {f"total_{k}": result[f"ue_{k}"] + result[f"bs_{k}"] for k in keys}


def terms(layer) -> Counter:
    """What one layer adds to the conventions.

    Returns:
        Numbers of `conv` and `fc` MACs, of those a layer hook does not see (`unseen`),
        of `norm` and `activation` values, those of an `earlier_call` among the latter,
        `pool` inputs, convolution outputs
        (`conv_values`) and of outputs with a bias (`conv_bias`, `fc_bias`).
    """
    kind = type(layer).__name__
    if kind == "BatchNormalization":
        return Counter(norm=_values(layer.output))
    if kind in ("LeakyReLU", "PReLU"):
        values = _values(layer.output)
        earlier = values * layer.name.endswith(EARLIER_CALL)
        return Counter(activation=values, earlier_call=earlier)
    if kind == "GlobalAveragePooling2D":
        return Counter(pool=_values(layer.input))
    macs = layer_macs(layer)
    if not macs:
        return Counter()
    part = "fc" if _is_fc(layer) else "conv"
    counts = Counter({part: macs})
    if hasattr(layer, "functional_blind_macs"):
        counts["unseen"] = macs - layer.functional_blind_macs()
    if part == "conv":
        counts["conv_values"] = _values(layer.output)
    if getattr(layer, "bias", None) is not None:
        counts[f"{part}_bias"] = _values(layer.output)
    return counts


def _published(layers) -> dict[str, int]:
    n = sum(map(terms, layers), Counter())
    macs = n["conv"] + n["fc"]
    norms = [x for x in layers if type(x).__name__ == "BatchNormalization"]
    fc = [x for x in layers if _is_fc(x)]
    params = _params(layers)
    thop_new = macs + 2 * n["norm"] + n["activation"] + n["conv_bias"] + n["pool"]
    return {
        "thop_old": n["conv"] + 2 * n["fc"] + 4 * n["norm"] + n["activation"],
        "thop_new": thop_new,
        "thop_last": thop_new - n["earlier_call"],
        "clnet_paper": macs + n["pool"],
        "macc_bias": macs + n["conv_values"] + n["fc_bias"],
        "functional_blind": macs - n["unseen"],
        "params_without_bn": params - _params(norms),
        "params_without_fc": params - _params(fc),
    }


def _is_fc(layer) -> bool:
    return {len(w.shape) for w in kernels(layer)} == {2}


def _params(layers) -> int:
    return sum(size(w) for _, w in once(layers, "trainable_weights", set()))


def _values(tensor) -> int:
    first, *_ = tf.nest.flatten(tensor)  # a layer's second output serves training
    return math.prod(first.shape[1:])
