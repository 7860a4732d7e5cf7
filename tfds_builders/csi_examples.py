"""Zero-centred channels -> the features of examples (NumPy)."""

from __future__ import annotations

import numpy as np

from tfds_builders import transforms

FREQUENCY_GRID, FREQUENCY_KEPT = 257, 125
# What the metadata of a data set say of `scale`; H is the channel.
PER_SAMPLE = "min(0.9 / ||H||_F, 0.5 / max|re, im|) per sample"
PER_SEQUENCE = f"{PER_SAMPLE}, the smallest of all times of a UE"


def snapshot(
    h: np.ndarray, frequency: np.ndarray | None = None, kept: int = FREQUENCY_KEPT
) -> dict:
    """Features `csi`, `scale` and `csi_freq`, each sample scaled on its own.

    Args:
      h: complex `[n, angle, delay]`.
      frequency: complex `[n, angle, subcarriers]` before truncation; None: no rows,
        `csi_freq` float32 `[n, 0, kept, 2]`.
      kept: number of subcarriers.
    """
    scale = transforms.per_sample_scale(h)
    csi_freq = np.zeros((len(h), 0, kept, 2), np.float32)
    if frequency is not None:
        csi_freq = real_pairs(frequency * scale[:, None, None])
    csi = transforms.to_unit_range(h, scale)
    return {"csi": csi, "scale": scale, "csi_freq": csi_freq}


def uplink(h: np.ndarray) -> dict:
    """Features `csi_uplink` and `scale_uplink` of channels `[n, 32, 32]`."""
    scale = transforms.per_sample_scale(h)
    return {"csi_uplink": transforms.to_unit_range(h, scale), "scale_uplink": scale}


def energy(frequency: np.ndarray | None, scale: np.ndarray) -> dict:
    """Feature `energy` of channels `[n, angle, all subcarriers]` stored at `scale [n]`.

    float32 `[n, 1]`: sum of all squares before truncation; None: no rows, `[n, 0]`.
    """
    if frequency is None:
        return {"energy": np.zeros((len(scale), 0), np.float32)}
    norm = np.linalg.norm(frequency.reshape(len(scale), -1), axis=1)
    return {"energy": np.square(norm * scale)[:, None].astype(np.float32)}


def sequence(h: np.ndarray) -> dict:
    """Features `csi` and `scale` of moving UEs `[n, T, angle, delay]`, a scale each."""
    scale = transforms.per_sample_scale(h).min(axis=1)
    every = np.repeat(scale[:, None], h.shape[1], axis=1)
    return {"csi": transforms.to_unit_range(h, every), "scale": scale}


def channels(csi: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Zero-centred complex64 `[..., N_t, N_a]` of stored `csi [..., N_t, N_a, 2]`.

    `scale` has the leading axes of `csi`, or just the first ones of them: it is then
    that of all times of a moving UE.

    Raises:
      ValueError: as `transforms.from_unit_range`.
    """
    samples = csi.shape[:-3]
    scale = scale.reshape(*scale.shape, *[1] * (len(samples) - scale.ndim))
    return transforms.from_unit_range(csi, np.broadcast_to(scale, samples))


def real_pairs(h: np.ndarray) -> np.ndarray:
    """Complex `[...]` as float32 `[..., 2]` (re, im)."""
    return h.astype(np.complex64, order="C")[..., None].view(np.float32)
