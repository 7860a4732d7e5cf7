"""What a codec is asked for, and the CSI that it is fitted to and sends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs import noise_stop
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.data.perturbations import Perturbation

NOISE = ("none", "known", "estimated")


@dataclass(frozen=True)
class Coded:
    """A codec at one rate.

    Attributes:
        name: one of `METHODS`.
        bits: of a training report in the mean, or at most in every report.
        fixed: whether no report exceeds `bits`.
        oversampling: of the grid of `pursuit`; 0: the best for the training CSI.
        noise: what `pursuit` does about noise of the CSI: 'none'; with 'known' or
            'estimated' variance it does not describe it, and is fitted to CSI as noisy.
        target_db: error at which a report of `pursuit` ends [dB], instead of `bits`.
        calibrate: whether `pursuit` estimates the gains of the antennas.
        perturbation: of all CSI, see `Perturbation`.

    Raises:
        ValueError: an option of another codec, bits below 0, or a budget with a target.
    """

    name: str
    bits: int = 0
    fixed: bool = False
    oversampling: int = 0
    noise: str = "none"
    target_db: float | None = None
    calibrate: bool = False
    perturbation: Perturbation = Perturbation()

    def __post_init__(self):
        if self.noise not in NOISE:
            raise ValueError(f"noise={self.noise!r}: expected {', '.join(NOISE)}")
        if self.bits < 0:
            raise ValueError(
                f"report_bits={self.bits}: expected 0 or more, such as 512"
            )
        if self.fixed and self.target_db is not None:
            raise ValueError(
                f"rate=fixed has no effect with report_nmse={self.target_db}: leave "
                "one of them out"
            )
        own = self.noise != "none" or self.target_db is not None or self.calibrate
        if own and self.name != "pursuit":
            raise ValueError(
                f"noise={self.noise}, target_db={self.target_db}, calibrate="
                f"{self.calibrate}: --method={self.name} has no such option"
            )

    def options(self) -> dict:
        """What differs between runs of one codec."""
        rate = {"report_bits": self.bits, "rate": "fixed" if self.fixed else "mean"}
        if self.target_db is not None:
            rate = {"report_nmse": self.target_db}
        own = {"noise": self.noise} if self.noise != "none" else {}
        if self.calibrate:
            own["calibrate"] = True
        if perturbed := self.perturbation.options():
            own["perturb"] = perturbed
        return rate | own

    @property
    def fits_budget(self) -> bool:
        """Whether it is fitted to a budget; reports of the others are merely cut."""
        return self.fixed and self.name == "pursuit"

    def fitting(self, train: splits.Split) -> dict:
        """Options of a fit."""
        own = {"calibrate": self.calibrate, "fixed": self.fits_budget}
        return self.sending(train) | {name: True for name, on in own.items() if on}

    def sending(self, split: splits.Split) -> dict:
        """What `pursuit` is told of CSI that it sends."""
        told = {} if self.target_db is None else {"target_db": self.target_db}
        if self.noise == "known":
            told["noise"] = noise_variance(split)
        elif self.noise == "estimated":
            told["noise"] = noise_stop.ESTIMATED
        return told


def noise_variance(split: splits.Split) -> np.ndarray:
    """Variance of the noise per complex entry, `[n]`: a constant share of the power."""
    clean = split.h
    power = np.mean(clean**2, axis=(1, 2, 3), dtype=np.float64)
    share = np.mean((split.h_seen - clean) ** 2, dtype=np.float64) / power.mean()
    return 2 * share * power


def load(
    settings: ExperimentConfig,
    split: str,
    perturbation: Perturbation,
    array: dict | None = None,
    at_most: int = 0,
) -> splits.Split:
    """A split of a data set, perturbed, with its noise.

    Args:
        settings: data set, sizes, noise and seed apply.
        split: 'train', 'validation' or 'test'.
        perturbation: of the truth.
        array: what `array_of` says of the data set; None: a linear one.
        at_most: read only so many; 0: no limit.
    """
    given = splits.load_split(settings, split, at_most)
    if not perturbation.options():
        return given
    return perturbation.of_split(given, grid_of(given, array), settings, split)


def grid_of(
    split: splits.Split, array: dict | None = None, oversampling: int = 2
) -> AngleDelayGrid:
    """Grid of the array and band of a split; arguments as `load` and `Coded`."""
    _, num_antennas, num_delay, _ = split.h.shape
    return AngleDelayGrid(
        num_subcarriers=split.num_subcarriers,
        num_delay=num_delay,
        last_taps=split.last_taps,
        oversampling=oversampling,
        **(array or {"array": f"ula:{num_antennas}"}),
    )
