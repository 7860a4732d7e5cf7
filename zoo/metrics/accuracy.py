"""Metrics on zero-centred CSI (NumPy, float64 accumulation).

Complex CSI is given as `[n, N_t, N_a, 2]` real or as complex arrays; frequency-domain
arguments are complex `[n, N_t, N_f]` in the angle (beam) domain, where a unitary
transform changes no metric.
"""

from __future__ import annotations

import numpy as np

from serving.codec.nmse import cosines, nmse, nmse_db, to_db

__all__ = ["nmse", "nmse_db", "to_db"]  # with what is defined here
BATCH = 1000


def to_complex(h: np.ndarray) -> np.ndarray:
    """`[..., 2]` real to `[...]` complex64."""
    h = np.ascontiguousarray(h, dtype=np.float32)
    return h.view(np.complex64)[..., 0]


def frames(csi: np.ndarray) -> np.ndarray:
    """CSI, or sequences of it, as single snapshots `[n, N_t, N_a, 2]`."""
    return csi.reshape(-1, *csi.shape[-3:])


def cosine_similarity(h: np.ndarray, h_hat: np.ndarray) -> np.ndarray:
    """|h_k^H h_hat_k| / (||h_k|| ||h_hat_k||) per subcarrier.

    Args:
        h: complex `[n, N_t, N_f]`.
        h_hat: complex, same shape; an all-zero column counts as similarity 0.

    Returns:
        float64 `[n, N_f]`.
    """
    pairs = zip(_parts(h), _parts(h_hat), strict=True)
    return np.concatenate([cosines(*pair) for pair in pairs])


def _parts(h: np.ndarray) -> list[np.ndarray]:
    """At most `BATCH` examples each: products of all of them would take gigabytes."""
    return np.array_split(h, max(1, -(-len(h) // BATCH)))


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
    energy = np.concatenate(
        [np.sum(np.abs(part) ** 2, axis=1, dtype=np.float64) for part in _parts(h)]
    )
    kept = np.sum(energy * cosine_similarity(h, h_hat) ** 2)
    return float(to_db(kept / energy.sum()))
