"""Rel-15 Type II codebook: beams with wideband amplitudes and a phase per subband.

TS 38.214, 5.2.2.2.3. The encoder is not standardised: wideband amplitudes are those
that serve all subbands best together, the rest is rounded to the nearest value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zoo.codecs.codebooks import beams as beam_choice
from zoo.codecs.codebooks.panel import POLARISATIONS, Panel

WIDEBAND = np.r_[0, 2.0 ** (np.arange(-6, 1) / 2)]  # p1 of k1, 0 to 7
SUBBAND = np.sqrt([0.5, 1])  # p2 of k2
FINE = {2: 4, 3: 4, 4: 6}  # K2 of L: coefficients with a subband amplitude
COARSE_PHASES = 4  # of the others
BATCH = 256  # channels at once


class Pmi(NamedTuple):
    """Reported indices of n channels, int64; i counts beams of both polarisations.

    Attributes:
        rotation: q1 O2 + q2, `[n]`.
        beams: n1 N2 + n2 of the L beams `[n, L]`, n1 + N1 n2 rising.
        strongest: i of the strongest coefficient, `[n, rank]`.
        wideband: k1 `[n, rank, 2 L]`, 7 of the strongest.
        amplitude: k2 `[n, rank, 2 L, N3]`, 1 where none is sent.
        phase: c `[n, rank, 2 L, N3]`, 0 where none is sent.
    """

    rotation: np.ndarray
    beams: np.ndarray
    strongest: np.ndarray
    wideband: np.ndarray
    amplitude: np.ndarray
    phase: np.ndarray


@dataclass(frozen=True)
class TypeII:
    """One configuration of the codebook.

    Attributes:
        panel: N1 and N2.
        num_subbands: N3.
        num_beams: L, 2 to 4.
        num_phases: N_PSK, 4 or 8.
        subband_amplitude: whether subbands have amplitudes of their own.
        rank: layers of a report, 1 or 2.

    Raises:
        ValueError: a value that the codebook does not have.
    """

    panel: Panel
    num_subbands: int
    num_beams: int = 4
    num_phases: int = 8
    subband_amplitude: bool = False
    rank: int = 1

    def __post_init__(self):
        most = 2 if self.panel.num_ports == 4 else 4
        for name, value, allowed in (
            ("num_beams", self.num_beams, range(2, most + 1)),
            ("num_phases", self.num_phases, (4, 8)),
            ("rank", self.rank, (1, 2)),
            ("num_subbands", self.num_subbands, range(1, 20)),
        ):
            if value not in allowed:
                raise ValueError(
                    f"{name}={value}: Type II at {self.panel.num_ports} ports has "
                    f"{', '.join(map(str, allowed))}"
                )

    def fine(self, strongest: np.ndarray, wideband: np.ndarray) -> np.ndarray:
        """Whether a coefficient's phase is one of N_PSK, bool `[n, rank, 2 L]`.

        Others, beyond the K2 largest, have one of 4 where there are subband amplitudes.
        """
        if not self.subband_amplitude:
            return np.ones(wideband.shape, bool)
        size = wideband.copy()
        np.put_along_axis(size, strongest[..., None], len(WIDEBAND), axis=-1)
        order = np.argsort(-size, axis=-1, kind="stable")[..., : FINE[self.num_beams]]
        found = np.zeros(size.shape, bool)
        np.put_along_axis(found, order, True, axis=-1)
        return found

    def decode(self, pmi: Pmi) -> np.ndarray:
        """Precoders complex128 `[n, N3, P, rank]` of Frobenius norm 1."""
        beams = self.panel.beams[pmi.rotation[:, None], pmi.beams]
        fine = self.fine(pmi.strongest, pmi.wideband)[..., None]
        turns = pmi.phase / np.where(fine, self.num_phases, COARSE_PHASES)
        c = WIDEBAND[pmi.wideband][..., None] * SUBBAND[pmi.amplitude]
        scale = self.panel.size * self.rank * np.sum(c**2, axis=2)[:, :, None, None]
        c = c * np.exp(2j * np.pi * turns)
        c = c.reshape(*c.shape[:2], POLARISATIONS, self.num_beams, -1)
        w = np.einsum("nlx,nvplt->nvpxt", beams, c) / np.sqrt(scale)
        return w.reshape(*w.shape[:2], -1, self.num_subbands).transpose(0, 3, 2, 1)

    def encode(self, vectors: np.ndarray) -> Pmi:
        """Indices of eigenvectors complex `[n, N3, P, rank]`.

        Raises:
            ValueError: vectors of another shape, of zeros, or not finite.
        """
        vectors = self.panel.check(vectors, self.num_subbands, self.rank)
        parts = [
            self._encode(vectors[start : start + BATCH])
            for start in range(0, len(vectors), BATCH)
        ]
        return Pmi(*map(np.concatenate, zip(*parts, strict=True)))

    def _encode(self, vectors: np.ndarray) -> Pmi:
        rotation, beams, a = beam_choice.choose(self.panel, vectors, self.num_beams)
        size = np.abs(a)
        ratio = _common(size)
        strongest = ratio.argmax(axis=-1)
        place = strongest[..., None]
        ratio /= np.take_along_axis(ratio, place, axis=-1)
        if self.subband_amplitude:  # the middle of p1 and p1 sqrt(1/2)
            ratio *= 2**0.25
        wideband = _nearest(WIDEBAND, ratio)
        np.put_along_axis(wideband, place, len(WIDEBAND) - 1, axis=-1)
        own = np.take_along_axis(a, place[..., None], axis=2)
        fine = self.fine(strongest, wideband)[..., None]
        sent = wideband[..., None] > 0
        phases = np.where(fine, self.num_phases, COARSE_PHASES)
        phase = np.rint(np.angle(a * own.conj()) / (2 * np.pi) * phases).astype(
            np.int64
        )
        phase = np.where(sent, phase % phases, 0)
        amplitude = np.ones(a.shape, np.int64)
        if self.subband_amplitude:
            level = WIDEBAND[wideband][..., None] * np.abs(own)
            nearest = _nearest(SUBBAND, size / np.maximum(level, 1e-300))
            amplitude = np.where(sent & fine, nearest, 1)
            np.put_along_axis(amplitude, place[..., None], 1, axis=2)
        return Pmi(rotation, beams, strongest, wideband, amplitude, phase)


def _common(size: np.ndarray) -> np.ndarray:
    """Amplitudes `[n, rank, 2 L]` most like those of all subbands, `[..., 2 L, N3]`.

    They maximise the sum of squared cosines: a first eigenvector.
    """
    unit = size / np.maximum(np.linalg.norm(size, axis=2, keepdims=True), 1e-300)
    return np.abs(np.linalg.eigh(unit @ np.swapaxes(unit, -1, -2))[1][..., -1])


def _nearest(levels: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Index of the nearest of rising levels."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, x)
