"""What a comparison trains, and the classic methods beside it."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import NamedTuple

from zoo import config_flags, registry
from zoo.baselines.catalogue import BASELINES, CODED, OF_EIGENVECTORS
from zoo.config_checks import is_reference, label
from zoo.experiments.runner import settings_of

STARTS = ("klt", "paper")
CLASSIC = ("klt", "fista", "dft", "pursuit")  # baselines of a comparison by default
OWN_LR = 1e-3  # peak learning rate of a network without a flagfile
SENDS_M_BITS = ("uniform", "mu_law", "sign", "qat", "lsq", "lszq", "ssq")  # M times B


class Case(NamedTuple):
    """What is trained with several seeds."""

    network: str
    codeword_dim: int
    bits: int

    @property
    def name(self) -> str:
        """Beginning of the names of its runs."""
        return f"{label(self.network)}_m{self.codeword_dim}_b{self.bits}"


@dataclass(frozen=True)
class Plan:
    """A comparison.

    Attributes:
        models: networks, as `--model` of zoo.train names them.
        codeword_dims: codeword lengths M.
        bits: per codeword entry; 0: the codeword stays float.
        quantizer: where there are bits, as `--quantizer` of zoo.train.
        seeds: number of seeds.
        minutes: of each training, by its own measured step time; None: see epochs.
        epochs: of each training; None: see minutes.
        init: 'klt' where a network has such a start, or 'paper'.
        own_lr: peak learning rate of networks without a flagfile.
        baselines: classic methods beside the networks.

    Raises:
        ValueError: a value is out of range, or there is no such network or baseline.
    """

    models: tuple[str, ...]
    codeword_dims: tuple[int, ...]
    bits: tuple[int, ...] = (0,)
    quantizer: str = "uniform"
    seeds: int = 1
    minutes: float | None = None
    epochs: int | None = None
    init: str = "klt"
    own_lr: float = OWN_LR
    baselines: tuple[str, ...] = CLASSIC

    def __post_init__(self):
        given = {key: getattr(self, key) for key in ("minutes", "epochs")}
        length = [value for value in given.values() if value is not None]
        if len(length) != 1 or not length[0] > 0:
            raise ValueError(
                f"--minutes={self.minutes} --epochs={self.epochs}: expected one of the "
                "two, more than 0: equal minutes or equal drops"
            )
        for name in ("models", "codeword_dims", "bits"):
            if not getattr(self, name):
                raise ValueError(f"--{name} is empty: give some, separated by commas")
        self._check_seeds_and_start()
        for name in self.baselines:
            if name not in BASELINES:
                raise ValueError(
                    f"--baselines={name}: expected some of {', '.join(BASELINES)}"
                )
        self._check_models()

    def _check_seeds_and_start(self) -> None:
        if not (isinstance(self.seeds, int) and self.seeds > 0):
            raise ValueError(f"--seeds={self.seeds}: expected 1 or more")
        if self.init not in STARTS:
            raise ValueError(f"--init={self.init}: expected {' or '.join(STARTS)}")

    def _check_models(self) -> None:
        for model in self.models:
            if not is_reference(model):  # own code may fail: that is a row
                registry.check_name(model)
            if registry.is_registered(model):
                raise ValueError(
                    f"--models={model}: it is registered in this process alone, "
                    "trainings are processes of their own; give FILE.py:SPEC"
                )
            if label(model) in BASELINES:
                raise ValueError(
                    f"--models={model}: {label(model)} is the name of a baseline, "
                    "rename yours"
                )
        if len(set(map(label, self.models))) < len(self.models):
            raise ValueError(
                f"--models={','.join(self.models)}: two are called the same, rename one"
            )

    @property
    def cases(self) -> list[Case]:
        """All that is trained, without seeds."""
        axes = self.codeword_dims, self.bits, self.models
        return [
            Case(model, dim, bits)
            for dim, bits, model in dict.fromkeys(itertools.product(*axes))
        ]

    @property
    def lines(self) -> list[Case]:
        """Baselines: M numbers, or at most the bits of M entries in every report."""
        axes = self.codeword_dims, self.baselines, dict.fromkeys(self.bits)
        cases = [Case(name, dim, bits) for dim, name, bits in itertools.product(*axes)]
        return [
            *dict.fromkeys(c._replace(bits=0) for c in cases if c.network not in CODED),
            *dict.fromkeys(c for c in cases if c.network in CODED and c.bits),
        ]

    def overrides(self, case: Case) -> dict:
        """Flags of a case's trainings.

        Raises:
            ValueError: the network cannot be had.
        """
        registry.admit(case.network)
        fitted = registry.get(case.network).fitted_start
        flagfile = config_flags.FLAGFILES / f"{case.network}.cfg"
        quantised = (
            {"quantizer": self.quantizer, "bits": case.bits} if case.bits else {}
        )
        rates = {"lr": self.own_lr}
        if flagfile.is_file():
            own = settings_of(flagfile)
            rates = {"lr": own.lr, "dense_rate": own.dense_rate}
        return {
            "model": case.network,
            "codeword_dim": case.codeword_dim,
            "init": self.init if fitted else "paper",
            **rates,
            **quantised,
        }

    def with_fitting_baselines(
        self, sequences: bool, target: str = "csi"
    ) -> tuple[Plan, list[str]]:
        """The same without baselines that are no match, and notes of these.

        Args:
            sequences: whether the data set has sequences instead of single snapshots.
            target: what the networks send.
        """
        unfit = []
        if sequences:
            why = "they take single snapshots, the data set has sequences"
            unfit.append((self.baselines, why))
        elif not any(self.bits):
            unfit.append((CODED, "they send bits, and --bits gives none"))
        elif self.quantizer not in SENDS_M_BITS:
            why = f"--quantizer={self.quantizer} may send other than M B bits"
            unfit.append((CODED, why))
        if target == "eigenvectors":
            names = {*self.baselines} - {*OF_EIGENVECTORS}
            unfit.append((names, "they send no eigenvectors"))
        kept, notes = self.baselines, []
        for names, why in unfit:
            left_out = [name for name in kept if name in names]
            kept = tuple(name for name in kept if name not in names)
            notes += [f"without {', '.join(left_out)}: {why}"] if left_out else []
        return dataclasses.replace(self, baselines=kept), notes
