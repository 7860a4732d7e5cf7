"""Random linear measurements y = A x of zero-centred CSI, M real numbers each."""

from __future__ import annotations

import numpy as np

KINDS = ("gaussian", "orthonormal")
KEY = 0x5E25E  # keeps these random numbers apart from those of channels and noise


def check(codeword_dim: int, size: int) -> None:
    """Refuse more measurements than the real numbers of a CSI.

    Raises:
        ValueError: there are more, or none.
    """
    if not 1 <= codeword_dim <= size:
        raise ValueError(
            f"--codeword_dim={codeword_dim}: expected 1 to {size}, the real numbers "
            "per CSI"
        )


def measurement_matrix(
    codeword_dim: int, size: int, kind: str = "gaussian", seed: int = 0
) -> np.ndarray:
    """Random measurement matrix A, known to UE and BS by its seed.

    Args:
        codeword_dim: M, numbers fed back.
        size: N, real numbers per CSI (2 N_t N_a).
        kind: 'gaussian' has independent entries N(0, 1/M), so E||A x||^2 = ||x||^2;
            'orthonormal' has the row space of the same matrix and A A^T = I.
        seed: of the matrix.

    Returns:
        float32 `[M, N]`.

    Raises:
        ValueError: more measurements than unknowns, or an unknown kind.
    """
    check(codeword_dim, size)
    if kind not in KINDS:
        raise ValueError(f"--measurement={kind}: expected one of {', '.join(KINDS)}")
    rng = np.random.default_rng([KEY, seed])
    a = rng.standard_normal((codeword_dim, size)) / np.sqrt(codeword_dim)
    if kind == "orthonormal":
        a = np.linalg.qr(a.T)[0].T
    return np.ascontiguousarray(a, np.float32)
