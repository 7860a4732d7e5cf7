"""Errors of recovered CSI, the same for networks and for what is served (NumPy)."""

from __future__ import annotations

import numpy as np


def to_db(ratio):
    """10 log10(ratio)."""
    return 10 * np.log10(ratio)


def nmse(h: np.ndarray, h_hat: np.ndarray) -> np.ndarray:
    """Per-sample ||h - h_hat||^2 / ||h||^2 on zero-centred CSI.

    Args:
        h: truth `[n, ...]`, zero-centred, real or complex.
        h_hat: estimate, same shape.

    Returns:
        float64 `[n]`, linear.

    Raises:
        ValueError: shapes differ, or a truth is all zero.
    """
    if h.shape != h_hat.shape:
        raise ValueError(f"shapes differ: truth {h.shape}, estimate {h_hat.shape}")
    error = np.abs(h.astype(np.result_type(h, np.float64)) - h_hat) ** 2
    axes = tuple(range(1, h.ndim))
    energy = (np.abs(h).astype(np.float64) ** 2).sum(axes)
    if not energy.all():
        raise ValueError(f"{np.sum(energy == 0)} samples have zero energy")
    return error.sum(axes) / energy


def nmse_db(h: np.ndarray, h_hat: np.ndarray, definition: str = "global") -> float:
    """NMSE in dB under a named definition.

    Args:
        h: zero-centred truth `[n, ...]`.
        h_hat: estimate.
        definition: 'global' is 10 log10 of the mean ratio (the papers' text and the
            default); 'batch_db' averages the dB of batches of 200 (public CRNet, CLNet
            and TransNet evaluators; for full batches never worse than global);
            'sample_db' averages per-sample dB.

    Raises:
        ValueError: unknown definition.
    """
    ratios = nmse(h, h_hat)
    if definition == "global":
        return float(to_db(ratios.mean()))
    if definition == "batch_db":
        batches = [ratios[i : i + 200].mean() for i in range(0, len(ratios), 200)]
        return float(np.mean(to_db(np.array(batches))))
    if definition == "sample_db":
        return float(np.mean(to_db(ratios)))
    raise ValueError(
        f"definition is {definition!r}, expected global, batch_db or sample_db"
    )


def sgcs(h: np.ndarray, h_hat: np.ndarray) -> float:
    """Mean squared cosine of columns, blind to a complex factor of each.

    Args:
        h: zero-centred eigenvectors `[n, P, columns, 2]`, none of them zero.
        h_hat: estimate; a column of zeros has 0.
    """
    v, w = (x[..., 0].astype(np.float64) + 1j * x[..., 1] for x in (h, h_hat))
    inner = np.abs(np.sum(v.conj() * w, axis=1)) ** 2
    power = np.prod([np.sum(np.abs(x) ** 2, axis=1) for x in (v, w)], axis=0)
    return float(np.mean(inner / np.where(power > 0, power, 1)))
