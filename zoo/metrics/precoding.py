"""Metrics of reported precoders: likeness per layer, power and rates of links.

Precoders W and eigenvectors V are complex `[n, subbands, P, layers]`, eigenvalues
`[n, subbands, N_r]`; norms of columns do not matter. The channel of a UE in a subband
is G = diag(sqrt(eigenvalues)) V^H, all N_r layers of V, scaled such that its mean power
over subbands is N_r P: SNR is that of one receive antenna, without array gain.
"""

from __future__ import annotations

import numpy as np

from serving.codec import nmse
from zoo.metrics.accuracy import to_db

DEFINITIONS = {
    "sgcs_by_layer": "mean over samples and subbands of |v^H w|^2 / (|v| |w|)^2",
    "sgcs": "mean over the layers of sgcs_by_layer",
    "sgcs_weighted": "squares as above, in each sample weighted by the eigenvalues of "
    "its subbands and layers",
    "gcs_by_layer": "mean over samples and subbands of |v^H w| / (|v| |w|)",
    "nmse_db": "mean over samples of |V - W|^2 / |V|^2, phases fixed",
    "beamforming_loss_db": "sum of |G W|^2 over that of |G V|, unit columns, in dB",
    "rate": "mean of log2 det(I + SNR / layers G W W^H G^H), unit columns, bit/s/Hz",
    "zf_rate": "random groups of K users, first layers A: A (A^H A + K / (SNR P) I)^-1 "
    "with unit columns, power 1 / K each; mean over subbands of log2(1 + SINR) behind "
    "an MMSE receiver, bit/s/Hz of a user",
}


def unit(w: np.ndarray) -> np.ndarray:
    """Precoders with columns of norm 1, complex128; columns of zeros stay."""
    norm = np.linalg.norm(w, axis=2, keepdims=True)
    return w / np.where(norm > 0, norm, 1).astype(np.float64)


def cosines(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """|v^H w| / (||v|| ||w||), float64 `[n, subbands, layers]`; 0 of a zero column.

    Raises:
        ValueError: shapes that differ.
    """
    if v.shape != w.shape or v.ndim != 4:
        raise ValueError(
            f"eigenvectors {list(v.shape)} and precoders {list(w.shape)}: expected "
            "both [n, subbands, P, layers]"
        )
    return nmse.cosines(v, w, axis=2)


def likeness(v: np.ndarray, w: np.ndarray, values: np.ndarray) -> dict:
    """SGCS and GCS by layer, mean and weighted; see `DEFINITIONS`.

    Args:
        v: eigenvectors.
        w: precoders of the same shape.
        values: eigenvalues of at least as many layers.
    """
    cosine = cosines(v, w)
    weights = values[..., : cosine.shape[-1]]
    by_layer = (cosine**2).mean(axis=(0, 1))
    weighted = np.sum(weights * cosine**2, axis=(1, 2)) / weights.sum(axis=(1, 2))
    return {
        "sgcs_by_layer": by_layer.tolist(),
        "sgcs": float(by_layer.mean()),
        "sgcs_weighted": float(weighted.mean()),
        "gcs_by_layer": cosine.mean(axis=(0, 1)).tolist(),
    }


def nmse_db(v: np.ndarray, w: np.ndarray) -> float:
    """NMSE of eigenvectors whose phases both ends fix; of no use for codebooks."""
    error, power = (np.sum(np.abs(x) ** 2, axis=(1, 2, 3)) for x in (v - w, v))
    return float(to_db(np.mean(error / power)))


def channels(v: np.ndarray, values: np.ndarray) -> np.ndarray:
    """G complex128 `[n, subbands, N_r, P]` of all layers and their eigenvalues."""
    power = values.sum(axis=-1).mean(axis=1)[:, None, None]
    scaled = values * (values.shape[-1] * v.shape[2] / power)
    return np.sqrt(scaled)[..., None] * np.swapaxes(v.conj(), -1, -2)


def beamforming_loss_db(g: np.ndarray, v: np.ndarray, w: np.ndarray) -> float:
    """Received power with precoders w over that with eigenvectors v, in dB."""
    kept, best = (np.sum(np.abs(g @ unit(x)) ** 2) for x in (w, v))
    return float(to_db(kept / best))


def rate(g: np.ndarray, w: np.ndarray, snr_db: float) -> float:
    """Mean rate of one user in bit/s/Hz, equal power on all layers."""
    snr = 10 ** (snr_db / 10) / w.shape[-1]
    received = g @ unit(w)
    gram = np.swapaxes(received.conj(), -1, -2) @ received
    _, log_det = np.linalg.slogdet(np.eye(w.shape[-1]) + snr * gram)
    return float(log_det.mean() / np.log(2))


def zf_rates(
    g: np.ndarray, w: np.ndarray, snr_db: float, num_users: int = 4, seed: int = 0
) -> np.ndarray:
    """Rates of users served together by regularised zero forcing on their reports.

    Args:
        g: `channels`.
        w: reported precoders; their first layers count.
        snr_db: of one receive antenna, all power on one user.
        num_users: K, in random groups; what is left over is left out.
        seed: of the groups.

    Returns:
        bit/s/Hz of each user, float64 `[groups K]`.

    Raises:
        ValueError: fewer samples than users.
    """
    if not 1 <= num_users <= len(g):
        raise ValueError(f"num_users={num_users}: expected 1 to {len(g)} samples")
    snr, ports = 10 ** (snr_db / 10), w.shape[2]
    order = np.random.default_rng(seed).permutation(len(g))
    groups = order[: len(g) // num_users * num_users].reshape(-1, num_users)
    a = np.moveaxis(unit(w[..., :1])[groups, :, :, 0], 1, -1)  # [groups, t, P, K]
    gram = np.swapaxes(a.conj(), -1, -2) @ a
    precoder = a @ np.linalg.inv(gram + num_users / (snr * ports) * np.eye(num_users))
    precoder = unit(precoder) * np.sqrt(snr / num_users)
    received = g[groups] @ precoder[:, None]  # [groups, K, t, N_r, K]
    own = np.arange(num_users)
    wanted = np.moveaxis(received[:, own, ..., own], 0, 1)[..., None]
    noisy = received @ np.swapaxes(received.conj(), -1, -2) + np.eye(g.shape[2])
    part = np.swapaxes(wanted.conj(), -1, -2) @ np.linalg.solve(noisy, wanted)
    part = np.real(part[..., 0, 0])  # SINR / (1 + SINR)
    return -np.log2(np.maximum(1 - part, 1e-12)).mean(axis=-1).ravel()


def link_metrics(
    v: np.ndarray,
    values: np.ndarray,
    w: np.ndarray,
    snr_db: float = 10.0,
    num_users: int = 4,
    seed: int = 0,
) -> dict:
    """Power and rates of precoders w, and of the eigenvectors in their place.

    Args:
        v: eigenvectors of all N_r layers.
        values: their eigenvalues.
        w: precoders of as many layers or fewer.
        snr_db: of one receive antenna.
        num_users: K of zero forcing.
        seed: of the groups of users.
    """
    g, best = channels(v, values), v[..., : w.shape[-1]]
    found = {"beamforming_loss_db": beamforming_loss_db(g, best, w), "snr_db": snr_db}
    found["num_users"] = num_users
    for name, precoders in (("", w), ("_perfect", best)):
        users = zf_rates(g, precoders, snr_db, num_users, seed)
        found |= {
            f"rate{name}": rate(g, precoders, snr_db),
            f"zf_rate{name}": float(users.mean()),
            f"zf_rate_5_percent{name}": float(np.percentile(users, 5)),
        }
    return found
