"""Networks on channels that they were not trained for: zoo.generalisation.

CRNet 1/4 (1/16 at `fast`) trained on COST2100 indoor, COST2100 outdoor or TR 38.901
UMa, tested on each, and continued on a little of the channels it is tested on. All have
the same array (a ULA of 32), the same orientation and truncation (32 angles by the
first 32 delays) and the same scaling (each sample on its own), so that what is lost is
the statistics of the channels. The lines to beat: the estimate 0, which takes no
feedback; that little alone; the linear KLT of either channels.
"""

from __future__ import annotations

from collections.abc import Iterator

from zoo.experiments import codewords
from zoo.experiments.cllwcsinet_tables import crossed
from zoo.experiments.cost2100 import NMSE, overrides, ratio_alone, rows_of, stored
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, Target, klt

CHANNELS = ("indoor", "outdoor", "uma 300 MHz")
FEW = 1000  # training CSI of the new channels
OWN, ZERO, LITTLE = "own channels", "zero output", "the little alone"


def _system(lab: Lab) -> tuple[str, str, str]:
    """Network, variant and ratio."""
    return "crnet", "", ratio_alone(lab)


def _flags(lab: Lab, channels: str) -> dict:
    """Flags of a training on the little that there is of some channels."""
    return overrides(lab, *_system(lab), channels) | {
        "dataset": stored(lab, channels),
        "num_train": FEW,
        "epochs": lab.of(10, 200),
        "schedule": "cosine",
        "lr": 5e-4,
        **_scaling(lab),
    }


def _scaling(lab: Lab) -> dict:
    """What makes all data sets scaled alike: the simulated ones are as stored."""
    return lab.of({}, {"scaling": "per_sample"})


def tuned(lab: Lab, source: str, target: str) -> list[PendingRow]:
    """Results rows of one channel's networks, continued on a little of another's."""
    name = f"crnet_{source}_to_{target}".replace(" ", "_")
    rows = rows_of(lab, *_system(lab), source, **_scaling(lab))
    return lab.continued(name, rows, **_flags(lab, target), init="paper")


def generalisation(lab: Lab) -> Iterator[Entry]:
    """NMSE by the channels of the training and those of the test.

    `tuned` is continued on 1,000 CSI of the channels tested on, `the little alone` is
    trained on nothing else, from the KLT of these CSI. All channels have the same
    array, orientation, truncation and scaling.
    """
    rows = {x: rows_of(lab, *_system(lab), x, **_scaling(lab)) for x in CHANNELS}
    for target in CHANNELS:
        yield Entry(OWN, target, rows[target])
        yield klt(target, rows[target])
        there = crossed(lab, target, codewords.zero_db)
        yield Entry(ZERO, target, rows[target], None, *there, line=True)
        little = f"crnet_little_{target}".replace(" ", "_")
        yield Entry(LITTLE, target, lab.rows(little, **_flags(lab, target)))
        for source in CHANNELS:
            if source == target:
                continue
            there = crossed(lab, target, codewords.cross_db)
            yield Entry(f"from {source}", target, rows[source], None, *there)
            there = crossed(lab, target, codewords.klt_cross_db)
            name = f"klt of {source}"
            yield Entry(name, target, rows[source], None, *there, line=True)
            yield Entry(f"from {source}, tuned", target, tuned(lab, source, target))


def _claims(source: str) -> Iterator[tuple[str, str, str]]:
    other, after = f"from {source}", f"from {source}, tuned"
    yield f"{other}: better than no feedback on other channels", other, ZERO
    yield f"{other}: better than the KLT from there", other, f"klt of {source}"
    yield f"{other}: a little of the new channels helps", after, other
    yield f"{other}: better with it than the little alone", after, LITTLE


TARGETS = {
    "zoo.generalisation": Target(
        "CRNet 1/4 (fast: 1/16) on other channels", NMSE, "tested on", generalisation,
        own=tuple(claim for x in CHANNELS for claim in _claims(x)),
    ),
}  # fmt: skip
