"""Tables and figures of the CRNet paper (IEEE ICC 2020).

At `fast` Tables II to IV and the figures are at 1/16 instead of 1/4, and Table II goes
over 1 to 8 epochs instead of 100 to 5,000.
"""

from __future__ import annotations

from collections.abc import Iterator

from zoo.experiments.claims import Claim, beats, change, setback
from zoo.experiments.cost2100 import (
    NMSE,
    NMSE_OR,
    counts,
    published,
    ratio_alone,
    ratios,
    rows_of,
    scenarios,
)
from zoo.experiments.crnet_figures import (
    SYSTEMS,
    draw_drop,
    figure4,
    figure5,
    one_drop,
)
from zoo.experiments.drawings import curves
from zoo.experiments.target import Entry, Lab, Target, klt
from zoo.models.spec import RATIOS

EPOCHS = (100, 500, 1000, 2500, 5000)
FAST_EPOCHS = (1, 2, 4, 8)
SCHEDULES = {"cosine": ("", 2500), "const": ("const", 1000)}  # variant and its epochs
SLOPES = ("0.01", "0.05", "0.1", "0.3", "0.5")
HEADS = ("blank", "3x3", "dual3x3", "5x5", "7x7")
OTHER_HEADS = tuple(head for head in HEADS if head != "5x5")
LITTLE_DB = 2.5  # ours; a slope other than 0.3 costs up to 12 dB
# Operations by ratio (Table I) and by head at 1/4 (Table IV): thop_old of
# `zoo.metrics.flops`.
# CsiNet's belong to a network with more batch norm than its paper has.
FLOPS = {
    "csinet": (7_800_000, 5_700_000, 4_650_000, 4_130_000, 3_870_000),
    "crnet": (7_660_000, 5_560_000, 4_510_000, 3_990_000, 3_720_000),
}
HEAD_FLOPS = (7_540_000, 7_590_000, 7_640_000, 7_660_000, 7_760_000)


def compared(lab: Lab, systems: dict[str, tuple[str, str]], paper=None):
    """Entries of several networks at all ratios and scenarios of a budget.

    Args:
        lab: where.
        systems: name of the series to registry name and variant.
        paper: published values by series, scenario and ratio where a paper prints
            others than those of the registry.
    """
    for scenario in scenarios(lab):
        for ratio in ratios(lab):
            for series, (model, variant) in systems.items():
                rows = rows_of(lab, model, variant, ratio, scenario)
                value = published(model, variant, ratio, scenario)
                if paper and series in paper:
                    value = paper[series][scenario][list(RATIOS).index(ratio)]
                yield Entry(series, f"{scenario} {ratio}", rows, value)
            yield klt(f"{scenario} {ratio}", rows)


def table1(lab: Lab) -> Iterator[Entry]:
    """NMSE of CsiNet and of CRNet with both schedules, and their operations."""
    yield from compared(lab, SYSTEMS)
    yield from operations(FLOPS, "total_thop_old")


def operations(printed: dict[str, tuple], kind: str) -> Iterator[Entry]:
    """Operations of networks over the ratio; the same at every budget.

    Args:
        printed: published values by network, in the order of `RATIOS`.
        kind: key of `zoo.metrics.flops.summary`.
    """
    for ratio, *values in zip(RATIOS, *printed.values(), strict=True):
        for model, value in zip(printed, values, strict=True):
            ours = counts(model, ratio)[kind]
            yield Entry(f"{model} flops", ratio, [], value, [ours])


def table2(lab: Lab) -> Iterator[Entry]:
    """NMSE at one ratio, indoor, by schedule and number of epochs."""
    for schedule, (variant, usual) in SCHEDULES.items():
        for epochs in lab.of(FAST_EPOCHS, EPOCHS):
            own, flags, value = variant, {"epochs": epochs}, None
            if lab.budget == "full":
                words = [] if epochs == usual else [f"{epochs} epochs"]
                own = " ".join(filter(None, [variant, *words]))
                value = published("crnet", own, "1/4", "indoor")
            rows = rows_of(lab, "crnet", own, ratio_alone(lab), "indoor", **flags)
            yield Entry(schedule, epochs, rows, value)
            if not variant:
                yield klt(epochs, rows)


