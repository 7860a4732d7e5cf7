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
    return float(np.mean(cosines(v, w) ** 2))


def cosines(v: np.ndarray, w: np.ndarray, axis: int = 1) -> np.ndarray:
    """|v^H w| / (||v|| ||w||) of vectors along an axis, which goes.

    Args:
        v: complex, of any precision.
        w: same shape; a vector of zeros counts as cosine 0.
        axis: of the entries of a vector.

    Returns:
        float64, at most 1.
    """
    v, w = (np.asarray(x, np.complex128) for x in (v, w))
    inner = np.abs(np.sum(v.conj() * w, axis=axis))
    norms = np.linalg.norm(v, axis=axis) * np.linalg.norm(w, axis=axis)
    return np.minimum(inner / np.where(norms > 0, norms, 1), 1)
