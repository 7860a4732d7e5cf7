"""Tables and figures of the CRNet paper (IEEE ICC 2020).

At `fast` Tables II to IV and Fig. 4 are at 1/16 instead of 1/4, and Table II goes over
1 to 8 epochs instead of 100 to 5,000. Of Figs. 4 and 5 no more is known than that they
compare CRNet with CsiNet: what they show here is chosen, and no published values go
with them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from zoo.experiments import codewords
from zoo.experiments.claims import Claim, beats, change, setback
from zoo.experiments.cost2100 import (
    NMSE,
    NMSE_OR,
    counts,
    overrides,
    published,
    ratio_alone,
    ratios,
    rows_of,
    scenarios,
)
from zoo.experiments.drawings import curves, pictures
from zoo.experiments.target import Entry, Lab, Target, klt, run_of
from zoo.metrics import accuracy
from zoo.models.spec import RATIOS
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

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
SYSTEMS = {
    "csinet": ("csinet", ""),
    "crnet const": ("crnet", "const"),
    "crnet cosine": ("crnet", ""),
}
SHOWN_EPOCHS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000, 2500)  # Fig. 4
SHOWN = "crnet cosine", "csinet"  # Fig. 5


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


def figure4(lab: Lab) -> Iterator[Entry]:
    """NMSE on the validation split over the epochs of a training, indoor.

    The paper's text gives no values; the runs are those of Table I.
    """
    for series, (model, variant) in SYSTEMS.items():
        system = model, variant, ratio_alone(lab), "indoor"
        epochs = lab.runner.settings("", **overrides(lab, *system)).epochs
        rows = rows_of(lab, *system)
        for epoch in SHOWN_EPOCHS:
            if epoch <= epochs:
                after = functools.partial(_validation_db, lab, epoch)
                yield Entry(series, epoch, rows, value=after)


def _validation_db(lab: Lab, epoch: int, row) -> float:
    records = {r["epoch"]: r for r in run_of(lab, row).read_metrics()}
    return records[epoch]["val_nmse_db"]


def figure5(lab: Lab) -> Iterator[Entry]:
    """NMSE of the one drop whose recovered |H| the drawing shows, over the ratio.

    The paper's text gives no values; the runs are those of Table I. The drop is the
    first of the test split.
    """
    for ratio in ratios(lab):
        for series in SHOWN:
            rows = rows_of(lab, *SYSTEMS[series], ratio, "indoor")
            yield Entry(series, ratio, rows, value=functools.partial(_first_db, lab))


def _first(run: RunDirectory):
    """First test CSI and what a run makes of it, zero-centred `[1, N_t, N_a, 2]`."""
    found = codewords.tested(run)
    return found.test.h[:1], evaluation.decode(found.model, found.codeword[:1])


def _first_db(lab: Lab, row) -> float:
    return accuracy.nmse_db(*_first(run_of(lab, row)))


def draw_figure5(lab: Lab, result: dict, image: Path) -> None:
    """The true |H| beside those that a network recovers at each ratio, seed 0."""
    cells = []
    for series in SHOWN:
        own = [e for e in result["entries"] if e["series"] == series]
        runs = [RunDirectory(lab.runner.directory / e["runs"][0]["run"]) for e in own]
        recovered = [
            (f"{series}, {e['x']}", _first(run)[1][0])
            for e, run in zip(own, runs, strict=True)
        ]
        cells.append([("true", _first(runs[0])[0][0]), *recovered])
    pictures(cells, image)


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
        "CsiNet and CRNet in training, 1/4 (fast: 1/16), indoor",
        "validation NMSE [dB]", "epoch", figure4, curves,
        own=(("CRNet is ahead of CsiNet all the way", "crnet cosine", "csinet"),),
    ),
    "crnet.figure5": Target(
        "One drop through CsiNet and CRNet, indoor", NMSE, "ratio", figure5,
        draw_figure5,
    ),
}  # fmt: skip
