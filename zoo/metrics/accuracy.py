"""Metrics on zero-centred CSI (NumPy, float64 accumulation).

Complex CSI is given as `[n, N_t, N_a, 2]` real or as complex arrays; frequency-domain
arguments are complex `[n, N_t, N_f]` in the angle (beam) domain, where a unitary
transform changes no metric.
"""

from __future__ import annotations

import numpy as np


def to_db(ratio):
    """10 log10(ratio)."""
    return 10 * np.log10(ratio)


def to_complex(h: np.ndarray) -> np.ndarray:
    """`[..., 2]` real to `[...]` complex64."""
    h = np.ascontiguousarray(h, dtype=np.float32)
    return h.view(np.complex64)[..., 0]


def frames(csi: np.ndarray) -> np.ndarray:
    """CSI, or sequences of it, as single snapshots `[n, N_t, N_a, 2]`."""
    return csi.reshape(-1, *csi.shape[-3:])


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


def cosine_similarity(h: np.ndarray, h_hat: np.ndarray) -> np.ndarray:
    """|h_k^H h_hat_k| / (||h_k|| ||h_hat_k||) per subcarrier.

    Args:
        h: complex `[n, N_t, N_f]`.
        h_hat: complex, same shape; an all-zero column counts as similarity 0.

    Returns:
        float64 `[n, N_f]`.
    """
    inner = np.abs(np.sum(h.conj() * h_hat, axis=1, dtype=np.complex128))
    norms = np.linalg.norm(h, axis=1) * np.linalg.norm(h_hat, axis=1).astype(float)
    return np.divide(inner, norms, out=np.zeros_like(inner), where=norms > 0)


def rho(h: np.ndarray, h_hat: np.ndarray) -> float:
    """Mean cosine similarity over subcarriers and samples (CsiNet)."""
    return float(cosine_similarity(h, h_hat).mean())


def sgcs(h: np.ndarray, h_hat: np.ndarray) -> float:
    """Squared generalised cosine similarity, one receive antenna: mean of squares."""
    return float((cosine_similarity(h, h_hat) ** 2).mean())


def beamforming_loss_db(h: np.ndarray, h_hat: np.ndarray) -> float:
    """Beamforming gain kept by maximum-ratio transmission on the estimate, in dB.

    10 log10(sum_k ||h_k||^2 rho_k^2 / sum_k ||h_k||^2); 0 is perfect, negative a loss.
    """
    energy = np.sum(np.abs(h) ** 2, axis=1, dtype=np.float64)
    kept = np.sum(energy * cosine_similarity(h, h_hat) ** 2)
    return float(to_db(kept / energy.sum()))
