"""Networks trained alike on one data set: the rows that a plan gives.

Alike is: the same data, batch, schedule, optimiser and seeds, and as many epochs (equal
drops) or as many minutes. A network starts at the linear KLT where something fits it
so, and takes the peak learning rate of its own flagfile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence

from zoo import config_flags, files
from zoo.baselines.catalogue import CODED
from zoo.config_checks import label
from zoo.data import stream
from zoo.experiments import step_trial
from zoo.experiments.comparison_plan import Case, Plan
from zoo.experiments.comparison_summary import summary
from zoo.experiments.pool import PendingRow, Pool
from zoo.experiments.runner import Runner, settings_of

FLAGFILE = config_flags.FLAGFILES / "compare.cfg"
FAILURES = (ValueError, OSError, ImportError)  # as the command line has them


def make(
    plan: Plan,
    runner: Runner,
    new_pool: Callable[[], Pool],
    notes: Sequence[str] = (),
) -> dict:
    """Train, evaluate and put the rows together.

    Args:
        plan: what is compared.
        runner: has directory, data set and further flags.
        new_pool: makes a pool that goes on after failures.
        notes: what a reader should know of it.

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
        "notes": list(notes),
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
    budget = 8 * -(-codeword_dim * bits // 8)  # whole bytes, as the networks send
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
