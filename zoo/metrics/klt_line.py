"""The linear KLT (PCA) reference line: M real numbers per CSI, no network.

From the complex covariance of the training CSI, its M/2 strongest
eigenvectors, M/2 complex coefficients (M real numbers) per sample.
"""

from __future__ import annotations

import numpy as np

from zoo.metrics import accuracy


def fit(h: np.ndarray, codeword_dim: int) -> np.ndarray:
    """KLT basis of the training CSI.

    Args:
        h: zero-centred `[n, N_t, N_a, 2]` float32.
        codeword_dim: M, even.

    Returns:
        complex64 `[N_t N_a, M / 2]`, orthonormal columns.

    Raises:
        ValueError: odd M, or fewer training samples than coefficients.
    """
    x = accuracy.to_complex(h).reshape(len(h), -1)
    rank = codeword_dim // 2
    if codeword_dim % 2 or rank > min(x.shape):
        raise ValueError(
            f"codeword_dim is {codeword_dim}, expected even and at most "
            f"{2 * min(x.shape)} for {len(x)} training samples of {x.shape[1]} entries"
        )
    return eigenvectors(x)[:, :rank]


def eigenvectors(x: np.ndarray) -> np.ndarray:
    """Eigenvectors of the covariance of samples, the strongest first.

    Args:
        x: complex `[samples, entries]`.

    Returns:
        Orthonormal columns `[entries, smaller of the two]`.
    """
    if len(x) < x.shape[1]:  # fewer samples than entries: their span is enough
        return np.linalg.svd(x.T, full_matrices=False)[0]
    _, vectors = np.linalg.eigh(x.T @ x.conj() / len(x))
    return vectors[:, ::-1]


def reconstruct(h: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Project zero-centred `[n, N_t, N_a, 2]` on the basis; same shape, float32."""
    x = accuracy.to_complex(h).reshape(len(h), -1)
    x_hat = (x @ basis.conj()) @ basis.T
    x_hat = x_hat.astype(np.complex64).view(np.float32)
    return x_hat.reshape(h.shape)


def nmse_db(
    train: np.ndarray,
    test: np.ndarray,
    codeword_dim: int,
    noisy: np.ndarray | None = None,
) -> float:
    """Global NMSE in dB of the KLT line on test CSI.

    Args:
        train: zero-centred CSI `[n, N_t, N_a, 2]` for the basis.
        test: zero-centred truth.
        codeword_dim: M, even.
        noisy: what the encoder sees of `test`; by default the truth.
    """
    inputs = test if noisy is None else noisy
    return accuracy.nmse_db(test, reconstruct(inputs, fit(train, codeword_dim)))


def gaussian_bits(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rate-distortion line of Gaussian components along the KLT of training CSI.

    Reverse water-filling over the variances that test CSI of norm 1 have there: a
    complex component of variance v takes log2(v / level) bits where v is above the
    level, and leaves the lower of the two as an error. What the training CSI do not
    span is lost.

    Args:
        train: zero-centred CSI `[n, N_t, N_a, 2]` for the basis.
        test: the same of other CSI.

    Returns:
        Bits per CSI, rising, and NMSE in dB at each, float64 `[levels]`.
    """
    x, y = (accuracy.to_complex(h).reshape(len(h), -1) for h in (train, test))
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    variance = np.mean(np.abs(y @ eigenvectors(x).conj()) ** 2, axis=0)[:, None]
    level = variance.max() * 2.0 ** -np.linspace(0, 24, 97)
    bits = np.log2(np.maximum(variance / level, 1)).sum(axis=0)
    error = np.minimum(variance, level).sum(axis=0) + max(0.0, 1 - variance.sum())
    return bits, accuracy.to_db(error)