def _variants(lab: Lab, variants: dict[str, str]) -> Iterator[Entry]:
    ratio = ratio_alone(lab)
    for scenario in scenarios(lab):
        for series, variant in variants.items():
            rows = rows_of(lab, "crnet", variant, ratio, scenario)
            value = published("crnet", variant, ratio, scenario)
            printed = lab.of(None, value)  # at 1/4 only
            yield Entry(series, f"{scenario} {ratio}", rows, printed)
        yield klt(f"{scenario} {ratio}", rows)


def table3(lab: Lab) -> Iterator[Entry]:
    """NMSE at one ratio by the negative slope."""
    slopes = {s: "" if s == "0.3" else f"slope{s}" for s in SLOPES}
    return _variants(lab, slopes)


def table4(lab: Lab) -> Iterator[Entry]:
    """NMSE at one ratio by the convolution at the decoder's head, and operations."""
    yield from _variants(lab, {h: "" if h == "5x5" else h for h in HEADS})
    for head, value in zip(HEADS, HEAD_FLOPS, strict=True):
        ours = counts("crnet", "1/4", head=head)["total_thop_old"]
        yield Entry(f"{head} flops", "1/4", [], value, [ours])


TARGETS = {
    "crnet.table1": Target(
        "CsiNet and CRNet over the ratio", NMSE_OR, "scenario, ratio", table1,
        claims=(
            ("CRNet better than CsiNet", "crnet cosine", "csinet"),
            ("so it is at a constant rate", "crnet const", "csinet"),
            ("the cosine schedule is the better one", "crnet cosine", "crnet const"),
            ("CRNet takes fewer operations than CsiNet", "crnet flops", "csinet flops"),
        ),
    ),
    "crnet.table2": Target(
        "Schedules over the epochs, 1/4 (fast: 1/16), indoor", NMSE, "epochs", table2,
        claims=(
            ("the cosine schedule is the better one", "cosine", "const"),
            *(
                Claim(f"more epochs help, {schedule}", schedule, 0.0, over=change)
                for schedule in SCHEDULES
            ),
            Claim("a constant rate is unstable", "cosine", "const", over=setback),
        ),
    ),
    "crnet.table3": Target(
        "Negative slope, 1/4 (fast: 1/16)", NMSE, "scenario, ratio", table3,
        claims=beats("0.3", *(s for s in SLOPES if s != "0.3")),
    ),
    "crnet.table4": Target(
        "Convolution at the decoder's head, 1/4 (fast: 1/16)", NMSE_OR,
        "scenario, ratio", table4,
        claims=(
            *beats("5x5", *OTHER_HEADS),
            *(
                Claim(f"the head has little influence, {h}", h, "5x5", by=-LITTLE_DB)
                for h in OTHER_HEADS
            ),
        ),
    ),
    "crnet.figure4": Target(
        "Loss of CsiNet and CRNet in training, 1/4 (fast: 1/16), indoor",
        "MSE [dB]", "epoch", figure4, curves,
        tuple(
            Claim(
                f"{x} overfits little: validation within 1 dB of training",
                f"{x}, validation", f"{x}, training", by=-1.0,
            )
            for x in ("csinet", "crnet cosine")
        ),
    ),
    "crnet.figure5": Target(
        "CsiNet and CRNet in training, 1/4 (fast: 1/16), indoor",
        "validation NMSE [dB]", "epoch", figure5, curves,
        own=(("CRNet is ahead of CsiNet all the way", "crnet cosine", "csinet"),),
    ),
    "zoo.drop": Target(
        "One drop through CsiNet and CRNet, indoor", NMSE, "ratio", one_drop, draw_drop,
    ),
}  # fmt: skip
