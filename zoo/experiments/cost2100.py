"""Tables of the CRNet (IEEE ICC 2020) and CLNet (IEEE WCL 10(10), 2021) papers.

`full` needs the published COST2100 files and takes the papers' epochs. `fast` streams
simulated indoor drops and starts every network at the linear KLT codec: the published
values are of other channels and of hundreds of times as many steps. Table II of CRNet
then goes over 1 to 8 epochs instead of 100 to 5,000.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from zoo import flops, registry
from zoo.experiments.pool import PendingRow
from zoo.experiments.runner import settings_of
from zoo.experiments.target import Entry, Lab, Target
from zoo.models.spec import RATIOS

FLAGFILES = {
    "fast": Path("zoo/flagfiles/cost2100_fast.cfg"),
    "full": Path("zoo/flagfiles/crnet.cfg"),
}
TRAINING = ("schedule", "lr", "lr_min", "warmup_epochs", "adam_epsilon", "epochs")
EPOCHS = (100, 500, 1000, 2500, 5000)
FAST_EPOCHS = (1, 2, 4, 8)
SCHEDULES = {
    "cosine": (-21.33, -23.76, -25.17, -26.99, -27.31),
    "const": (-18.94, -17.55, -21.17, -22.94, -21.89),
}
# The CRNet that the CLNet paper trained itself, for 1,000 epochs.
CRNET_1000 = {
    "indoor": (-24.10, -15.04, -10.52, -8.90, -6.23),
    "outdoor": (-12.57, -7.94, -5.36, -3.16, -2.19),
}
# Its CRNet in Table II, for 500 epochs, indoor.
CRNET_500 = (-21.702, -13.037, -10.212, -8.443, -6.023)
# CLNet itself in Table II, for 500 epochs.
CLNET_500 = (-28.984, -15.487, -11.217, -8.885, -6.297)
SLOPES = ("0.01", "0.05", "0.1", "0.3", "0.5")
HEADS = ("blank", "3x3", "dual3x3", "5x5", "7x7")
CLNET_TABLE3 = {
    ("clnet", "1/4"): (1_049_000, 1_052_000),
    ("crnet", "1/4"): (1_049_000, 1_053_000),
    ("clnet", "1/64"): (65_954, 69_210),
    ("crnet", "1/64"): (65_720, 70_386),
}


def scenarios(lab: Lab) -> tuple[str, ...]:
    """Scenarios of a budget."""
    return lab.of(("indoor",), ("indoor", "outdoor"))


def ratios(lab: Lab) -> tuple[str, ...]:
    """Ratios of a budget."""
    return lab.of(("1/4", "1/16", "1/64"), tuple(RATIOS))


def published(model: str, variant: str, ratio: str, scenario: str) -> float | None:
    """The paper's NMSE [dB] of a network or variant, None where it prints none."""
    spec = registry.get(model)
    rows = spec.variants[variant].published if variant else spec.published
    return rows.get(ratio, {}).get(scenario)


def rows_of(lab: Lab, model, variant, ratio, scenario, **own) -> list[PendingRow]:
    """Results rows of a network or variant in its own training.

    Args:
        lab: where; at `fast` only schedule and peak rate are the network's own.
        model: registry name.
        variant: of the network's spec, '' for the default.
        ratio: as '1/4'.
        scenario: 'indoor' or 'outdoor'.
        **own: further flags; they win.
    """
    model_args, changes = {}, {}
    if variant:
        model_args, _, changes = registry.get(model).variants[variant]
    flagfile = FLAGFILES["full"].with_name(f"{model}.cfg")
    training = dataclasses.asdict(settings_of(flagfile)) | changes
    kept = lab.of(("schedule", "lr"), TRAINING)
    return lab.rows(
        "_".join(filter(None, [model, variant, ratio[2:], scenario])),
        **{
            "model": model,
            "model_args": json.dumps(model_args),
            "codeword_dim": RATIOS[ratio],
            "dataset": lab.of(
                f"cost2100_sim/{scenario}_quick:stream", f"cost2100/{scenario}"
            ),
            **{key: training[key] for key in kept},
            **own,
        },
    )


def _compared(lab: Lab, systems: dict[str, tuple[str, str]], paper=None):
    """Entries of several networks at all ratios and scenarios of a budget."""
    for scenario in scenarios(lab):
        for ratio in ratios(lab):
            for series, (model, variant) in systems.items():
                rows = rows_of(lab, model, variant, ratio, scenario)
                value = published(model, variant, ratio, scenario)
                if paper and series in paper:
                    value = paper[series][scenario][list(RATIOS).index(ratio)]
                yield Entry(series, f"{scenario} {ratio}", rows, value)
            yield Entry("klt", f"{scenario} {ratio}", rows, value="nmse_pca_db")


def crnet_table1(lab: Lab) -> Iterator[Entry]:
    """NMSE of CsiNet and of CRNet with both schedules."""
    return _compared(
        lab,
        {
            "csinet": ("csinet", ""),
            "crnet const": ("crnet", "const"),
            "crnet cosine": ("crnet", ""),
        },
    )


