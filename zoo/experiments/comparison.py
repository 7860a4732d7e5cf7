"""Networks trained alike on one data set: what is trained, and the rows it gives.

Alike is: the same data, batch, schedule, optimiser and seeds, and as many epochs (equal
drops) or as many minutes. A network starts at the linear KLT where something fits it
so, and takes the peak learning rate of its own flagfile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from zoo import config_flags, files, registry
from zoo.baselines.catalogue import BASELINES, CODED
from zoo.config_checks import is_reference, label
from zoo.data import stream
from zoo.experiments import step_trial
from zoo.experiments.comparison_summary import summary
from zoo.experiments.pool import PendingRow, Pool
from zoo.experiments.runner import Runner, settings_of

FLAGFILE = config_flags.FLAGFILES / "compare.cfg"
STARTS = ("klt", "paper")
FAILURES = (ValueError, OSError, ImportError)  # as the command line has them
CLASSIC = ("klt", "fista", "dft", "pursuit")  # baselines of a comparison by default
OWN_LR = 1e-3  # peak learning rate of a network without a flagfile


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
        for name in self.baselines:
            if name not in BASELINES:
                raise ValueError(
                    f"--baselines={name}: expected some of {', '.join(BASELINES)}"
                )
        for model in self.models:
            if not is_reference(model):  # own code may fail: that is a row
                registry.check_name(model)
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
            *(c for c in cases if c.network in CODED and c.bits),
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
        return {
            "model": case.network,
            "codeword_dim": case.codeword_dim,
            "init": self.init if fitted else "paper",
            "lr": settings_of(flagfile).lr if flagfile.is_file() else self.own_lr,
            **quantised,
        }


def make(plan: Plan, runner: Runner, new_pool: Callable[[], Pool]) -> dict:
    """Train, evaluate and put the rows together.

    Args:
        plan: what is compared.
        runner: has directory, data set and further flags.
        new_pool: makes a pool that goes on after failures.

    Returns:
        The content of comparison.json: rows of networks and of baselines, what failed
        and why, a summary over seeds, and where it comes from.
    """
    with contextlib.closing(new_pool()) as pool:
        trials = _trials(plan, dataclasses.replace(runner, pool=pool))
    with contextlib.closing(new_pool()) as pool:
        own = dataclasses.replace(runner, pool=pool)
        lines = [
            (_what(*line), attempted(_baseline, own, *line)) for line in plan.lines
        ]
        trained = [
            (_what(*case, seed), attempted(_training, plan, own, case, seed, trials))
            for seed in range(plan.seeds)
            for case in plan.cases
        ]
        (baselines, missing), (rows, failures) = collected(lines), collected(trained)
    dataset = settings_of(runner.flagfile, runner.extra).dataset
    about = {"dataset": dataset, **dataclasses.asdict(plan), "flags": runner.extra}
    return {
        "comparison": about,
        "rows": rows,
        "baselines": baselines,
        "failures": failures + missing,
        "summary": summary(rows, baselines, failures + missing),
        **files.environment(),
        "origin": "ours",
    }


def _what(network: str, codeword_dim: int, bits: int = 0, seed: int = 0) -> dict:
    values = {"network": label(network), "codeword_dim": codeword_dim, "bits": bits}
    return values | {"seed": seed}


def _trials(plan: Plan, runner: Runner) -> dict[Case, PendingRow]:
    """Epochs of each case that fill the plan's minutes, where it has some."""
    if plan.minutes is None:
        return {}

    def ask(case: Case) -> PendingRow:
        flags = plan.overrides(case)
        return step_trial.row(runner, case.name, plan.minutes, **flags)

    found = {case: attempted(ask, case) for case in plan.cases}
    collected([({}, row) for row in found.values()])
    return found


def _training(plan, runner, case: Case, seed: int, trials: dict) -> PendingRow:
    epochs = trials[case].result()["epochs"] if trials else plan.epochs
    flags = plan.overrides(case)
    return runner.row(f"{case.name}_s{seed}", seed=seed, epochs=epochs, **flags)


def _baseline(runner: Runner, name: str, codeword_dim: int, bits: int) -> PendingRow:
    settings = settings_of(runner.flagfile, runner.extra)
    given = {"method": name}
    if name in ("klt", *CODED) and not stream.parse(settings.dataset)[1]:
        given["num_train"] = settings.num_train  # as the networks
    if name not in CODED:
        given["codeword_dim"] = codeword_dim
        return runner.baseline(f"{name}_m{codeword_dim}", **given)
    budget = codeword_dim * bits
    row = runner.baseline(f"{name}_{budget}", report_bits=budget, rate="fixed", **given)
    beside = {"codeword_dim": codeword_dim, "bits": bits}
    return PendingRow(row.run, lambda: row.result() | beside)


def attempted(ask: Callable[..., PendingRow], *args) -> PendingRow:
    """What is asked for; where even that fails, a row that fails in the same way."""
    try:
        return ask(*args)
    except FAILURES as error:
        return PendingRow("", functools.partial(_fail, error))


def _fail(error: Exception):
    raise error


def collected(asked: list[tuple[dict, PendingRow]]) -> tuple[list[dict], list[dict]]:
    """Rows that were made, and what failed, each with what it is of."""
    rows, failures = [], []
    for what, row in asked:
        try:
            rows.append({**row.result(), "network": what.get("network")})
        except FAILURES as error:
            failures.append({**what, "error": str(error)})
    return rows, failures
