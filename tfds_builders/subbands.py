"""Eigenvectors per subband: what a codebook of 3GPP, or a network in its place, sends.

The covariance of a subband is the mean of H^H H over its subcarriers, H `[N_r, P]`; its
eigenvectors, the strongest first, are the precoders of the layers. Their eigenvalues
are the received power of each layer. An eigenvector has a free phase, fixed here by one
of `PHASES` (NumPy only).
"""

from __future__ import annotations

import numpy as np

PHASES = ("port", "entry", "sequential")


def eigenmodes(h: np.ndarray, num_layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvectors and eigenvalues of the covariance of each subband.

    Args:
      h: channels complex `[n, subbands, subcarriers, N_r, P]`.
      num_layers: how many of the strongest.

    Returns:
      Unit eigenvectors complex `[n, subbands, P, layers]`, phases as they come, and
      eigenvalues float64 `[n, subbands, layers]`.

    Raises:
      ValueError: another rank of `h`, or more layers than it can have.
    """
    h = np.asarray(h)
    if h.ndim != 5:
        raise ValueError(
            f"h of shape {h.shape}: expected [n, subbands, subcarriers, N_r, P]"
        )
    rows = h.reshape(*h.shape[:2], -1, h.shape[-1])
    most = min(rows.shape[-2:])
    if not 1 <= num_layers <= most:
        raise ValueError(
            f"{num_layers} layers of {h.shape[2]} subcarriers, {h.shape[3]} receive "
            f"antennas and {h.shape[4]} ports: expected 1 to {most}"
        )
    _, singular, vectors = np.linalg.svd(rows, full_matrices=False)
    vectors = np.conj(np.swapaxes(vectors, -1, -2))[..., :num_layers]
    return vectors, singular[..., :num_layers].astype(np.float64) ** 2 / h.shape[2]


def with_phase(vectors: np.ndarray, kind: str = "port") -> np.ndarray:
    """Eigenvectors whose free phases are fixed, each layer on its own.

    Args:
      vectors: complex `[n, subbands, P, layers]`.
      kind: `port`: the port that is strongest over all subbands is real positive in
        each; `entry`: the strongest port of each subband is; `sequential`: the inner
        product with the subband before is, and in the first one as `entry`.

    Raises:
      ValueError: unknown kind.
    """
    if kind not in PHASES:
        raise ValueError(f"phase {kind!r}: expected one of {', '.join(PHASES)}")
    power = np.abs(vectors) ** 2
    if kind == "port":
        power = np.broadcast_to(power.sum(axis=1, keepdims=True), power.shape)
    port = power.argmax(axis=2)[:, :, None]
    turn = np.take_along_axis(vectors, port, axis=2)
    if kind == "sequential":
        inner = np.sum(vectors[:, :-1].conj() * vectors[:, 1:], axis=2, keepdims=True)
        turn = np.concatenate([turn[:, :1], inner], axis=1)
        turn = np.cumprod(_unit(turn), axis=1)
    return (vectors * np.conj(_unit(turn))).astype(vectors.dtype, copy=False)


def as_csi(vectors: np.ndarray) -> np.ndarray:
    """Eigenvectors as an image in [0, 1], as networks for CSI take it.

    Half of an entry beside 0.5: no entry of a unit vector leaves the range.

    Args:
      vectors: complex `[n, subbands, P, layers]`.

    Returns:
      float32 `[n, P, layers subbands, 2]`: all subbands of the first layer, then those
      of the next.
    """
    h = np.transpose(vectors, (0, 2, 3, 1)).reshape(len(vectors), vectors.shape[2], -1)
    return np.stack([h.real, h.imag], axis=-1).astype(np.float32) / 2 + np.float32(0.5)


def of_csi(h: np.ndarray, num_layers: int) -> np.ndarray:
    """Inverse of `as_csi`.

    Args:
      h: zero-centred float `[n, P, layers subbands, 2]`.
      num_layers: of them.

    Returns:
      complex64 `[n, subbands, P, layers]`.
    """
    h = np.ascontiguousarray(2 * h, np.float32).view(np.complex64)[..., 0]
    h = h.reshape(*h.shape[:2], num_layers, -1)
    return np.transpose(h, (0, 3, 1, 2))


def _unit(turn: np.ndarray) -> np.ndarray:
    """Phase of complex numbers; 1 of zeros."""
    size = np.abs(turn)
    return np.where(size > 0, turn / np.where(size > 0, size, 1), 1)
