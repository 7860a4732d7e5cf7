"""Where the tensors of the published FISTA-Net go.

The names are those of the TensorFlow 1 checkpoints in
XXXHUA/FISTA-NET-for-CSI-FEEDBACK: `W`, which is A transposed, and one scope `conv_0`,
`conv_1`, ... for each phase.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from zoo.importing.public_network import CODEWORD, Places, PublicNetwork

# In the order of the trainable weights of our phase, then of the others.
PHASE = (
    "Variable",
    "Variable_1",
    "Weights_0",
    "Weights_1",
    "Weights_11",
    "Weights_2",
    "Weights_22",
    "Weights_3",
    "FullyConnected/W",
    "FullyConnected/b",
    "BatchNormalization/gamma",
    "BatchNormalization/beta",
    "FullyConnected_1/W",
    "FullyConnected_1/b",
    "BatchNormalization/moving_mean",
    "BatchNormalization/moving_variance",
)
NEVER_ADDED = ("biases_0", "biases_1", "biases_11", "biases_2", "biases_22", "biases_3")


def _phases(names) -> int:
    return sum(re.fullmatch(r"conv_\d+/Weights_0", name) is not None for name in names)


def _places(args: dict[str, Any]) -> Places:
    places: Places = {"W": (CODEWORD, 0)}
    for t in range(args.get("phases", 20)):
        for i, name in enumerate(PHASE):
            places[f"conv_{t}/{name}"] = (f"decoder/phase{t + 1}", i)
    return places


def _options(tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Options of the network that the tensors are of; 'public' as all that exist."""
    options: dict[str, Any] = {"order": "public"}
    first = tensors.get("conv_0/Weights_0")
    if first is not None and first.ndim == 4:
        options |= {"phases": _phases(tensors), "channels": first.shape[-1]}
    return options


def _unused(args: dict[str, Any]) -> tuple[str, ...]:
    phases = range(args.get("phases", 20))
    return tuple(f"conv_{t}/{name}" for t in phases for name in NEVER_ADDED)


PUBLIC = PublicNetwork(_places, _options, unused=_unused, pytorch_axes=False)