def crnet_table2(lab: Lab) -> Iterator[Entry]:
    """NMSE at 1/4, indoor, by schedule and number of epochs."""
    for schedule, printed in SCHEDULES.items():
        variant = "const" if schedule == "const" else ""
        fast = [(epochs, None) for epochs in FAST_EPOCHS]
        for epochs, value in lab.of(fast, list(zip(EPOCHS, printed, strict=True))):
            rows = rows_of(lab, "crnet", variant, "1/4", "indoor", epochs=epochs)
            yield Entry(schedule, epochs, rows, value)


def _variants(lab: Lab, variants: dict[str, str]) -> Iterator[Entry]:
    for scenario in scenarios(lab):
        for series, variant in variants.items():
            rows = rows_of(lab, "crnet", variant, "1/4", scenario)
            value = published("crnet", variant, "1/4", scenario)
            yield Entry(series, scenario, rows, value)


def crnet_table3(lab: Lab) -> Iterator[Entry]:
    """NMSE at 1/4 by the negative slope."""
    slopes = {s: "" if s == "0.3" else f"slope{s}" for s in SLOPES}
    return _variants(lab, slopes)


def crnet_table4(lab: Lab) -> Iterator[Entry]:
    """NMSE at 1/4 by the convolution at the decoder's head."""
    return _variants(lab, {h: "" if h == "5x5" else h for h in HEADS})


def clnet_table1(lab: Lab) -> Iterator[Entry]:
    """NMSE of CLNet and the networks it is compared with."""
    names = lab.of(
        ("csinet", "crnet", "clnet"),
        ("csinet", "attention_csinet", "csinet_plus", "crnet", "clnet"),
    )
    return _compared(lab, {n: (n, "") for n in names}, {"crnet": CRNET_1000})


def clnet_table2(lab: Lab) -> Iterator[Entry]:
    """NMSE of CLNet's parts, indoor; the full network's row is of 500 epochs."""
    for ratio in ratios(lab):
        short = lab.of({}, {"epochs": 500})
        place = list(RATIOS).index(ratio)
        rows = rows_of(lab, "crnet", "", ratio, "indoor", **short)
        yield Entry("crnet", ratio, rows, CRNET_500[place])
        for variant in ("1x1", "se", "cbam"):
            rows = rows_of(lab, "clnet", variant, ratio, "indoor")
            yield Entry(
                variant, ratio, rows, published("clnet", variant, ratio, "indoor")
            )
        rows = rows_of(lab, "clnet", "", ratio, "indoor", **short)
        yield Entry("clnet", ratio, rows, CLNET_500[place])


def clnet_table3(lab: Lab) -> Iterator[Entry]:
    """Parameters of both sides without batch norm; the same at every budget."""
    del lab
    for (model, ratio), printed in CLNET_TABLE3.items():
        parts = registry.build(model, codeword_dim=RATIOS[ratio])
        counts = flops.summary(parts)
        for side, value in zip(("ue", "bs"), printed, strict=True):
            ours = counts[f"{side}_params_without_bn"]
            yield Entry(model, f"{ratio} {side}", [], value, [ours])


NMSE = "NMSE [dB]"
TARGETS = {
    "crnet.table1": Target(
        "CsiNet and CRNet over the ratio", NMSE, "scenario, ratio", crnet_table1,
        claims=(
            ("CRNet better than CsiNet", "crnet const", "csinet"),
            ("the cosine schedule is the better one", "crnet cosine", "crnet const"),
        ),
    ),
    "crnet.table2": Target(
        "Schedules over the epochs, 1/4, indoor", NMSE, "epochs", crnet_table2,
        claims=(("the cosine schedule is the better one", "cosine", "const"),),
    ),
    "crnet.table3": Target(
        "Negative slope, 1/4", NMSE, "scenario", crnet_table3,
        claims=tuple(
            (f"0.3 better than {s}", "0.3", s) for s in SLOPES if s != "0.3"
        ),
    ),
    "crnet.table4": Target(
        "Convolution at the decoder's head, 1/4", NMSE, "scenario", crnet_table4,
        claims=tuple((f"5x5 better than {h}", "5x5", h) for h in HEADS if h != "5x5"),
    ),
    "clnet.table1": Target(
        "CLNet and others over the ratio", NMSE, "scenario, ratio", clnet_table1,
        claims=(("CLNet better than CRNet", "clnet", "crnet"),),
    ),
    "clnet.table2": Target(
        "Parts of CLNet, indoor", NMSE, "ratio", clnet_table2,
        claims=(
            ("the forged complex input alone is better than CRNet", "1x1", "crnet"),
            ("SE helps", "se", "1x1"),
            ("spatial attention helps", "cbam", "1x1"),
            ("both together are best", "clnet", "cbam"),
        ),
    ),
    "clnet.table3": Target("Parameters", "parameters", "ratio, side", clnet_table3),
}  # fmt: skip
