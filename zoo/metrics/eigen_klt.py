"""The KLT of eigenvectors: m complex coefficients of all subbands and layers.

Its errors are known without sending anything. With unit vectors of covariance S and the
projector Q on its m strongest components, A = Q S Q and B = S - A: the NMSE is
tr B / tr S. The kept part of a subband and layer does not correlate with the lost one,
so that its SGCS is tr A_t and the mean of |kept^H lost|^2 / |kept|^2. The second term
is zero for a KLT per subband, which no phase matters to: there both numbers are exact.
For a KLT of all subbands together it is estimated by tr(A_t B_t) / tr A_t, as if both
parts were independent, which they are the less the more the phases jump.
"""

from __future__ import annotations

import numpy as np

from zoo.metrics import klt_line
from zoo.metrics.accuracy import to_db


def flat(vectors: np.ndarray) -> np.ndarray:
    """Eigenvectors `[n, subbands, P, layers]` as `[n, subbands layers, P]`."""
    n, subbands, ports, layers = vectors.shape
    return np.swapaxes(vectors, 2, 3).reshape(n, subbands * layers, ports)


def as_vectors(x: np.ndarray, layers: int) -> np.ndarray:
    """Inverse of `flat`."""
    n, rows, ports = x.shape
    return np.swapaxes(x.reshape(n, rows // layers, layers, ports), 2, 3)


def basis(train: np.ndarray, num_complex: int, per_subband: bool = False) -> np.ndarray:
    """Orthonormal columns complex `[entries, m]`.

    Args:
        train: eigenvectors, phases fixed, `[n, subbands, P, layers]`.
        num_complex: m.
        per_subband: a KLT of each subband and layer; the m strongest components of all.

    Raises:
        ValueError: more coefficients than samples or entries.
    """
    x = flat(train).reshape(len(train), -1)
    if not 1 <= num_complex <= min(x.shape):
        raise ValueError(
            f"codeword_dim={2 * num_complex}: expected 2 to {2 * min(x.shape)} for "
            f"{len(x)} training samples of {x.shape[1]} entries"
        )
    if not per_subband:
        return klt_line.eigenvectors(x)[:, :num_complex]
    rows = np.moveaxis(flat(train), 1, 0)
    covariance = np.swapaxes(rows, 1, 2) @ rows.conj() / len(x)
    values, vectors = np.linalg.eigh(covariance)
    strongest = np.argsort(-values, axis=None, kind="stable")[:num_complex]
    row, component = np.unravel_index(strongest, values.shape)
    columns = np.zeros((*rows.shape[::2], num_complex), vectors.dtype)
    columns[row, :, np.arange(num_complex)] = vectors[row, :, component]
    return columns.reshape(-1, num_complex)


def reconstruct(vectors: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Projection of eigenvectors on a basis; same shape."""
    x = flat(vectors)
    sent = x.reshape(len(x), -1) @ columns.conj()
    return as_vectors((sent @ columns.T).reshape(x.shape), vectors.shape[-1])


def closed_form(vectors: np.ndarray, columns: np.ndarray) -> dict:
    """NMSE in dB and SGCS by layer that the KLT has, from the covariance alone.

    Args:
        vectors: whose covariance it is, `[n, subbands, P, layers]`.
        columns: `basis` of the same.
    """
    x = flat(vectors)
    rows, ports = x.shape[1:]
    x = x.reshape(len(x), -1)
    covariance = x.T @ x.conj() / len(x)
    kept = columns @ (columns.conj().T @ covariance @ columns) @ columns.conj().T
    a, b = (_blocks(y, rows, ports) for y in (kept, covariance - kept))
    power, lost = (np.real(np.trace(y, axis1=1, axis2=2)) for y in (a, b))
    both = np.real(np.einsum("tij,tji->t", a, b))
    sgcs = power + both / np.maximum(power, 1e-300)
    layers = vectors.shape[-1]
    return {
        "nmse_db": float(to_db(lost.sum() / (power.sum() + lost.sum()))),
        "sgcs_by_layer": sgcs.reshape(-1, layers).mean(axis=0).tolist(),
    }


def _blocks(matrix: np.ndarray, rows: int, ports: int) -> np.ndarray:
    """Blocks on the diagonal `[rows, ports, ports]`."""
    blocks = matrix.reshape(rows, ports, rows, ports)
    return np.einsum("tatb->tab", blocks)
