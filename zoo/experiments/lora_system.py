"""The system that LORA's targets train on: the paper's, or at `fast` a small one.

At `full` 40,000 positions of a track, CSI of 32 x 32, N = 2048. At `fast` 20,000 of
32 x 4, N = 256; codewords and hidden layers are the same shares of N.
"""

from __future__ import annotations

import json

from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Lab
from zoo.models.spec import RATIOS

SMALLER = 8  # N of the paper over that at `fast`
SIZES = {"lora": {"hidden": 1024}, "tilista_joint": {"code": 2544}}  # of N = 2048
ORDER = ("ista", "ista_net", "tilista_joint", "lora")  # the paper's, worst first
WIDER, WIDE = "lora, 2N wide", {"hidden": 4096}  # as in Table III


def data_set(lab: Lab, scenario: str, kind: str = "_track") -> str:
    """Our data set of a scenario: a track, or independent drops where `kind` is ''."""
    return f"tr38901/lora_{scenario}_nlos{kind}{lab.of('_small_quick', '')}"


def codeword_dim(lab: Lab, ratio: str) -> int:
    """Codeword length at a ratio."""
    return RATIOS[ratio] // lab.of(SMALLER, 1)


def network(lab: Lab, model: str, **args) -> dict[str, str]:
    """Flags of a network whose widths are the paper's shares of N.

    Args:
        lab: its budget applies.
        model: name of the network.
        args: options, widths as for N = 2048.
    """
    if lab.budget == "fast":
        widths = {"hidden", "code"}
        args = SIZES.get(model, {}) | args
        args = {k: v // SMALLER if k in widths else v for k, v in args.items()}
    return {"model": model, "model_args": json.dumps(args)}


def ratios(lab: Lab) -> tuple[str, ...]:
    """Those of the figures: the paper's text has none."""
    return lab.of(("1/4", "1/16", "1/64"), tuple(RATIOS))


def rows_of(lab: Lab, name: str, method: str, **flags) -> list[PendingRow]:
    """Results rows of ISTA or a network on its data, one per seed.

    Args:
        lab: where they are made.
        name: of the runs.
        method: of `ORDER`, `WIDER`, or another network.
        flags: of its training, for ISTA of `zoo.baseline`.
    """
    if method == "ista":
        return [
            lab.runner.baseline(f"{name}_s{seed}", method="lasso", seed=seed, **flags)
            for seed in range(lab.seeds)
        ]
    model, _, wide = method.partition(", ")
    own = network(lab, model, **(WIDE if wide else {}))
    return lab.rows(name, **own, **flags)
