"""How many epochs of a training fill so many minutes: some steps of it are timed."""

from __future__ import annotations

import dataclasses
import json
import shutil

from tfds_builders import build
from zoo import files
from zoo.config import ExperimentConfig
from zoo.data import splits, training_source
from zoo.data.batches import steps_per_epoch
from zoo.experiments.pool import PendingRow
from zoo.experiments.runner import Runner, training_flags

STEPS, EPOCHS = 20, 3  # timed, the first epoch compiles
NUM_VALIDATION = 100


def row(runner: Runner, name: str, minutes: float, **overrides) -> PendingRow:
    """Epochs of a training, by the time that its step takes on the pool's cores.

    The step time is measured once on cores of a kind, and kept in the runner's
    directory. The minutes are those of steps: the start comes on top of them.

    Args:
        runner: trains.
        name: of the training.
        minutes: to fill; one epoch is the least.
        **overrides: flags of the training.

    Returns:
        PendingRow with `epochs`, `step_seconds`, and what is said of them.
    """
    full = runner.settings(name, **overrides)
    builder = splits.open_builder(full.dataset, full.data_dir, full.manual_dir)
    steps = steps_per_epoch(training_source.num_train(full, builder), full.batch_size)
    validation = build.num_examples(builder, "validation")
    trial = dataclasses.replace(
        full,
        init="paper",
        epochs=EPOCHS,
        warmup_epochs=0.0,
        bn_statistics="moving",  # else a large part of so short an epoch
        num_train=min(STEPS, steps) * full.batch_size,
        num_validation=min(NUM_VALIDATION, validation),
    )
    run = f"{full.resolved_run_dir.name}_trial_{runner.pool.place}"

    def make() -> dict:
        seconds = _step_seconds(runner, run, trial)
        epochs = max(1, round(60 * minutes / (steps * seconds)))
        said = f"{1000 * seconds:.0f} ms a step, {epochs} epochs of {steps} steps"
        return {"epochs": epochs, "step_seconds": seconds, "said": said}

    return runner.pool.row(run, make)


def _step_seconds(runner: Runner, run: str, trial: ExperimentConfig) -> float:
    """Seconds of a step, timed where no earlier call has."""
    kept = runner.directory / f"{run}.json"
    if not kept.is_file():
        folder = runner.directory / run
        shutil.rmtree(folder, ignore_errors=True)  # of a killed trial
        given = runner.flags(dataclasses.replace(trial, run_dir=str(folder)))
        training = ("zoo.train", *training_flags(run))
        result = f"{run}/metrics.jsonl"
        runner.pool.work(given._replace(commands=(training,), result=result))
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ends = [json.loads(line)["seconds"] for line in lines]
        steps = trial.num_train // trial.batch_size
        seconds = min(b - a for a, b in zip(ends, ends[1:], strict=False)) / steps
        files.write_json(kept, {"step_seconds": seconds})
        shutil.rmtree(folder)
    return files.read_json(kept)["step_seconds"]
