"""Figures of the DualNet-MP paper (IEEE WCL 10(10), 2021) on our FDD pairs.

The figures are curves without printed values. Every run has two stages: the magnitudes
without quantiser (DualNet-MAG), then the phases, quantised, behind the frozen
magnitudes, whose 256 codeword entries take 6 bits each from then on; of MDPQ, which has
no network for the phases, both go on. NMSE is the paper's eq. 16: over all
subcarriers, with what the truncation of the delays loses.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator

from zoo import config_flags
from zoo.experiments.drawings import curves
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, Target, run_of
from zoo.training import evaluation

DATA = {
    "indoor": "cost2100_sim/dualnet_indoor_fdd",
    "outdoor": "tr38901/dualnet_umi_nlos_fdd",
}
MAGNITUDE_DIM, ENTRIES = 256, 1024
SIGN_SHARE = {8: 0.25, 16: 0.125}  # of the signs, by the ratio of the phases
MDPQ = {8: {}, 16: {"shares": [0.1], "phase_bits": [5]}}
LOSSES = ("mdpq", "mse0", "mdpp", "smape")
CORES = ("dnn", "zero", "circular")
NMSE = "nmse_all_db"


def _data_set(lab: Lab, scenario: str) -> str:
    return DATA[scenario] + lab.of("_quick", "")


def _points(lab: Lab) -> tuple[tuple[str, int], ...]:
    """Scenario and ratio of the phases; at `fast` the other of each once."""
    fast = ("indoor", 8), ("indoor", 16), ("outdoor", 8)
    return lab.of(fast, tuple(itertools.product(DATA, SIGN_SHARE)))


def _ratios(lab: Lab) -> tuple[int, ...]:
    return lab.of((8,), tuple(SIGN_SHARE))


def first_stage(lab: Lab, scenario: str, core: str = "circular") -> list[PendingRow]:
    """Results rows of DualNet-MAG without quantiser: NMSE of the magnitudes."""
    return lab.rows(
        f"mag_{core}_{scenario}",
        model="dualnet_mag",
        codeword_dim=MAGNITUDE_DIM,
        model_args=json.dumps({"core": core}),
        dataset=_data_set(lab, scenario),
    )


def second_stage(lab: Lab, name: str, scenario: str, core="circular", **own) -> list:
    """Results rows of a run that continues the first stage of its seed.

    Args:
        lab: where.
        name: of the run.
        scenario: 'indoor' or 'outdoor'.
        core: of the network.
        **own: flags of this stage; `model_args` and `quantizer_args` as dictionaries.
    """
    stage = {"train_part": "phase", "model": "dualnet_mp", "model_args": {}, **own}
    stage["model_args"] = json.dumps({"core": core, **stage["model_args"]})
    stage["quantizer_args"] = json.dumps(stage["quantizer_args"])
    return lab.continued(
        f"{name}_{core}_{scenario}",
        first_stage(lab, scenario, core),
        dataset=_data_set(lab, scenario),
        normaliser="none",
        **stage,
    )


def with_signs(lab: Lab, scenario, ratio: int, core="circular", bits=8, **own) -> list:
    """Results rows of cosines and signs, K bits for as many phases as fill the rate.

    Args:
        lab: where.
        scenario: 'indoor' or 'outdoor'.
        ratio: of the phases at 8 bits.
        core: of the network.
        bits: K.
        **own: further quantizer_args.
    """
    return second_stage(
        lab,
        f"signs{bits}_{ratio}",
        scenario,
        core,
        codeword_dim=MAGNITUDE_DIM + ENTRIES // ratio * 8 // bits,
        quantizer="polar",
        bits=bits,
        quantizer_args={"sign_share": SIGN_SHARE[ratio], **own},
    )


def of_a_loss(lab: Lab, loss: str, scenario: str, ratio: int) -> list[PendingRow]:
    """Results rows of one loss of Fig. 3, the phases at 1/8 or 1/16."""
    name = f"{loss}_{ratio}"
    if loss == "mdpq":
        return second_stage(
            lab, name, scenario, model="dualnet_mag", codeword_dim=MAGNITUDE_DIM,
            train_part="all", quantizer="mdpq", bits=6, quantizer_args=MDPQ[ratio],
        )  # fmt: skip
    if loss == "smape":
        return with_signs(lab, scenario, ratio)
    return second_stage(
        lab,
        name,
        scenario,
        model_args={"phase": "angle", "combine": "always"},
        quantizer_args={"num_signs": 0},
        loss={"mse0": "csi", "mdpp": "phase"}[loss],
        codeword_dim=MAGNITUDE_DIM + ENTRIES // ratio,
        quantizer="polar",
        bits={"mse0": 8, "mdpp": 10}[loss],
    )


def figure3(lab: Lab) -> Iterator[Entry]:
    """NMSE of the losses over the ratio of the phases.

    As in the paper, SMAPE and MDPP spend a quarter more bits on the phases than MSE0
    and MDPQ. MDPQ needs no training; at `fast` the others have one epoch of phases.
    """
    for scenario, ratio in _points(lab):
        for loss in LOSSES:
            rows = of_a_loss(lab, loss, scenario, ratio)
            yield Entry(loss, f"{scenario} 1/{ratio}", rows, value=NMSE)


def figure4(lab: Lab) -> Iterator[Entry]:
    """NMSE of cores and quantisers; BLQ has as many bits in entries of one bit.

    The paper does not say what its core of FC layers is: `dnn` is ours.
    """
    for scenario in lab.of(("indoor",), tuple(DATA)):
        for ratio in _ratios(lab):
            x = f"{scenario} 1/{ratio}"
            for core in CORES:
                rows = with_signs(lab, scenario, ratio, core)
                yield Entry(f"{core} ssq", x, rows, value=NMSE)
                rows = with_signs(lab, scenario, ratio, core, 1, phase="straight")
                yield Entry(f"{core} blq", x, rows, value=NMSE)


def unsent(lab: Lab) -> Iterator[Entry]:
    """NMSE by what stands for a sign that is not sent."""
    for value, own in (("0", {}), ("1", {"unsent": 1.0})):
        for ratio in _ratios(lab):
            rows = with_signs(lab, "indoor", ratio, **own)
            yield Entry(value, f"1/{ratio}", rows, value=NMSE)


def uplink(lab: Lab) -> Iterator[Entry]:
    """NMSE of the magnitudes with the uplink of the drop, and with that of another."""
    for scenario in DATA:
        rows = first_stage(lab, scenario)
        yield Entry("paired", scenario, rows)
        other = functools.partial(_shuffled, lab)
        yield Entry("shuffled", scenario, [row.then(other) for row in rows])


def _shuffled(lab: Lab, row: PendingRow) -> dict:
    return evaluation.evaluate(run_of(lab, row), uplink="shuffled")[0]


TEXT = "NMSE over subcarriers [dB]"
TARGETS = {
    "dualnet.figure3": Target(
        "Losses", TEXT, "scenario, ratio", figure3, curves,
        tuple((f"SMAPE better than {x}", "smape", x) for x in LOSSES[:-1]),
    ),
    "dualnet.figure4": Target(
        "Cores and quantisers", TEXT, "scenario, ratio", figure4, curves,
        (
            ("circular better than zero", "circular ssq", "zero ssq"),
            ("convolutions better than FC layers", "zero ssq", "dnn ssq"),
            *((f"{x}: SSQ better than BLQ", f"{x} ssq", f"{x} blq") for x in CORES),
        ),
    ),
    "dualnet.unsent": Target(
        "What stands for an unsent sign", TEXT, "ratio", unsent,
        own=(("0 better than 1", "0", "1"),),
    ),
    "dualnet.uplink": Target(
        "What the uplink is worth to the magnitudes", "NMSE [dB]", "scenario", uplink,
        own=(("the drop's own uplink helps", "paired", "shuffled"),),
    ),
}  # fmt: skip
FLAGFILES = {
    "fast": config_flags.FLAGFILES / "dualnet_fast.cfg",
    "full": config_flags.FLAGFILES / "dualnet_mag.cfg",
}
