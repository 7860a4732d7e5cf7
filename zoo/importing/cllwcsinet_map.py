"""Where the tensors of the published CLLWCsiNet go.

The names are those of FardadAnsari/CLLWCsiNet, one set at 1/8 and 1/16, one at 1/4.
Every file stores the noise branch G (`remove_AGN`). The trainings of its noise-free
folder never ran it: its batch norms are as they were made, its output is arbitrary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.importing.public_network import Places, PublicNetwork, conv_bn, outputs

NOISE = "remove_AGN."
UNUSED = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}
COMPRESSED = "encoder/compress_conv"  # gives the codeword's channels
DELAYS = 32

FIRST, LAST = "first_conv1x7", "second_conv1x7"
NARROW = {
    "encoder/path7": ("encoder_p1", (FIRST, LAST)),
    "encoder/path5": ("encoder_p2", ("conv1x3", "conv3x1")),
    "encoder/path3": ("encoder_p3", ("conv1x3", "conv3x1")),
    "encoder/merge": "con1x1",
    "encoder/deep": (
        "encoder_compression.conv",
        (FIRST, "second_Conv1x7", "third_Conv1x7"),
    ),
    "encoder/shallow": "encoder_compression.conv_2",
    "encoder/compress": "encoder_compression.conv_3",
    "decoder/expand": ("decoder_get_feedback_in_UE", (FIRST, "conv1x7", LAST)),
    "decoder/noise": ("remove_AGN", ("conv_1x7", "conv_7x1", "conv_3x3")),
    "refine_7": (FIRST, "second_Conv1x7", "third_Conv1x7"),
    "refine_5": (FIRST, "second_Conv1x7", "third_Conv1x7"),
    "decoder/output": "_last_cov.firstcov2",
}
WIDE = NARROW | {
    "encoder/path7": ("encoder_p1", ("conv1x7", "conv7x1")),
    "encoder/path5": ("encoder_p2", ("conv1x5", "conv5x1")),
    "encoder/deep": ("encoder_compression.conv", ("conv1", "conv2")),
    "decoder/expand": ("decoder_get_feedback_in_UE", ("conv1", "conv2")),
    "decoder/noise": ("remove_AGN", ("conv1", "conv2")),
    "refine_7": ("first_conv1x7", "second_conv1x7", "third_conv1x7"),
    "refine_5": ("first_conv1x5", "second_conv1x5", "third_conv1x5"),
    "decoder/output": "_last_cov.last_conv",
}


def _places(names: dict[str, Any], args: dict[str, Any]) -> Places:
    """Places in the order in which the public module registers its tensors."""
    pairs: list[tuple[str, str]] = []
    for ours, theirs in names.items():
        if ours == "decoder/noise" and args.get("noise_branch") == "none":
            continue
        if ours == "decoder/output":
            pairs += _refinements(names)
        if isinstance(theirs, str):
            pairs.append((ours, theirs))
        elif not ours.startswith("refine"):
            pairs += _chain(ours, *theirs)
    places: Places = {}
    for ours, theirs in pairs:
        places |= conv_bn(ours, theirs, "conv", "weight", "bias")
    return places


def _chain(ours: str, theirs: str, convs: tuple[str, ...]) -> list[tuple[str, str]]:
    """Convolutions in a row; the last of both branches of the decoder has no number."""
    ends = [f"{i + 1}" for i in range(len(convs))]
    if ours.startswith("decoder/"):
        ends[-1] = "_last"
    ends = [f"_{end}" for end in ends] if "path" in ours else ends
    return [
        (ours + end, f"{theirs}.{conv}") for end, conv in zip(ends, convs, strict=True)
    ]


def _refinements(names: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for i in (1, 2):
        block = f"decoder_refine_net.{i - 1}"
        for length, path in ((7, "conv"), (5, "conv_1")):
            convs = enumerate(names[f"refine_{length}"], start=1)
            ours = f"decoder/refine{i}_{length}"
            pairs += [(f"{ours}_{j}", f"{block}.{path}.{conv}") for j, conv in convs]
        pairs.append((f"decoder/refine{i}_merge", f"{block}.conv1x1"))
    return pairs


def _ran(tensors: dict[str, np.ndarray]) -> bool:
    """Whether G saw a batch in training."""
    norms = [k for k in tensors if k.startswith(NOISE) and ".bn." in k]
    return any(np.any(tensors[k] != UNUSED.get(k.rsplit(".", 1)[-1])) for k in norms)


def _codeword_dim(at: dict[tuple[str, int], np.ndarray]) -> int:
    return outputs(at[COMPRESSED, 0]) * DELAYS


def _unused(args: dict[str, Any]) -> tuple[str, ...]:
    return (NOISE,) if args.get("noise_branch") == "none" else ()


def _network(names: dict[str, Any], branch: str, **other) -> PublicNetwork:
    """Args: names of a set, and what its code makes of a noise branch that ran."""
    return PublicNetwork(
        places=lambda args: _places(names, args),
        options=lambda tensors: {"noise_branch": branch if _ran(tensors) else "none"},
        channels_first=False,
        note="batch norm statistics are those of one batch of the authors' training "
        "(momentum 0.99 in PyTorch)",
        codeword_dim=_codeword_dim,
        unused=_unused,
        **other,
    )


PUBLIC = _network(NARROW, "code", other=_network(WIDE, "text"))
