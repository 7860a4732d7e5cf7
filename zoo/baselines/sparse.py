"""LASSO by ISTA and FISTA: CSI that is sparse in angle and delay."""

from __future__ import annotations

import numpy as np

from zoo.baselines.iteration import Estimate, Stop, check_measurement, iterate


def soft(u: np.ndarray, threshold) -> np.ndarray:
    """Soft threshold sign(u) max(|u| - threshold, 0), the proximal map of the l1 norm.

    Args:
        u: any shape.
        threshold: 0 or more, broadcast to `u`.
    """
    return u - np.clip(u, -threshold, threshold)


def step_size(a: np.ndarray) -> float:
    """Largest step alpha = 1 / ||A||^2 for which ISTA descends; a is `[M, N]`."""
    gram = (a @ a.T).astype(np.float64)
    return float(1 / np.linalg.eigvalsh(gram)[-1])


def lasso(
    a: np.ndarray,
    y: np.ndarray,
    weight: float,
    stop: Stop,
    accelerated: bool = False,
    alpha: float | None = None,
) -> Estimate:
    """Minimise 1/2 ||y - A x||^2 + lambda ||x||_1 for each sample.

    ISTA (Daubechies, Defrise, De Mol 2004) from x = 0::

        u = x - alpha A^T (A x - y),  x = soft(u, lambda alpha)

    FISTA (Beck, Teboulle 2009, constant step) takes this step from a point ahead::

        t' = (1 + sqrt(1 + 4 t^2)) / 2,  x + (t - 1) / t' (x - x_before)

    Args:
        a: measurement matrix `[M, N]`.
        y: measurements `[n, M]`, same dtype.
        weight: lambda / max|A^T y| of the sample, in (0, 1); from 1 on x is 0.
        stop: when to end.
        accelerated: FISTA instead of ISTA.
        alpha: step; None: `step_size(a)`.

    Returns:
        x `[n, N]` and its iterations.

    Raises:
        ValueError: a weight out of range or unusable measurements.

    Deviations: the papers on CSI feedback give neither lambda nor iterations; lambda
    is relative to the sample, since path loss changes the size of y. The l1 norm
    counts real and imaginary parts separately, as a real 2 N_t N_a vector has it; it
    does not group them to moduli.
    """
    check_measurement(a, y)
    if not 0 < weight < 1:
        raise ValueError(f"--lambda={weight}: expected more than 0 and less than 1")
    alpha = a.dtype.type(step_size(a) if alpha is None else alpha)
    threshold = a.dtype.type(weight) * np.abs(y @ a).max(axis=1, keepdims=True)
    zero = np.zeros((len(y), a.shape[1]), a.dtype)

    def descend(x, y, threshold):
        return soft(x - alpha * ((x @ a.T - y) @ a), alpha * threshold)

    def ista(x, y, threshold):
        return descend(x, y, threshold), y, threshold

    def fista(x, ahead, t, y, threshold):
        x, old = descend(ahead, y, threshold), x
        t_next = (1 + np.sqrt(1 + 4 * t**2)) / 2
        return x, x + (t - 1) / t_next * (x - old), t_next, y, threshold

    if accelerated:
        return iterate(fista, (zero, zero, np.ones_like(threshold), y, threshold), stop)
    return iterate(ista, (zero, y, threshold), stop)
