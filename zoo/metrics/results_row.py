"""The measured part of a results row, for networks and baselines alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfds_builders import transforms
from tfds_builders.csi_examples import FREQUENCY_GRID, FREQUENCY_KEPT
from zoo.config import ExperimentConfig
from zoo.metrics import accuracy, klt_line

BATCH = 500
STREAM = ":stream"  # ends the name of a data set whose training drops are fresh
PERCENTILES = (5, 10, 50, 90, 95)


class Subcarriers(NamedTuple):
    """Which subcarriers frequency metrics are taken on.

    Attributes:
        grid: points of the DFT along the delays.
        kept: subcarriers of the test split.
        step: every so-manieth of the grid, from the first on.
    """

    grid: int = FREQUENCY_GRID
    kept: int = FREQUENCY_KEPT
    step: int = 1


PUBLISHED = Subcarriers()


def subcarriers_of(builder) -> Subcarriers:
    """Those of a data set; 125 of 257 where it does not say, as published."""
    metadata = builder.info.metadata or {}
    if "frequency_grid" not in metadata:
        return PUBLISHED
    grid, step = metadata["frequency_grid"], metadata["frequency_step"]
    return Subcarriers(grid, -(-grid // step), step)


def data_set(settings: ExperimentConfig, builder) -> dict:
    """Which data set was tested on, in which version, scaling and part.

    `data_commit` is that of the simulator, `data_files` the SHA-256 of published files;
    None where the data set does not say.
    """
    name, _, dataset_config = settings.dataset.partition("/")
    metadata = builder.info.metadata or {}
    return {
        "dataset": name,
        "dataset_version": str(builder.version),
        "dataset_config": dataset_config,
        "scaling": settings.scaling,
        "test_data": stored_part(settings, builder, "test"),
        "data_commit": metadata.get("git_commit"),
        "data_files": metadata.get("files_sha256"),
    }


def stored_part(settings: ExperimentConfig, builder, split: str, count: int = 0) -> str:
    """What is read of a stored split: 'NAME/CONFIG/VERSION test[:50] of 100'.

    Args:
        settings: num_<split> and num_frames apply.
        builder: TFDS builder with its data.
        split: 'train', 'validation' or 'test'.
        count: number of examples instead of the configured one.
    """
    stored = settings.stored(split)
    available = builder.info.splits[stored].num_examples
    streamed = split == "train" and settings.dataset.endswith(STREAM)
    configured = 0 if streamed else getattr(settings, f"num_{split}")
    count = count or configured or available
    frames = f", {settings.num_frames} frames" if settings.num_frames else ""
    return f"{builder.info.full_name} {stored}[:{count}] of {available}{frames}"


def training_part(settings: ExperimentConfig, builder) -> str:
    """What is trained on: as `stored_part`, or '... stream[:20000] an epoch'."""
    if not settings.dataset.endswith(STREAM):
        return stored_part(settings, builder, "train")
    count = settings.num_train or builder.info.splits["train"].num_examples
    return f"{builder.info.full_name} stream[:{count}] an epoch, seed {settings.seed}"


def nmse_metrics(h: np.ndarray, h_hat: np.ndarray) -> dict:
    """NMSE in dB by definition, and its distribution; arguments as `accuracy.nmse`."""
    per_sample = accuracy.to_db(accuracy.nmse(h, h_hat))
    names = ("global", "batch_db", "sample_db")
    by_definition = {name: accuracy.nmse_db(h, h_hat, name) for name in names}
    return {
        "nmse_db": by_definition["global"],
        "nmse_definition": "global",
        "nmse_by_definition_db": by_definition,
        "nmse_percentiles_db": {
            str(p): float(np.percentile(per_sample, p)) for p in PERCENTILES
        },
    }


def frequency_metrics(
    h: np.ndarray,
    h_hat: np.ndarray,
    csi_freq: np.ndarray | None,
    grid: int,
    last: int = 0,
    subcarriers: Subcarriers = PUBLISHED,
) -> dict:
    """Rho, SGCS, beamforming loss and NMSE on subcarriers; rho on the whole grid.

    `nmse_freq_db` includes what the truncation of the delays loses.

    Args:
        h: zero-centred truth `[n, N_t, N_a, 2]` float32.
        h_hat: estimate, same shape.
        csi_freq: truth before the truncation, complex `[n, N_t angle, kept]`, where
            the data set has it.
        grid: N_c.
        last: of the N_a delays, those that are the last of all N_c.
        subcarriers: of `csi_freq`.
    """
    estimate = accuracy.to_complex(h_hat)
    row = {"rho_all": _rho_all(accuracy.to_complex(h), estimate, grid, last)}
    return row | kept_subcarriers(h_hat, csi_freq, last, subcarriers)


def kept_subcarriers(
    h_hat: np.ndarray,
    csi_freq: np.ndarray | None,
    last: int = 0,
    subcarriers: Subcarriers = PUBLISHED,
) -> dict:
    """Metrics on the subcarriers of the test split alone; arguments as above."""
    if csi_freq is None:
        return {}
    estimate = accuracy.to_complex(h_hat)
    points, kept, step = subcarriers
    keep = (kept - 1) * step + 1
    freq = np.concatenate([  # the whole grid of all at once would take gigabytes
        transforms.delay_to_frequency(x, points, keep, last)[..., ::step]
        for x in np.array_split(estimate, -(-len(estimate) // BATCH))
    ])  # fmt: skip
    return {
        "rho": accuracy.rho(csi_freq, freq),
        "sgcs": accuracy.sgcs(csi_freq, freq),
        "nmse_freq_db": accuracy.nmse_db(csi_freq, freq),
        "beamforming_loss_db": accuracy.beamforming_loss_db(csi_freq, freq),
    }


def all_subcarriers(
    h: np.ndarray, h_hat: np.ndarray, energy: np.ndarray | None
) -> dict:
    """Mean NMSE over all subcarriers, with what the truncation of the delays loses.

    Eq. 16 of Lin, Liu, Lee, Ding, IEEE Wireless Communications Letters 10(10), 2021. By
    Parseval the truncation leaves out what a drop has beyond its kept taps.

    Args:
        h: zero-centred truth `[n, N_t, N_a, 2]` float32.
        h_hat: estimate, same shape.
        energy: of all subcarriers `[n]`, where the data set has it.

    Returns:
        `nmse_all_db`, or nothing.
    """
    if energy is None:
        return {}
    kept, error = (
        np.sum(np.square(x, dtype=np.float64), axis=(1, 2, 3)) for x in (h, h_hat - h)
    )
    return {"nmse_all_db": float(accuracy.to_db(np.mean(1 - (kept - error) / energy)))}


def _rho_all(h: np.ndarray, h_hat: np.ndarray, grid: int, last: int) -> float:
    """Rho over all subcarriers; the truth is the zero-filled truncated CSI."""
    values = []
    for start in range(0, len(h), BATCH):
        pair = (x[start : start + BATCH] for x in (h, h_hat))
        freq = [transforms.delay_to_frequency(x, grid, last=last) for x in pair]
        values.append(accuracy.cosine_similarity(*freq).mean(axis=1))
    return float(np.concatenate(values).mean())


def klt_db(
    train: np.ndarray, test: np.ndarray, codeword_dim: int, noisy: np.ndarray
) -> float | None:
    """NMSE of the KLT line; None where it does not exist (odd M, few samples).

    Arguments as of `klt_line.nmse_db`.
    """
    try:
        return klt_line.nmse_db(train, test, codeword_dim, noisy)
    except ValueError as error:
        print(f"no KLT line: {error}")
        return None
