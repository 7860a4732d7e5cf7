"""One split of a data set in memory, and what an estimate of it is measured by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.metrics import accuracy, results_row
from zoo.metrics.eigen_row import Truth
from zoo.metrics.results_row import Subcarriers

LEAST = 1e-12  # of 1 - SGCS, whose logarithm is taken


@dataclass(frozen=True)
class Split:
    """One split in memory.

    Of `--target=eigenvectors` CSI is what `subbands.as_csi` makes of eigenvectors.

    Attributes:
        csi: the network's input, float32 `[n, N_t, N_a, 2]` (of sequences
            `[n, T, N_t, N_a, 2]`, here and below), 0.5 is zero; noisy where
            the configuration says so ('train' gets its noise in the step).
        csi_clean: the truth in [0, 1]; without noise the same array.
        csi_freq: complex64 `[snapshots, N_t angle, subcarriers]`, zero-centred
            truth before delay truncation; None where the data set has none.
        num_subcarriers: N_c; 1024 where the data set does not say.
        last_taps: of the N_a delays, those that are the last of all N_c.
        uplink: what the BS measures of the same drops, magnitudes of the zero-centred
            uplink float32 `[n, N_t, N_a, 1]`; None where the network takes none.
        subcarriers: which ones `csi_freq` has.
        energy: of all subcarriers before delay truncation `[n]`, in units of
            `csi_clean`; None where the data set does not say.
        codeword: what the other side sends of the CSI, `[n, M]` float32; None but where
            one side trains apart.
        eigen: of a test split of eigenvectors all layers and their eigenvalues.
        loss: of the training that it is for.
    """

    csi: np.ndarray
    csi_clean: np.ndarray
    csi_freq: np.ndarray | None
    num_subcarriers: int
    last_taps: int = 0
    uplink: np.ndarray | None = None
    subcarriers: Subcarriers = results_row.PUBLISHED
    energy: np.ndarray | None = None
    codeword: np.ndarray | None = None
    eigen: Truth | None = None
    loss: str = "csi"

    @property
    def side(self) -> tuple[np.ndarray, ...]:
        """What the decoder is given beside the codeword."""
        return () if self.uplink is None else (self.uplink,)

    @property
    def h(self) -> np.ndarray:
        """Zero-centred truth, float32 `[snapshots, N_t, N_a, 2]`."""
        return accuracy.frames(self.csi_clean) - np.float32(0.5)

    def frequency_metrics(self, h_hat: np.ndarray) -> dict:
        """Metrics over subcarriers of an estimate, as `h`; see `results_row`.

        Of eigenvectors those over subbands, and what was sent; see `eigen_row`.
        """
        if self.eigen is not None:
            return self.eigen.row(h_hat)
        return results_row.frequency_metrics(
            self.h,
            h_hat,
            self.csi_freq,
            self.num_subcarriers,
            self.last_taps,
            self.subcarriers,
        ) | results_row.all_subcarriers(self.h, h_hat, self.energy)

    def kept_subcarriers(self, h_hat: np.ndarray) -> dict:
        """Those of them that the stored subcarriers alone give."""
        return results_row.kept_subcarriers(
            h_hat, self.csi_freq, self.last_taps, self.subcarriers
        )

    @property
    def error(self) -> str:
        """Name of what `error_db` is of."""
        return "1-SGCS" if self.loss == "sgcs" else "NMSE"

    def error_db(self, h_hat: np.ndarray) -> float:
        """What the best of several estimates has least of, in dB.

        NMSE, or 1 - SGCS where that is the loss: an estimate then has no scale.
        """
        if self.loss != "sgcs":
            return accuracy.nmse_db(self.h, h_hat)
        likeness = accuracy.sgcs(*map(accuracy.to_complex, (self.h, h_hat)))
        return float(accuracy.to_db(max(1 - likeness, LEAST)))

    @property
    def h_seen(self) -> np.ndarray:
        """What the network sees of `h`: with noise, where there is some."""
        return accuracy.frames(self.csi) - np.float32(0.5)
