"""What a results row says of eigenvectors: which were sent, and how well they came."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfds_builders import subbands
from zoo.metrics import precoding

SNR_DB = 10.0  # of one receive antenna
NUM_USERS = 4  # served together by zero forcing


def sent(vectors: np.ndarray, phase: str | None) -> dict:
    """Which eigenvectors were sent.

    Args:
        vectors: those that were, `[n, subbands, P, rank]`.
        phase: see `subbands.with_phase`; None where it does not matter.
    """
    return {
        "sent": "eigenvectors",
        "rank": vectors.shape[3],
        "num_subbands": vectors.shape[1],
        "num_ports": vectors.shape[2],
        "phase": phase,
    }


def measured(
    vectors: np.ndarray,
    values: np.ndarray,
    w: np.ndarray,
    snr_db: float = SNR_DB,
    num_users: int = NUM_USERS,
    seed: int = 0,
) -> dict:
    """Likeness and rates of precoders, with the definitions.

    Args:
        vectors: eigenvectors of all layers `[n, subbands, P, N_r]`.
        values: their eigenvalues.
        w: precoders of as many layers or fewer.
        snr_db: of one receive antenna.
        num_users: served together by zero forcing.
        seed: of the groups of users.
    """
    v = vectors[..., : w.shape[3]]
    return {
        **precoding.likeness(v, w, values),
        **precoding.link_metrics(vectors, values, w, snr_db, num_users, seed),
        "definitions": precoding.DEFINITIONS,
    }


class Truth(NamedTuple):
    """Eigenvectors of a test split, of which a network sends some.

    Attributes:
        vectors: of all layers, complex `[n, subbands, P, N_r]`.
        values: their eigenvalues.
        rank: layers that are sent.
        phase: what fixes their phases.
    """

    vectors: np.ndarray
    values: np.ndarray
    rank: int
    phase: str

    def row(self, h_hat: np.ndarray) -> dict:
        """Keys of a results row.

        The groups of users are the same whatever the seed of the training. `num_users`
        is 4, or all of a smaller split.

        Args:
            h_hat: estimate of `subbands.as_csi`, zero-centred.
        """
        w, users = subbands.of_csi(h_hat, self.rank), min(NUM_USERS, len(h_hat))
        found = measured(self.vectors, self.values, w, SNR_DB, users)
        return sent(w, self.phase) | found
