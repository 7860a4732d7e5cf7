"""What a matrix A measures of indoor drops, for a linear and for a sparse decoder.

python -m benchmarks.measurement --published=DIR --json=zoo/results/measurement.json

Compared are the KLT's basis, random numbers, and FISTA-Net's published A, `[M, N]` each
with M = 128. The linear decoder is the best one (LMMSE of the training drops). The
sparse one is orthogonal matching pursuit: it knows no drop, only that each is a few
waves, of any angle and delay (a dictionary with four steps a beam and a tap).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import cli
from zoo import files
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.importing import tensor_matching, tf_checkpoint
from zoo.importing.public_network import CODEWORD
from zoo.metrics.accuracy import nmse_db

N_T, N_A, N_C, M = 32, 32, 1024, 128
STEPS, LAST_DELAY = 4, 11  # a beam and a tap; taps that a wave may have
VISIBLE = 0.3  # of the largest: smallest norm of a measured atom that may be chosen
MOST_ATOMS = 14

_PUBLISHED = flags.DEFINE_string("published", "", "FISTA-Net's checkpoint at 1/16")
_DROPS = flags.DEFINE_integer("drops", 200, "test drops", 1)
_DATASET = flags.DEFINE_string("dataset", "cost2100_sim/indoor_quick", "drops")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


def dictionary() -> np.ndarray:
    """Waves `[N, atoms, 2]` of norm 1: an atom and j times it, in the CSI's order."""
    antennas, tones = np.arange(N_T), np.arange(N_C)
    angles = np.arange(0, N_T, 1 / STEPS) / N_T
    beams = np.fft.fft(np.exp(2j * np.pi * np.outer(antennas, angles)), axis=0)
    delays = np.arange(-1, LAST_DELAY, 1 / STEPS)
    taps = np.fft.ifft(np.exp(-2j * np.pi * np.outer(tones, delays) / N_C), axis=0)
    atoms = np.einsum("au,dt->adut", beams, taps[:N_A]).reshape(N_T * N_A, -1)
    atoms = (atoms / np.linalg.norm(atoms, axis=0)).astype(np.complex64)
    both = np.stack([atoms, 1j * atoms], axis=-1)
    return np.stack([both.real, both.imag], axis=1).reshape(2 * N_T * N_A, -1, 2)


def linear_db(matrix: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """NMSE of the best linear estimate of `test` `[n, N]` from A x; matrix is A^T."""
    covariance = train.T @ train / len(train)
    cross = covariance @ matrix
    inner = matrix.T @ cross
    inner += 1e-9 * np.trace(inner) * np.eye(len(inner))
    return nmse_db(test, test @ matrix @ np.linalg.solve(inner, cross.T))


def sparse_db(matrix: np.ndarray, atoms: np.ndarray, test: np.ndarray) -> list[float]:
    """NMSE of matching pursuit from A x, by number of atoms."""
    measured = np.einsum("nm,nac->mac", matrix, atoms)
    norms = np.linalg.norm(measured, axis=(0, 2))
    seen = norms >= VISIBLE * norms.max()
    first = measured[..., 0] / np.linalg.norm(measured[..., 0], axis=0)
    second = measured[..., 1] - first * np.sum(first * measured[..., 1], axis=0)
    pairs = np.stack([first, second / np.linalg.norm(second, axis=0)], axis=-1)
    found = np.empty((MOST_ATOMS, *test.shape))
    for i, v in enumerate(test @ matrix):
        rest, chosen = v, []
        for k in range(MOST_ATOMS):
            match = np.sum(np.tensordot(rest, pairs, 1) ** 2, axis=-1)
            chosen.append(int(np.argmax(np.where(seen, match, -1))))
            basis = measured[:, chosen].reshape(len(v), -1)
            gains, *_ = np.linalg.lstsq(basis, v, rcond=1e-4)
            rest = v - basis @ gains
            found[k, i] = atoms[:, chosen].reshape(len(atoms), -1) @ gains
    return [nmse_db(test, estimate) for estimate in found]


def published_matrix(path: Path) -> np.ndarray:
    """A^T of FISTA-Net's checkpoint, its rows in the order of our CSI."""
    tensors, _ = tf_checkpoint.read(path)
    return tensor_matching.channels_last(tensors["W"], CODEWORD, (N_T, N_A, 2))


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    settings = ExperimentConfig(dataset=_DATASET.value, data_dir=_DATA_DIR.value)
    train, test = (
        splits.load_split(settings, name).h.reshape(-1, 2 * N_T * N_A).astype(float)
        for name in ("train", "test")
    )
    basis = np.linalg.eigh(train.T @ train)[1][:, ::-1]
    matrices = {"KLT": basis[:, :M]}
    matrices["random"] = np.random.default_rng(0).normal(size=(2 * N_T * N_A, M))
    if _PUBLISHED.value:
        matrices["FISTA-Net, published"] = published_matrix(Path(_PUBLISHED.value))
    atoms, rows = dictionary(), []
    for name, matrix in matrices.items():
        values = np.linalg.svd(matrix, compute_uv=False)
        by_atoms = sparse_db(matrix, atoms, test[: _DROPS.value])
        orthonormal = np.linalg.qr(matrix)[0]
        rows.append(
            {
                "measurement": name,
                "linear_db": float(linear_db(matrix, train, test[: _DROPS.value])),
                "sparse_db": float(min(by_atoms)),
                "atoms": int(np.argmin(by_atoms)) + 1,
                "in_klt_space": float(np.sum((basis[:, :M].T @ orthonormal) ** 2)) / M,
                "singular_values_ratio": float(values[0] / values[-1]),
                "drops": min(_DROPS.value, len(test)),
            }
        )
        print(rows[-1], flush=True)
    if _JSON.value:
        files.write_json(_JSON.value, {"rows": rows, **files.environment()})


if __name__ == "__main__":
    cli.run(main)
