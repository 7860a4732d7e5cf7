"""The classic methods with their options: from CSI to recovered CSI."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfds_builders.progress import Progress
from zoo.baselines import sensing, sparse
from zoo.baselines.iteration import Estimate, Stop
from zoo.baselines.total_variation import TotalVariation
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics import accuracy, klt_line

BLOCK = 100  # samples recovered at once
NUM_TUNING = 100  # validation samples that choose the weight
LAMBDAS = (0.6, 0.3, 0.1, 0.03, 0.01, 0.003)
MUS = (1.0, 10.0, 100.0, 1000.0, math.inf)

Recover = Callable[[np.ndarray], Estimate]


@dataclass(frozen=True)
class Method:
    """Recovery of CSI from random measurements.

    Attributes:
        name: 'lasso', 'fista' or 'tval3'.
        weight: lambda of lasso and fista, mu of tval3; None: chosen by `tune`.
        measurement: kind of matrix, see `sensing`.
        stop: end of the iteration.
        tv: norm of the differences (tval3).
        beta: penalty (tval3).
    """

    name: str
    weight: float | None = None
    measurement: str = "gaussian"
    stop: Stop = Stop()
    tv: str = "joint"
    beta: float = 32.0

    @property
    def grid(self) -> tuple[float, ...]:
        """Weights to choose from."""
        return MUS if self.name == "tval3" else LAMBDAS

    def solver(self, a: np.ndarray, csi_shape, weight: float) -> Recover:
        """Function from measurements `[n, M]` to an estimate `[n, N]`."""
        if self.name == "tval3":
            return TotalVariation(a, csi_shape, self.stop, weight, self.beta, self.tv)
        return functools.partial(
            sparse.lasso,
            a,
            weight=weight,
            stop=self.stop,
            accelerated=self.name == "fista",
            alpha=sparse.step_size(a),
        )

    def options(self, weight: float) -> dict:
        """Options for the results row; infinity, which JSON lacks, as text."""
        shown = weight if math.isfinite(weight) else str(weight)
        stop = {
            "tolerance": self.stop.tolerance,
            "max_iterations": self.stop.max_iterations,
        }
        if self.name == "tval3":
            own = {"mu": shown, "beta": self.beta, "tv": self.tv}
        else:
            own = {"lambda": shown}
        return own | {"measurement": self.measurement} | stop


def recover(
    solve: Recover, a: np.ndarray, h: np.ndarray, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Measure and recover in blocks.

    Args:
        solve: see `Method.solver`.
        a: `[M, N]` float32.
        h: what the UE sees, zero-centred `[n, N_t, N_a, 2]` float32.
        progress: counts the samples.

    Returns:
        Zero-centred estimate, shape of `h`, float32; iterations of each sample.
    """
    h_hat, iterations = np.empty_like(h), np.empty(len(h), int)
    for start in range(0, len(h), BLOCK):
        block = slice(start, start + BLOCK)
        found = solve(h[block].reshape(-1, a.shape[1]) @ a.T)
        h_hat[block] = found.x.reshape(h[block].shape)
        iterations[block] = found.iterations
        progress.add(len(found.x), fresh=True)
    return h_hat, iterations


def tune(method: Method, a: np.ndarray, validation: splits.Split) -> dict[float, float]:
    """Validation NMSE [dB] of each weight of the method's grid."""
    h = validation.h_seen
    result = {}
    with Progress(f"{method.name}, tuning", len(method.grid) * len(h)) as progress:
        for weight in method.grid:
            solve = method.solver(a, h.shape[1:], weight)
            h_hat, _ = recover(solve, a, h, progress)
            result[weight] = accuracy.nmse_db(validation.h, h_hat)
    return result


def sensed(
    method: Method, settings: ExperimentConfig, test: splits.Split
) -> tuple[np.ndarray, dict]:
    """Recover test CSI from random measurements.

    Args:
        method: how; without a weight it is tuned on the validation split.
        settings: data set, noise, M and the seed of the matrix apply.
        test: what is measured.

    Returns:
        Zero-centred estimate `[n, N_t, N_a, 2]` float32; its part of the results row.

    Raises:
        ValueError: unusable sizes, options or data.
    """
    h = test.h_seen
    size = h[0].size
    a = sensing.measurement_matrix(
        settings.codeword_dim, size, method.measurement, settings.seed
    )
    weight, tuning = method.weight, {}
    if weight is None:
        validation = splits.load_split(settings, "validation", NUM_TUNING)
        tuned = tune(method, a, validation)
        weight = min(tuned, key=tuned.get)
        tuning = {
            "num_tuning": len(validation.csi),
            "tuning_nmse_db": {str(k): v for k, v in tuned.items()},
        }
    solve = method.solver(a, h.shape[1:], weight)
    began = time.monotonic()
    with Progress(method.name, len(h)) as progress:
        h_hat, iterations = recover(solve, a, h, progress)
    seconds = time.monotonic() - began
    return h_hat, {
        "model_args": method.options(weight),
        **tuning,
        "iterations_mean": float(iterations.mean()),
        "num_unfinished": int(np.sum(iterations == method.stop.max_iterations)),
        "seconds_per_csi": seconds / len(h),
    }


def klt(settings: ExperimentConfig, test: splits.Split) -> tuple[np.ndarray, dict]:
    """Recover test CSI from its M/2 complex KLT coefficients; returns as `sensed`."""
    train = splits.load_split(settings, "train")
    basis = klt_line.fit(train.h, settings.codeword_dim)
    began = time.monotonic()
    h_hat = klt_line.reconstruct(test.h_seen, basis)
    seconds = time.monotonic() - began
    return h_hat, {
        "model_args": {},
        "num_train": len(train.csi),
        "seconds_per_csi": seconds / len(h_hat),
    }
