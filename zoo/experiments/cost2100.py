"""What the experiments on COST2100 channels share: data sets, ratios and runs.

`full` needs the published COST2100 files and takes the papers' epochs. `fast` streams
simulated drops and starts every network that can at the linear KLT codec: the published
values are of other channels and of hundreds of times as many steps. A network in one
training has one run, whichever tables it is in.
"""

from __future__ import annotations

import dataclasses
import functools
import json

from zoo import config_flags, registry
from zoo.experiments.pool import PendingRow
from zoo.experiments.runner import settings_of
from zoo.experiments.target import Lab
from zoo.metrics import flops
from zoo.models.spec import RATIOS

FLAGFILES = {
    "fast": config_flags.FLAGFILES / "cost2100_fast.cfg",
    "full": config_flags.FLAGFILES / "crnet.cfg",
}
TRAINING = (
    "schedule", "lr", "lr_min", "warmup_epochs", "adam_epsilon", "epochs",
    "feedback_snr_db",
)  # fmt: skip
# Channels by name, at the fast and at the full budget.
CHANNELS = {
    "indoor": ("cost2100_sim/indoor_quick:stream", "cost2100/indoor"),
    "outdoor": ("cost2100_sim/outdoor_quick:stream", "cost2100/outdoor"),
    "uma 28 GHz": (
        "tr38901/cllw_uma_nlos_28ghz_quick:stream",
        "tr38901/cllw_uma_nlos_28ghz",
    ),
    "uma 300 MHz": (
        "tr38901/cllw_uma_nlos_300mhz_quick:stream",
        "tr38901/cllw_uma_nlos_300mhz",
    ),
}
NMSE = "NMSE [dB]"
NMSE_OR = f"{NMSE}, or as the series says"


def data_set(lab: Lab, channels: str) -> str:
    """Data set of some channels to train on."""
    return lab.of(*CHANNELS[channels])


def stored(lab: Lab, channels: str) -> str:
    """Data set of some channels without a stream's fresh drops."""
    return data_set(lab, channels).partition(":")[0]


def scenarios(lab: Lab) -> tuple[str, ...]:
    """Scenarios of a budget."""
    return lab.of(("indoor",), ("indoor", "outdoor"))


def ratio_alone(lab: Lab) -> str:
    """Ratio of tables at a single one, the papers' 1/4.

    In minutes no network gets past the KLT that it starts at there: 1/16 at `fast`.
    """
    return lab.of("1/16", "1/4")


def ratios(lab: Lab) -> tuple[str, ...]:
    """Ratios of a budget."""
    return lab.of(("1/4", "1/16", "1/64"), tuple(RATIOS))


def published(model: str, variant: str, ratio: str, scenario: str) -> float | None:
    """The paper's NMSE [dB] of a network or variant, None where it prints none."""
    spec = registry.get(model)
    rows = spec.variants[variant].published if variant else spec.published
    return rows.get(ratio, {}).get(scenario)


@functools.cache
def counts(model: str, ratio: str, **model_args) -> dict[str, int]:
    """Parameters and operations of a network at a ratio, see `zoo.metrics.flops`."""
    dim = RATIOS[ratio]
    parts = registry.build(model, codeword_dim=dim, model_args=model_args)
    return flops.summary(parts)


def overrides(lab: Lab, model, variant, ratio, scenario, **own) -> dict:
    """Flags of a network or variant in its own training.

    Args:
        lab: where; at `fast` only the peak rate is the network's own, and the schedule
            of a variant that is about it: at a constant rate networks lose their start
            and do not come back in minutes.
        model: registry name.
        variant: of the network's spec, '' for the default.
        ratio: as '1/4'.
        scenario: key of `CHANNELS`.
        **own: further flags; they win.
    """
    spec = registry.get(model)
    model_args, changes = {}, {}
    if variant:
        model_args, _, changes = spec.variants[variant]
    flagfile = FLAGFILES["full"].with_name(f"{model}.cfg")
    training = dataclasses.asdict(settings_of(flagfile)) | changes
    kept = lab.of(("lr", *({"schedule"} & changes.keys())), TRAINING)
    return {
        "model": model,
        "model_args": json.dumps(model_args),
        "codeword_dim": RATIOS[ratio],
        "dataset": data_set(lab, scenario),
        **{key: training[key] for key in kept},
        **({} if spec.fitted_start else {"init": "paper"}),
        **own,
    }


def rows_of(lab: Lab, model, variant, ratio, scenario, **own) -> list[PendingRow]:
    """Results rows of a network or variant; arguments as `overrides`.

    A variant that a budget trains as the default one, or for another number of epochs,
    has that one's name: epochs tell runs apart in any case.
    """
    flags = overrides(lab, model, variant, ratio, scenario, **own)
    usual = overrides(lab, model, "", ratio, scenario, **own)
    if flags == usual | {"epochs": flags.get("epochs")} or flags == usual:
        variant = ""
    words = [model, variant, ratio[2:], scenario]
    return lab.rows("_".join(filter(None, words)).replace(" ", "_"), **flags)
