"""Figures 2, 3 and 7 to 10 of the CLLWCsiNet paper, see `zoo.experiments.cllwcsinet`.

They are curves and pictures without printed values. The other figures of the paper are
drawings of the network.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.experiments import codewords
from zoo.experiments.cost2100 import counts, overrides, published, rows_of, stored
from zoo.experiments.drawings import pictures
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, run_of

# Networks of Figs. 2 and 3 and their variants.
NETWORKS = {
    "csinet": "",
    "acrnet": "",
    "crnet": "",
    "ds_nlcsinet": "",
    "csinet_plus": "",
    "transnet": "1000 epochs",
    "cllwcsinet": "",
}
SLOW = ("ds_nlcsinet", "transnet")  # attention: left out at the fast budget
SNR_DB = tuple(range(-5, 41, 5))
NOISE = {"feedback_snr_db": 40.0, "feedback_snr_low_db": -5.0}
LIFTED = "its start has a constant on the codeword, which the noise is measured with"
WITHOUT_NOISE = ("acrnet", "crnet", "bcsinet", "csinet", "csinet_plus")
SAMPLES, STRONGEST = 3, 32


def _ratio(lab: Lab) -> str:
    return lab.of("1/16", "1/8")


def _against(count: str, lab: Lab) -> Iterator[Entry]:
    """NMSE of the networks, each at its own count.

    At `fast` the ratio is 1/16 instead of 1/8, without networks with attention. A
    further one of the paper's, Deep Decoder, has no public layer list.
    """
    ratio = _ratio(lab)
    for model, variant in NETWORKS.items():
        if model in SLOW and lab.budget == "fast":
            continue
        rows = rows_of(lab, model, variant, ratio, "indoor")
        paper = published(model, variant, "1/8", "indoor") if ratio == "1/8" else None
        yield Entry(model, counts(model, ratio)[count], rows, paper)


figure2 = functools.partial(_against, "total_params")
figure3 = functools.partial(_against, "total_macs")


def figure7(lab: Lab) -> Iterator[Entry]:
    """NMSE over the SNR of the codeword; no network is trained for each SNR.

    As in the paper, CLLWCsiNet is trained at 40 dB and the others without noise. Beside
    that, CLLWCsiNet and CRNet trained with -5 to 40 dB, each CSI at an SNR of its own,
    and CsiNet with DNNNet, whose denoiser and then all of it are trained so; their best
    epochs are those of such noise. The decoder sees one codeword, the noisy one; in the
    paper's public code CLLWCsiNet's main path takes the clean one. At `fast`
    CLLWCsiNet's fitted start has a constant on the codeword, as the other networks' has
    not: noise of an SNR is the stronger there, and its claims are decided by `full`.
    """
    ratio = _ratio(lab)
    systems = {m: rows_of(lab, m, "", ratio, "indoor") for m in WITHOUT_NOISE}
    at_40_db = {"feedback_snr_db": 40.0}
    systems["cllwcsinet"] = rows_of(lab, "cllwcsinet", "", ratio, "indoor", **at_40_db)
    for model in ("crnet", "cllwcsinet"):
        rows = rows_of(lab, model, "", ratio, "indoor", **NOISE)
        systems[f"{model}, noise"] = rows
    systems["csinet+dnnnet, noise"] = denoised(lab, systems["csinet"], ratio)
    for series, rows in systems.items():
        handicap = lab.of(LIFTED, "") if series.startswith("cllwcsinet") else ""
        for snr_db in SNR_DB:
            value = _at(lab, codewords.noisy_db, snr_db)
            yield Entry(series, snr_db, rows, value=value, handicap=handicap)
    for snr_db in SNR_DB:
        value = _at(lab, codewords.klt_noisy_db, snr_db)
        yield Entry("klt", snr_db, systems["crnet"], value=value, line=True)


def denoised(lab: Lab, plain: list[PendingRow], ratio: str) -> list[PendingRow]:
    """Results rows of CsiNet with DNNNet: the denoiser alone, then everything.

    Args:
        lab: where.
        plain: rows of CsiNet without noise.
        ratio: as '1/16'.
    """
    shared = overrides(lab, "csinet", "", ratio, "indoor") | NOISE
    shared |= {"receiver": "dnnnet", "init": "paper"}
    alone = {"train_part": "receiver", "loss": "codeword"}
    name = f"csinet_{ratio[2:]}_dnnnet"
    rows = lab.continued(name, plain, **shared | alone)
    return lab.continued(f"{name}_joint", rows, **shared | {"lr": 1e-4})


def _at(lab: Lab, measure, snr_db: float):
    return lambda row: measure(run_of(lab, row), snr_db)


def drops_of(channels: str, lab: Lab) -> Iterator[Entry]:
    """Share of a CSI's energy that its 32 strongest entries of 1,024 hold, in percent.

    The paper shows pictures of three CSI without a number.
    """
    settings = lab.runner.settings("", dataset=stored(lab, channels))
    row = PendingRow(settings.dataset, lambda: {"dataset_config": settings.dataset})
    for i in range(SAMPLES):
        share = functools.partial(_share, settings, i)
        yield Entry(f"drop {i + 1}", channels, [row], value=share)


@functools.lru_cache(SAMPLES)
def _drops(settings: ExperimentConfig) -> np.ndarray:
    """First test CSI of a data set, zero-centred."""
    return splits.load_split(settings, "test", SAMPLES).h


def _share(settings: ExperimentConfig, i: int, row) -> float:
    del row
    power = np.sort(np.sum(_drops(settings)[i] ** 2, axis=-1), axis=None)
    return 100 * float(power[-STRONGEST:].sum() / power.sum())


def draw_drops(lab: Lab, result: dict, image: Path) -> None:
    """|H| of the drops."""
    entries = result["entries"]
    channels = entries[0]["x"]
    drops = _drops(lab.runner.settings("", dataset=stored(lab, channels)))
    cells = [(e["series"], h) for e, h in zip(entries, drops, strict=True)]
    pictures([cells], image, alone=True)
