"""Rel-16 enhanced Type II codebook: its sizes, and precoders of reported indices.

TS 38.214, 5.2.2.2.5. A precoder is a sum of L beams in two polarisations; the
coefficients of a beam over N3 subbands are M delay taps, of which at most K0 are sent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zoo.codecs.codebooks.panel import POLARISATIONS, Panel

# paramCombination-r16 -> L, p of ranks 1 and 2, p of ranks 3 and 4, beta
COMBINATIONS = {
    1: (2, 1 / 4, 1 / 8, 1 / 4),
    2: (2, 1 / 4, 1 / 8, 1 / 2),
    3: (4, 1 / 4, 1 / 8, 1 / 4),
    4: (4, 1 / 4, 1 / 8, 1 / 2),
    5: (4, 1 / 4, 1 / 4, 3 / 4),
    6: (4, 1 / 2, 1 / 4, 1 / 2),
    7: (6, 1 / 4, None, 1 / 2),
    8: (6, 1 / 4, None, 3 / 4),
}
MOST_SUBBANDS = 19  # of the CQI; with more of the PMI, taps lie in a window
REFERENCES = 2.0 ** (-(15 - np.arange(16)) / 4)  # of a polarisation; 0 is reserved
AMPLITUDES = 2.0 ** (-(7 - np.arange(8)) / 2)
NUM_PHASES = 16


class Pmi(NamedTuple):
    """Reported indices of n channels, int64; i counts beams of both polarisations.

    Attributes:
        rotation: q1 O2 + q2, `[n]`.
        beams: n1 N2 + n2 of the L beams `[n, L]`, n1 + N1 n2 rising.
        window: M_initial `[n]`, 0 or less; 0 without a window.
        taps: n3 `[n, rank, M]`, 0 first, rising.
        strongest: i of the strongest coefficient, at tap 0, `[n, rank]`.
        bitmap: bool `[n, rank, 2 L, M]`, which coefficients are not zero.
        reference: k1 of each polarisation `[n, rank, 2]`.
        amplitude: k2 `[n, rank, 2 L, M]`, 0 where the bitmap is.
        phase: c, in 16ths of a turn, `[n, rank, 2 L, M]`, 0 where the bitmap is.
    """

    rotation: np.ndarray
    beams: np.ndarray
    window: np.ndarray
    taps: np.ndarray
    strongest: np.ndarray
    bitmap: np.ndarray
    reference: np.ndarray
    amplitude: np.ndarray
    phase: np.ndarray


@dataclass(frozen=True)
class EnhancedTypeII:
    """One configuration of the codebook.

    Attributes:
        panel: N1 and N2.
        num_subbands: N3, those of the PMI.
        combination: paramCombination-r16, 1 to 8.
        rank: layers of a report, 1 to 4.
        max_rank: layers that may be reported, which sizes part 1; 0: `rank`.
        per_cqi_subband: R, subbands of the PMI in one of the CQI.

    Raises:
        ValueError: a value that the codebook does not have.
    """

    panel: Panel
    num_subbands: int
    combination: int = 4
    rank: int = 1
    max_rank: int = 0
    per_cqi_subband: int = 1

    def __post_init__(self):
        object.__setattr__(self, "max_rank", self.max_rank or self.rank)
        for name, value, least, most in (
            ("param_combination", self.combination, 1, 8),
            (
                "num_subbands",
                self.num_subbands,
                1,
                MOST_SUBBANDS * self.per_cqi_subband,
            ),
            ("rank", self.rank, 1, min(4, self.max_rank)),
            ("max_rank", self.max_rank, 1, 4),
            ("per_cqi_subband", self.per_cqi_subband, 1, 2),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name}={value}: expected {least} to {most}")
        ports = self.panel.num_ports
        if ports == 4 and self.combination > 2:
            raise ValueError(
                f"param_combination={self.combination}: 4 ports have 1 and 2 only"
            )
        if self.combination > 6 and (
            ports < 32 or self.max_rank > 2 or self.per_cqi_subband == 2
        ):
            raise ValueError(
                f"param_combination={self.combination} at {ports} ports, max_rank="
                f"{self.max_rank}, per_cqi_subband={self.per_cqi_subband}: 7 and 8 are "
                "for 32 ports, ranks 1 and 2, and 1"
            )
        if self.rank > self.most_of_all:  # each layer has a strongest one
            raise ValueError(
                f"rank={self.rank} at num_subbands={self.num_subbands}, "
                f"param_combination={self.combination}: a report has "
                f"{self.most_of_all} coefficients at most, one for each layer is "
                "needed: give more subbands or another combination"
            )

    @property
    def num_beams(self) -> int:
        """L."""
        return COMBINATIONS[self.combination][0]

    @property
    def num_taps(self) -> int:
        """M of the rank."""
        return self._taps(COMBINATIONS[self.combination][1 if self.rank < 3 else 2])

    @property
    def most_nonzero(self) -> int:
        """K0: coefficients of a layer at most; of all layers at most twice as many."""
        _, share, _, beta = COMBINATIONS[self.combination]
        return math.ceil(beta * POLARISATIONS * self.num_beams * self._taps(share))

    @property
    def most_of_all(self) -> int:
        """Coefficients of a report at most."""
        return self.most_nonzero * min(self.rank, 2)

    @property
    def windowed(self) -> bool:
        """Whether taps lie in a window of 2 M, which is reported."""
        return self.num_subbands > MOST_SUBBANDS

    def _taps(self, share: float) -> int:
        return math.ceil(share * self.num_subbands / self.per_cqi_subband)

    def decode(self, pmi: Pmi) -> np.ndarray:
        """Precoders of reported indices.

        Returns:
            complex128 `[n, N3, P, rank]`, of Frobenius norm 1 in every subband, or 0
            where all coefficients cancel.
        """
        beams = self.panel.beams[pmi.rotation[:, None], pmi.beams]
        size = np.repeat(REFERENCES[pmi.reference], self.num_beams, axis=2)[..., None]
        size = size * AMPLITUDES[pmi.amplitude] * pmi.bitmap
        x = size * np.exp(2j * np.pi * pmi.phase / NUM_PHASES)
        turns = pmi.taps[..., None] * np.arange(self.num_subbands) / self.num_subbands
        c = x @ np.exp(2j * np.pi * turns)  # [n, rank, 2 L, N3]
        gamma = np.sum(np.abs(c) ** 2, axis=2)[:, :, None, None]
        scale = self.panel.size * self.rank * np.where(gamma > 0, gamma, 1)
        c = c.reshape(*c.shape[:2], POLARISATIONS, self.num_beams, -1)
        w = np.einsum("nlx,nvplt->nvpxt", beams, c) / np.sqrt(scale)
        return w.reshape(*w.shape[:2], -1, self.num_subbands).transpose(0, 3, 2, 1)
