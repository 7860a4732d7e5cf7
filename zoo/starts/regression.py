"""Closed-form regressions from which networks start."""

from __future__ import annotations

import numpy as np

# Relative to the mean variance of a regressor. The features' share of it bounds how far
# directions that few examples have shown can be trusted.
FEATURE_RIDGE, CODEWORD_RIDGE = 1e-4, 1e-6
RIDGE = 1e-6  # relative to each regressor's power


def reduced_rank_regression(x: np.ndarray, y: np.ndarray, rank: int):
    """Best linear bottleneck between x and y in the least-squares sense.

    The projection on the `rank` strongest eigenvectors of C_yx C_xx^-1 C_xy; for x = y
    the KLT. Scaled to unit mean variance of the outputs.

    Args:
        x: `[n, features]` float32.
        y: `[n, values]` float32.
        rank: number of outputs.

    Returns:
        Kernel `[features, rank]` and bias `[rank]` of the projection of x.
    """
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - x_mean
    covariance = (centred.T @ centred).astype(np.float64) / len(x)
    cross = (centred.T @ (y - y_mean)).astype(np.float64) / len(x)
    solution = _solve(covariance, cross, FEATURE_RIDGE)
    power, vectors = np.linalg.eigh(cross.T @ solution)
    kernel = solution @ vectors[:, ::-1][:, :rank]
    kernel /= np.sqrt(power[::-1][:rank].mean())
    return kernel, -x_mean @ kernel


def ridge_regression(x: np.ndarray, y: np.ndarray):
    """Kernel `[features, values]` and bias `[values]` of y given x."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = (x - x_mean).astype(np.float64)
    normal = centred.T @ centred
    kernel = _solve(normal, centred.T @ (y - y_mean), CODEWORD_RIDGE)
    return kernel, y_mean - x_mean @ kernel


def _solve(matrix: np.ndarray, right: np.ndarray, ridge: float) -> np.ndarray:
    """Solve with a ridge relative to the mean of the matrix' diagonal."""
    load = ridge * np.diag(matrix).mean() * np.eye(len(matrix))
    return np.linalg.solve(matrix + load, right)


def weighted_ridge(inputs, goal, weight):
    """Weighted regression of `[..., 2]` on `[..., channels]` of the same position.

    Returns:
        Taps `[channels, 2]`, bias `[2]`, mean weighted squared error.
    """
    x = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    y, weight = goal.reshape(len(x), -1), weight.reshape(len(x), -1)
    solution = np.zeros((x.shape[1], y.shape[1]))
    for part in range(y.shape[1]):
        weighted = x * weight[:, part, None]
        normal = weighted.T @ x
        normal += np.diag(RIDGE * np.diag(normal) + 1e-12)
        solution[:, part] = np.linalg.solve(normal, weighted.T @ y[:, part])
    error = np.mean(weight * (x @ solution - y) ** 2)
    return solution[:-1], solution[-1], error
