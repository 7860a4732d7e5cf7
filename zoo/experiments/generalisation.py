"""Networks on channels that they were not trained for.

zoo.generalisation: CRNet 1/4 (1/16 at `fast`) trained on COST2100 indoor, COST2100
outdoor or TR 38.901 UMa, tested on each, and continued on a little of the channels it
is tested on. All have the same array (a ULA of 32), the same orientation and truncation
(32 angles by the first 32 delays) and the same scaling (each sample on its own), so
that what is lost is the statistics of the channels. The lines to beat: the estimate 0,
which takes no feedback; that little alone; the linear KLT of either channels.

zoo.generalisation_eigenvectors: eigenvectors of subbands in real bits, by the cases of
TR 38.843: trained where it is tested (1), elsewhere (2), elsewhere and then on a little
(2A), on a mix of all (3). The line that never moves is the enhanced Type II codebook,
which is trained nowhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from zoo.experiments import codewords
from zoo.experiments.cllwcsinet_tables import crossed
from zoo.experiments.cost2100 import NMSE, overrides, ratio_alone, rows_of, stored
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, Target, klt, run_of

CHANNELS = ("indoor", "outdoor", "uma 300 MHz")
FEW = 1000  # training CSI of the new channels
OWN, ZERO, LITTLE = "own channels", "zero output", "the little alone"
# Channels of 32 ports by name, at the fast and at the full budget.
EIGEN_CHANNELS = {
    "urban 2 GHz": ("r18_dense_urban_2ghz_quick", "r18_dense_urban_2ghz"),
    "urban 4 GHz": ("r18_dense_urban_4ghz_quick", "r18_dense_urban_4ghz"),
    "rural 3.5 GHz": ("lora_rma_nlos_quick", "lora_rma_nlos"),
}
MIX, CODEBOOK, COMBINATION = "mix of all", "enhanced Type II", 4
EIGEN = {  # 84 x 2 bits, the most that part 2 of the codebook's report takes at rank 1
    "target": "eigenvectors", "rank": 1, "phase": "sequential", "loss": "sgcs",
    "init": "klt",
    "model": "subband_transformer", "codeword_dim": 84, "quantizer": "uniform",
    "bits": 2, "batch_size": 100, "lr": 1e-3, "lr_min": 1e-6,
}  # fmt: skip


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


def eigenvectors(lab: Lab) -> Iterator[Entry]:
    """What is lost of the SGCS, by the channels of the training and those of the test.

    Rank 1, 13 subbands, 32 ports, as many bits as the codebook's reports have at most
    in their part 2. Case 1 of TR 38.843 is `own channels`, case 2 `from ...`, case 2A
    `..., tuned` on 1,000 samples, case 3 `mix of all`, trained on as many samples as
    the others. The codebook is enhanced Type II, combination 4: nothing is fitted.
    """
    rows = {x: _eigen_rows(lab, x, dataset=_eigen_data(lab, x)) for x in EIGEN_CHANNELS}
    first, *others = (_eigen_data(lab, x) for x in EIGEN_CHANNELS)
    mixed = _eigen_rows(lab, "mix", dataset=first, mix=",".join(others))
    for target in EIGEN_CHANNELS:
        there = _eigen_data(lab, target)
        few = _few(lab) | {"dataset": there}
        crossing = functools.partial(_crossed_loss, lab, there), there
        yield Entry(OWN, target, rows[target], None, _lost)
        yield Entry(CODEBOOK, target, [_codebook(lab, target)], None, _lost, line=True)
        yield Entry(MIX, target, mixed, None, *crossing)
        yield Entry(
            LITTLE, target, _eigen_rows(lab, f"little {target}", **few), None, _lost
        )
        for source in EIGEN_CHANNELS:
            if source == target:
                continue
            yield Entry(f"from {source}", target, rows[source], None, *crossing)
            name = _name(f"{source} to {target}")
            flags = EIGEN | few | {"init": "paper"}
            after = lab.continued(name, rows[source], **flags)
            yield Entry(f"from {source}, tuned", target, after, None, _lost)


def _eigen_data(lab: Lab, channels: str) -> str:
    return f"tr38901/{lab.of(*EIGEN_CHANNELS[channels])}"


def _eigen_rows(lab: Lab, name: str, **own) -> list[PendingRow]:
    """Results rows of a training on eigenvectors, of as many samples in any case."""
    usual = {"num_train": lab.of(20_000, 40_000), "epochs": lab.of(15, 200)}
    flags = EIGEN | usual | own
    return lab.rows(_name(name), **flags)


def _few(lab: Lab) -> dict:
    """Flags of a training on the little that there is of some channels."""
    return {"num_train": FEW, "epochs": lab.of(30, 200), "lr": 5e-4}


def _name(words: str) -> str:
    return f"eigen_{words}".replace(" ", "_")


def _codebook(lab: Lab, channels: str) -> PendingRow:
    """Results row of the codebook, which has no seed."""
    return lab.runner.baseline(
        _name(f"etype2_{COMBINATION} {channels}"), method="etype2", rank=EIGEN["rank"],
        param_combination=COMBINATION, dataset=_eigen_data(lab, channels),
    )  # fmt: skip


def _lost(row: PendingRow) -> float:
    """1 - SGCS [%] of a results row."""
    return 100 * (1 - row.result()["sgcs"])


def _crossed_loss(lab: Lab, dataset: str, row: PendingRow) -> float:
    return codewords.lost_sgcs(run_of(lab, row), dataset)


def _eigen_claims() -> Iterator[tuple[str, str, str]]:
    for name in (OWN, MIX):
        yield f"{name}: better than the codebook", name, CODEBOOK
    for source in EIGEN_CHANNELS:
        other, after = f"from {source}", f"from {source}, tuned"
        yield f"{other}: better than the codebook on other channels", other, CODEBOOK
        yield f"{other}: a little of the new channels helps", after, other
        yield f"{other}: better with it than the little alone", after, LITTLE
    yield "the mix costs nothing on own channels", MIX, OWN


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
    "zoo.generalisation_eigenvectors": Target(
        "Eigenvectors in 168 bits on other channels", "1 - SGCS [%]", "tested on",
        eigenvectors, own=tuple(_eigen_claims()),
    ),
}  # fmt: skip
