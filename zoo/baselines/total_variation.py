"""Total-variation minimisation after TVAL3: CSI that is piecewise flat."""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg

from zoo.baselines.iteration import Estimate, Stop, check_measurement, iterate

# Axes of a difference field [n, N_t, N_a, 2 parts, 2 directions] in one norm.
GROUPS = {"anisotropic": (), "isotropic": (4,), "joint": (3, 4)}
EQUALITY_RATIO = 8.0  # penalty of A x = y over beta; sets the speed, not the result


def differences(h: np.ndarray) -> np.ndarray:
    """D x: differences along angle and delay, round the edges.

    Args:
        h: `[n, N_t, N_a, 2]`.

    Returns:
        `[n, N_t, N_a, 2, 2]`, the last axis is (angle, delay).
    """
    return np.stack([np.roll(h, -1, axis) - h for axis in (1, 2)], axis=-1)


def adjoint(field: np.ndarray) -> np.ndarray:
    """D^T of a field `[n, N_t, N_a, 2, 2]`: `[n, N_t, N_a, 2]`."""
    parts = (np.roll(field[..., i], 1, i + 1) - field[..., i] for i in range(2))
    return sum(parts)


def magnitude(field: np.ndarray, kind: str) -> np.ndarray:
    """Norm of each group of differences, broadcastable to the field."""
    if not GROUPS[kind]:
        return np.abs(field)
    return np.sqrt(np.sum(field**2, axis=GROUPS[kind], keepdims=True))


def total_variation(h: np.ndarray, kind: str) -> np.ndarray:
    """Sum of the norms of all groups of differences of `[n, N_t, N_a, 2]`: `[n]`."""
    return magnitude(differences(h), kind).sum(axis=(1, 2, 3, 4))


def shrink(field: np.ndarray, threshold: float, kind: str) -> np.ndarray:
    """Proximal map of `threshold` x (sum of the groups' norms)."""
    size = magnitude(field, kind)
    tiny = np.finfo(field.dtype).tiny
    return field * (np.maximum(size - threshold, 0) / np.maximum(size, tiny))


class TotalVariation:
    """Solver of min TV(x) + mu / 2 ||A x - y||^2 for one matrix and any y.

    Li, Yin, Jiang, Zhang 2013 (TVAL3): split w = D x and take the augmented Lagrangian
    with penalty beta and scaled multipliers d of D x = w, e of A x = y::

        w = shrink(D x + d, 1 / beta)
        x = (beta D^T D + mu A^T A)^-1 (beta D^T (w - d) + mu A^T (y - e))
        d = d + D x - w,   and for mu = inf:  e = e + A x - y

    Each y is scaled to norm 1 first and x back after it, so that mu and beta do not
    depend on path loss.

    Args:
        a: measurement matrix `[M, N]`.
        csi_shape: (N_t, N_a, 2), N entries.
        stop: when to end.
        mu: weight of the measurement; inf: TV(x) subject to A x = y.
        beta: penalty of D x = w; sets the speed, not the result.
        kind: norm of the differences at a point: 'anisotropic' sums the moduli of its
            four numbers, 'isotropic' takes the 2-norm over angle and delay for real
            and imaginary part each, 'joint' over all four (complex CSI).

    Raises:
        ValueError: a value is out of range.

    Deviations: the published code takes one gradient step for x where this solves for
    it exactly, with one Cholesky factor for all samples, and tightens its penalties as
    it goes; the minimum is the same. Settings on CSI are not published. 'joint' is
    TVAL3's default norm for complex images. Differences go round the edges as in
    TVAL3: true for the angles of a DFT, not for delay.
    """

    def __init__(
        self,
        a: np.ndarray,
        csi_shape: tuple[int, int, int],
        stop: Stop,
        mu: float = math.inf,
        beta: float = 32.0,
        kind: str = "joint",
    ):
        if kind not in GROUPS:
            raise ValueError(f"--tv={kind}: expected one of {', '.join(GROUPS)}")
        if not mu > 0:
            raise ValueError(f"--mu={mu}: expected more than 0, or inf")
        if not 0 < beta < math.inf:
            raise ValueError(f"--beta={beta}: expected more than 0")
        if len(a) < 2:  # the mean of either part leaves TV as it is
            raise ValueError(f"--codeword_dim={len(a)}: tval3 needs 2 or more")
        self.a, self.csi_shape, self.stop = a.astype(float), csi_shape, stop
        self.beta, self.kind, self.exact = beta, kind, mu == math.inf
        self.ratio = EQUALITY_RATIO if self.exact else mu / beta
        identity = np.eye(a.shape[1]).reshape(-1, *csi_shape)
        matrix = adjoint(differences(identity)).reshape(a.shape[1], -1)
        matrix += self.ratio * self.a.T @ self.a
        self.factor = linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)

    def __call__(self, y: np.ndarray) -> Estimate:
        """Recover samples.

        Args:
            y: measurements `[n, M]`.

        Returns:
            x float64 `[n, N]` and its iterations.

        Raises:
            ValueError: unusable measurements.
        """
        check_measurement(self.a, y)
        scale = np.linalg.norm(y, axis=1, keepdims=True).astype(float)
        y = y / np.where(scale > 0, scale, 1)
        x = np.zeros((len(y), self.a.shape[1]))
        field = np.zeros((len(y), *self.csi_shape, 2))
        found = iterate(self._step, (x, field, field, np.zeros_like(y), y), self.stop)
        return Estimate(scale * found.x, found.iterations)

    def _step(self, x, dx, d, e, y):
        w = shrink(dx + d, 1 / self.beta, self.kind)
        right = adjoint(w - d).reshape(x.shape) + self.ratio * ((y - e) @ self.a)
        x = linalg.cho_solve(self.factor, right.T, check_finite=False).T
        dx = differences(x.reshape(-1, *self.csi_shape))
        if self.exact:
            e = e + x @ self.a.T - y
        return x, dx, d + dx - w, e, y
