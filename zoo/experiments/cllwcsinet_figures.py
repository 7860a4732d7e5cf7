"""Figures 2, 3 and 7 to 10 of the CLLWCsiNet paper, see `zoo.experiments.cllwcsinet`.

Figs. 2, 3 and 7 print no values; those here are from the authors' public scripts that
draw them (FardadAnsari/Paper-revision, NMSE_Nofparametters.py and NMSEvsFLOPs.py;
FardadAnsari/CLLWCsiNet, figures/noise-comparison.py). Figs. 8 to 10 are pictures. The
other figures of the paper are drawings of the network.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.experiments import codewords, measures
from zoo.experiments.cost2100 import (
    counts,
    overrides,
    published,
    rows_of,
    stored,
)
from zoo.experiments.drawings import pictures, points
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
# Figs. 2 and 3 at 1/8: parameters, "FLOPs", NMSE. The two scripts exchange the NMSE of
# the last two; these are TransNet's own paper's. Of Deep Decoder CsiNet (Chakma et al.,
# IEEE WCL 12(12), 2023) no layer list is public: it has a point, and no network here.
DRAWN = {
    "CsiNet": (1_054_000, 4_370_000, -12.70),
    "ACRNet": (1_054_000, 3_600_000, -15.34),
    "CRNet": (1_054_000, 4_070_000, -16.01),
    "DS-NLCsiNet": (1_059_000, 10_250_000, -17.0),
    "CsiNet+": (1_073_000, 23_520_000, -18.29),
    "Deep Decoder": (1_240_000, 34_000_000, -22.13),
    "TransNet": (1_320_000, 55_900_000, -22.91),
}
SNR_DB = tuple(range(-5, 41, 5))
CURVES = {  # Fig. 7 at 1/8
    "acrnet": (15.87, 5.64, 0.60, -4.14, -8.47, -11.87, -13.90, -14.83, -15.17, -15.29),
    "crnet": (12.13, 6.93, 1.55, -3.87, -8.88, -12.64, -14.71, -15.57, -15.86, -15.96),
    "bcsinet": (
        8.46, 2.90, -3.41, -8.84, -11.32, -12.06, -12.28, -12.36, -12.38, -12.39,
    ),
    "cllwcsinet": (
        -11.55, -11.18, -11.91, -11.27, -9.89, -11.34, -11.60, -11.64, -11.25, -12.11,
    ),
    "csinet": (20.0, 16.0, 12.30, 7.0, 3.0, -2.5, -7.5, -10.10, -11.0, -12.0),
    "csinet+dnnnet, noise": (
        4.0, -5.20, -8.0, -9.5, -10.2, -11.8, -12.2, -12.8, -12.9, -12.9,
    ),
    "csinet_plus": (None, 0.0, -5.0, -10.0, -14.0, -16.0, -16.8, -17.4, -17.5, None),
}  # fmt: skip
NOISE = {"feedback_snr_db": 40.0, "feedback_snr_low_db": -5.0}
BYPASS = {"bypass_snr_db": 40.0, "bypass_low_db": -5.0}
WITHOUT_NOISE = ("acrnet", "crnet", "bcsinet", "csinet", "csinet_plus")
SAMPLES, STRONGEST = 3, 32


def _ratio(lab: Lab) -> str:
    return lab.of("1/16", "1/8")


def _against(count: str, lab: Lab) -> Iterator[Entry]:
    """NMSE of the networks, each at its own count.

    At `fast` the ratio is 1/16 instead of 1/8, without networks with attention. The
    drawing has the paper's points at 1/8 beside them, among them Deep Decoder's, of
    which no layer list is public.
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
draw_figure2, draw_figure3 = (
    functools.partial(
        points,
        printed={f"{name}, paper's 1/8": (p[i], p[2]) for name, p in DRAWN.items()},
    )
    for i in (0, 1)
)


def figure7(lab: Lab) -> Iterator[Entry]:
    """NMSE over the SNR of the codeword; no network is trained for each SNR.

    As in the paper, CLLWCsiNet is trained at 40 dB and the others without noise. Beside
    that, CLLWCsiNet and CRNet trained with -5 to 40 dB, each CSI at an SNR of its own,
    and CsiNet with DNNNet, whose denoiser and then all of it are trained so; their best
    epochs are those of such noise. The decoder sees one codeword, the noisy one. In the
    paper's public code CLLWCsiNet's main path takes the clean one, and the noise has
    the power of the whole batch: `bypass` is trained, with -5 to 40 dB, and tested so,
    which no base station could; that is what the paper's flat curve shows.
    """
    ratio = _ratio(lab)
    systems = {m: rows_of(lab, m, "", ratio, "indoor") for m in WITHOUT_NOISE}
    at_40_db = {"feedback_snr_db": 40.0}
    systems["cllwcsinet"] = rows_of(lab, "cllwcsinet", "", ratio, "indoor", **at_40_db)
    for model in ("crnet", "cllwcsinet"):
        rows = rows_of(lab, model, "", ratio, "indoor", **NOISE)
        systems[f"{model}, noise"] = rows
    args = {"model_args": json.dumps(BYPASS), "feedback_snr_db": math.inf}
    rows = rows_of(lab, "cllwcsinet", "", ratio, "indoor", **args)
    systems["cllwcsinet, bypass"] = rows
    systems["csinet+dnnnet, noise"] = denoised(lab, systems["csinet"], ratio)
    for series, rows in systems.items():
        bypassed = series.endswith("bypass")
        measure = measures.bypassed_db if bypassed else codewords.noisy_db
        drawn = lab.of(None, CURVES.get(series.removesuffix(", bypass")))
        for snr_db, paper in zip(SNR_DB, drawn or [None] * len(SNR_DB), strict=True):
            value = _at(lab, measure, snr_db)
            yield Entry(series, snr_db, rows, paper, value)
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
