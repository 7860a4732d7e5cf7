"""Tables of the CLNet paper (IEEE WCL 10(10), 2021)."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.experiments.claims import Claim
from zoo.experiments.cost2100 import NMSE, NMSE_OR, counts, published, ratios, rows_of
from zoo.experiments.crnet import compared, operations
from zoo.experiments.target import Entry, Lab, Target, klt
from zoo.models.spec import RATIOS

# CsiNet+ as printed there: nothing at 1/64.
CSINET_PLUS = {
    "indoor": (-27.37, -18.29, -14.14, -10.43, None),
    "outdoor": (-12.40, -8.72, -5.73, -3.40, None),
}
# "FLOPs" in all by ratio, which are MACs; CLNet's with the inputs of its global pool.
FLOPS_IN_ALL = {
    "clnet": (4_050_000, 3_010_000, 2_480_000, 2_220_000, 2_090_000),
    "crnet": (5_120_000, 4_070_000, 3_550_000, 3_290_000, 3_160_000),
    "csinet": (5_410_000, 4_370_000, 3_840_000, 3_580_000, 3_450_000),
    "csinet_plus": (24_570_000, 23_520_000, 23_000_000, 22_740_000, 22_610_000),
}
PARAMETERS = {
    ("clnet", "1/4"): (1_049_000, 1_052_000),
    ("crnet", "1/4"): (1_049_000, 1_053_000),
    ("clnet", "1/64"): (65_954, 69_210),
    ("crnet", "1/64"): (65_720, 70_386),
}
# "FLOPs" of UE and BS: MACs, of CLNet with the inputs of its global pool.
FLOPS = {
    ("clnet", "1/4"): (1_340_000, 2_710_000),
    ("crnet", "1/4"): (1_200_000, 3_920_000),
    ("clnet", "1/64"): (360_000, 1_730_000),
    ("crnet", "1/64"): (220_000, 2_940_000),
}


def table1(lab: Lab) -> Iterator[Entry]:
    """NMSE of CLNet and the networks it is compared with, and their operations.

    Attention-CsiNet's printed FLOPs are left out: they count FC layers twice.
    """
    others = lab.of((), ("attention_csinet", "csinet_plus"))
    systems = {name: (name, "") for name in ("csinet", *others)}
    systems |= {"crnet": ("crnet", "retrained 1000 epochs"), "clnet": ("clnet", "")}
    yield from compared(lab, systems, {"csinet_plus": CSINET_PLUS})
    yield from operations(FLOPS_IN_ALL, "total_clnet_paper")


def table2(lab: Lab) -> Iterator[Entry]:
    """NMSE of CLNet's parts, indoor.

    At `full` CRNet and CLNet itself have 500 epochs, as the paper's have in this table.
    """
    systems = {
        "crnet": ("crnet", "retrained 500 epochs"),
        **{variant: ("clnet", variant) for variant in ("1x1", "se", "cbam")},
        "clnet": ("clnet", "500 epochs"),
    }
    for ratio in ratios(lab):
        for series, system in systems.items():
            rows = rows_of(lab, *system, ratio, "indoor")
            yield Entry(series, ratio, rows, published(*system, ratio, "indoor"))
        yield klt(ratio, rows)


def output_activation(lab: Lab) -> Iterator[Entry]:
    """NMSE of CLNet with its hard sigmoid and with a sigmoid, indoor.

    The paper's text says that the hard sigmoid costs nothing, without a number.
    """
    for ratio in lab.of(("1/16",), tuple(RATIOS)):
        system = "clnet", "", ratio, "indoor"
        rows = rows_of(lab, *system)
        yield Entry("hard sigmoid", ratio, rows)
        yield klt(ratio, rows)
        sigmoid = rows_of(lab, *system, model_args='{"output": "sigmoid"}')
        yield Entry("sigmoid", ratio, sigmoid)


def table3(lab: Lab) -> Iterator[Entry]:
    """Parameters without batch norm, and operations; the same at every budget."""
    del lab
    for (model, ratio), printed in PARAMETERS.items():
        found = counts(model, ratio)
        for side, value in zip(("ue", "bs"), printed, strict=True):
            ours = found[f"{side}_params_without_bn"]
            yield Entry(model, f"{ratio} {side}", [], value, [ours])
        printed = FLOPS[model, ratio]
        for side, value in zip(("ue", "bs"), printed, strict=True):
            ours = found[f"{side}_clnet_paper"]
            yield Entry(f"{model} flops", f"{ratio} {side}", [], value, [ours])


_HEAVY = ("crnet", "csinet", "csinet_plus")
TARGETS = {
    "clnet.table1": Target(
        "CLNet and others over the ratio", NMSE_OR, "scenario, ratio", table1,
        claims=(
            ("CLNet better than CRNet", "clnet", "crnet"),
            ("CLNet better than CsiNet", "clnet", "csinet"),
            Claim(
                "CLNet better than CsiNet+ at 1/4", "clnet", "csinet_plus",
                at=("indoor 1/4", "outdoor 1/4"),
            ),
            *(
                (f"CLNet takes fewer operations than {x}", "clnet flops", f"{x} flops")
                for x in _HEAVY
            ),
        ),
    ),
    "clnet.table2": Target(
        "Parts of CLNet, indoor", NMSE, "ratio", table2,
        claims=(
            ("the forged complex input alone is better than CRNet", "1x1", "crnet"),
            ("SE helps", "se", "1x1"),
            Claim(
                "spatial attention helps where little is compressed", "cbam", "1x1",
                at=("1/4", "1/8"),
            ),
            ("both together are better than spatial attention", "clnet", "cbam"),
            ("both together are better than SE", "clnet", "se"),
        ),
    ),
    "clnet.sigmoid": Target(
        "CLNet's output activation, indoor", NMSE, "ratio", output_activation,
        claims=(
            Claim(
                "the hard sigmoid costs nothing: 0.3 dB at most", "hard sigmoid",
                "sigmoid", by=-0.3,
            ),
        ),
    ),
    "clnet.table3": Target(
        "Parameters and operations", "parameters, flops", "ratio, side", table3,
        claims=(
            Claim(
                "CLNet's encoder is heavier than CRNet's", "crnet flops", "clnet flops",
                at=("1/4 ue", "1/64 ue"),
            ),
            Claim(
                "CLNet's decoder is lighter than CRNet's", "clnet flops", "crnet flops",
                at=("1/4 bs", "1/64 bs"),
            ),
        ),
    ),
}  # fmt: skip
