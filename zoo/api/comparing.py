"""Networks trained alike and compared: `zoo.compare` and the command behind it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tfds_builders import locks
from zoo import config_flags, files
from zoo.api.flag_values import flag_value
from zoo.experiments import comparison
from zoo.experiments.comparison_plan import Plan
from zoo.experiments.pool import Pool
from zoo.experiments.runner import Runner, data_digest, settings_of
from zoo.registry import check_names
from zoo.reporting import comparison_page

PLANNED = {  # flags of zoo.train that a comparison sets: what to give instead
    "seed": "give --seeds",
    "epochs": "give --epochs to the command",
    "model": "give --models",
    "codeword_dim": "give --codeword_dims",
    "bits": "give --bits to the command",
    "quantizer": "give --quantizer to the command",
    "dataset": "give --dataset to the command",
    "init": "give --init to the command",
    "run_dir": "give --directory",
    "weights": "leave it out",
}
SEQUENCE_AXES = 4  # (T, N_t, N_a, 2), without the T of a single snapshot


def compare(
    models: Sequence[str],
    dataset: str,
    codeword_dims: Sequence[int] = (512,),
    bits: Sequence[int] = (0,),
    *,
    directory: str | Path = "runs/compare",
    processes: int = 1,
    flags: dict[str, Any] | None = None,
    **plan: Any,
) -> dict:
    """Train networks alike on one data set and compare them with classic methods.

    What was made before is found again; what fails is a row that says why.

    Args:
        models: networks, as `zoo.create` names them.
        dataset: TFDS name/config, such as 'own/mine'.
        codeword_dims: codeword lengths M.
        bits: per codeword entry; 0: the codeword stays float.
        directory: of runs and results: leaderboard, plots and a page.
        processes: trainings at a time.
        flags: more flags of every training, by name.
        **plan: `minutes` or `epochs` of each training, `quantizer`, `seeds`, `init`,
            `own_lr`, `baselines`; see `zoo.experiments.comparison_plan.Plan`.

    Returns:
        The content of comparison.json: `rows`, `failures`, and their `summary`.

    Raises:
        ValueError: no such network or data set, or an unusable value.
    """
    chosen = Plan(tuple(models), tuple(codeword_dims), tuple(bits), **plan)
    more = [f"--{name}={flag_value(value)}" for name, value in (flags or {}).items()]
    new_pool = partial(Pool, processes, True)
    return carry_out(chosen, dataset, more, Path(directory), new_pool)


def carry_out(
    plan: Plan,
    dataset: str,
    more: list[str],
    directory: Path,
    new_pool: Callable[[], Pool],
) -> dict:
    """Make a comparison and write all about it.

    Args:
        plan: what is trained and how long.
        dataset: TFDS name/config.
        more: flags of every training beside what the plan sets.
        directory: of runs and results.
        new_pool: makes a pool that goes on after failures.

    Returns:
        The content of comparison.json.

    Raises:
        ValueError: no such data set, an unusable flag, or one that the plan sets.
    """
    given = config_flags.parse(more, "--flags")
    for name, instead in PLANNED.items():
        if given[name].present:
            raise ValueError(f"--flags=--{name}: the comparison sets it; {instead}")
    extra = shlex.join([f"--dataset={dataset}", *more])
    settings = settings_of(comparison.FLAGFILE, extra)
    check_names(settings)
    if settings.loss == "sgcs":
        raise ValueError(
            "--flags=--loss=sgcs: networks are compared by NMSE, which that loss leaves"
            " open; leave it out, or train and evaluate them one by one"
        )
    with locks.alone(directory):
        return _carry_out(plan, settings, extra, directory, new_pool)


def _carry_out(plan, settings, extra: str, directory: Path, new_pool) -> dict:
    from zoo.data import splits  # TensorFlow: seconds that no wrong name waits for

    builder = splits.open_builder(
        settings.dataset, settings.data_dir, settings.manual_dir
    )
    sequences = len(builder.info.features["csi"].shape) == SEQUENCE_AXES
    plan, notes = plan.with_fitting_baselines(sequences, settings.target)
    print(*notes, sep="\n", end="\n" * bool(notes))
    data = data_digest(builder)
    runner = Runner(directory, comparison.FLAGFILE, extra, data=data)
    content = comparison.make(plan, runner, new_pool, notes)
    result = directory / "comparison.json"
    files.write_json(result, content)
    written = comparison_page.write_all(result, content)
    for path in [result, *written]:
        print(f"comparison: {path}")
    return content
