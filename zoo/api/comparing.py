"""Networks trained alike and compared: `zoo.compare` and the command behind it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from zoo import files
from zoo.experiments import comparison
from zoo.experiments.comparison import Plan
from zoo.experiments.pool import Pool
from zoo.experiments.runner import Runner, settings_of
from zoo.registry import check_names
from zoo.reporting import comparison_page


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
            `own_lr`, `baselines`; see `zoo.experiments.comparison.Plan`.

    Returns:
        The content of comparison.json: `rows`, `failures`, and their `summary`.

    Raises:
        ValueError: no such network or data set, or an unusable value.
    """
    chosen = Plan(tuple(models), tuple(codeword_dims), tuple(bits), **plan)
    training = {"dataset": dataset, **(flags or {})}
    words = [f"--{name}={value}" for name, value in training.items()]
    return carry_out(chosen, words, Path(directory), partial(Pool, processes, True))


def carry_out(
    plan: Plan,
    training: list[str],
    directory: Path,
    new_pool: Callable[[], Pool],
) -> dict:
    """Make a comparison and write all about it.

    Args:
        plan: what is trained and how long.
        training: flags of every training, with the data set.
        directory: of runs and results.
        new_pool: makes a pool that goes on after failures.

    Returns:
        The content of comparison.json.

    Raises:
        ValueError: no such data set, or an unusable flag.
    """
    extra = shlex.join(training)
    settings = settings_of(comparison.FLAGFILE, extra)
    check_names(settings)
    from zoo.data import splits  # TensorFlow: seconds that no wrong name waits for

    splits.open_builder(settings.dataset, settings.data_dir, settings.manual_dir)
    runner = Runner(directory, comparison.FLAGFILE, extra)
    content = comparison.make(plan, runner, new_pool)
    result = directory / "comparison.json"
    files.write_json(result, content)
    written = comparison_page.write_all(result, content)
    for path in [result, *written]:
        print(f"comparison: {path}")
    return content
