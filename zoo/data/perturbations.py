"""Channels that a simulator does not make: unlike antennas, and diffuse scattering.

Both change the truth, not what is measured of it: the base station wants the channel
that its own antennas have. An antenna in error has a gain of 10^(g/20) exp(j p), g and
p normal, in all that it receives. Diffuse scattering is a sum of so many weak paths
that no array tells them apart: complex normal entries, independent of each other, white
over all angles, and over all delays or with a power that falls exponentially (A.
Richter, "Estimation of radio channel parameters", TU Ilmenau 2005, dense multipath
components).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from tfds_builders.csi_examples import real_pairs
from zoo.config import ExperimentConfig
from zoo.data import estimation_noise
from zoo.data.split import Split
from zoo.metrics import accuracy

KEY = 0xA88A7  # keeps these random numbers apart from those of noise
SPLITS = ("train", "validation", "test")
DECAY = 6.0  # taps in which the power of exponential scattering falls by e
ARRAYS, SPREADS = ("one", "each"), ("white", "exponential")


@dataclass(frozen=True)
class Perturbation:
    """What is done to the CSI of a data set.

    Attributes:
        gain_db: standard deviation of the gains of the antennas.
        phase_deg: standard deviation of their phases.
        arrays: 'one' for all CSI, or 'each' CSI has an array of its own.
        diffuse: share of the energy that is scattered diffusely, 0 to 1.
        spread: of it over delays, 'white' or 'exponential'.
        seed: of all random numbers.

    Raises:
        ValueError: a value out of range.
    """

    gain_db: float = 0.0
    phase_deg: float = 0.0
    arrays: str = "one"
    diffuse: float = 0.0
    spread: str = "white"
    seed: int = 0

    def __post_init__(self):
        for name, choices in (("arrays", ARRAYS), ("spread", SPREADS)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}: expected {' or '.join(choices)}"
                )
        errors = self.gain_db, self.phase_deg
        if not (0 <= self.diffuse <= 1 and all(0 <= x < math.inf for x in errors)):
            raise ValueError(
                f"diffuse={self.diffuse}, gain_db={self.gain_db}, phase_deg="
                f"{self.phase_deg}: expected a share of 0 to 1, and finite errors of 0 "
                "or more"
            )
        if not (isinstance(self.seed, int) and self.seed >= 0):
            raise ValueError(f"seed={self.seed}: expected a whole number, 0 or more")

    @classmethod
    def of(cls, text: str) -> Perturbation:
        """A perturbation of its JSON, such as '{"gain_db": 2, "phase_deg": 20}'.

        Raises:
            ValueError: no JSON object, or of other names or values.
        """
        try:
            return cls(**json.loads(text))
        except (json.JSONDecodeError, TypeError) as error:
            names = ", ".join(asdict(cls()))
            raise ValueError(
                f"{text!r}: expected a JSON object with {names} ({error})"
            ) from error

    def options(self) -> dict:
        """What differs from unperturbed CSI; empty where nothing is perturbed."""
        if not (self.gain_db or self.phase_deg or self.diffuse):
            return {}
        nothing = asdict(Perturbation())
        return {k: v for k, v in asdict(self).items() if v != nothing[k]}

    def applied(self, h: np.ndarray, grid: AngleDelayGrid, split: str) -> np.ndarray:
        """Perturbed CSI, each of the norm that it had.

        Args:
            h: zero-centred CSI, complex `[n, N_t, N_a]`. The first ones of a split are
                perturbed alike, however many there are.
            grid: whose array and taps they have.
            split: 'train', 'validation' or 'test': each has its own scattering, and
                with arrays='each' its own arrays.
        """
        norm = np.linalg.norm(h, axis=(1, 2))
        if self.gain_db or self.phase_deg:
            gains = self._gains(len(h), grid.num_antennas, split)[:, :, None]
            h = grid.antennas.T @ (gains * (grid.antennas.conj() @ h))
        if self.diffuse:
            h = _mixed(h, self._scattered(h.shape, grid.last_taps, split), self.diffuse)
        return norm[:, None, None] * _unit(h)

    def of_split(
        self, given: Split, grid: AngleDelayGrid, config: ExperimentConfig, split: str
    ) -> Split:
        """Perturbed copy of a split, with its noise; of its N_a delays alone.

        Args:
            given: the split.
            grid: whose array and taps it has.
            config: its noise and seed apply.
            split: its name.
        """
        h = self.applied(accuracy.to_complex(given.h), grid, split)
        clean = real_pairs(h) + np.float32(0.5)
        ratio = estimation_noise.ratio(
            config, split, grid.num_delay, grid.num_subcarriers
        )
        noisy = estimation_noise.stored(clean, ratio, config.seed, split)
        unknown = {"csi_freq": None, "energy": None}
        return replace(given, csi=noisy, csi_clean=clean, **unknown)

    def _gains(self, num: int, num_antennas: int, split: str) -> np.ndarray:
        """Gains of the antennas, complex `[num, N_t]` or `[1, N_t]`."""
        one = self.arrays == "one"
        rng = np.random.default_rng([KEY, self.seed, 0 if one else self._index(split)])
        errors = rng.standard_normal((1 if one else num, num_antennas, 2))
        phase = np.deg2rad(self.phase_deg) * errors[..., 1]
        return 10 ** (self.gain_db * errors[..., 0] / 20) * np.exp(1j * phase)

    def _scattered(self, shape, last_taps: int, split: str) -> np.ndarray:
        """Diffuse CSI, complex `[n, N_t, N_a]`."""
        rng = np.random.default_rng([KEY, self.seed, self._index(split), 1])
        parts = rng.standard_normal((*shape, 2), np.float32)
        scattered = parts[..., 0] + 1j * parts[..., 1]
        if self.spread == "exponential":
            tap = np.arange(shape[-1])
            power = np.where(tap < shape[-1] - last_taps, np.exp(-tap / DECAY), 0)
            scattered *= np.sqrt(power)
        return scattered

    @staticmethod
    def _index(split: str) -> int:
        return 1 + SPLITS.index(split)


def _mixed(h: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Sum of both, `share` of whose energy is that of `other`."""
    return np.sqrt(1 - share) * _unit(h) + np.sqrt(share) * _unit(other)


def _unit(h: np.ndarray) -> np.ndarray:
    """CSI of norm 1, but for those of zeros."""
    norm = np.linalg.norm(h, axis=(1, 2), keepdims=True)
    return h / np.maximum(norm, np.finfo(norm.dtype).tiny)
