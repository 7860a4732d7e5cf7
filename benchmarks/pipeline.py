"""Samples/s of training and of the bare input pipeline, side by side.

python -m benchmarks.pipeline [--steps=N] [--json=FILE]

A training step never waits for data when the pipeline alone is at least ten times
faster than training. Rates are medians over steps after warm-up.
"""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from tfds_builders import cli
from zoo import files
from zoo.config import ExperimentConfig
from zoo.data import training_source
from zoo.training.trainer import Trainer

WARM_UP = 3
MODELS = {"crnet": 512, "csinet": 512}


def samples_per_second(steps, batch_size: int) -> float:
    """Median rate of an iterator whose items each process one batch."""
    seconds, last = [], time.perf_counter()
    for _ in steps:
        now = time.perf_counter()
        seconds.append(now - last)
        last = now
    return batch_size / float(np.median(seconds[WARM_UP:]))


def measure(model: str, codeword_dim: int, csi: np.ndarray, steps: int) -> dict:
    """Rates of one network and of its input pipeline, in samples/s."""
    settings = ExperimentConfig(
        model=model, codeword_dim=codeword_dim, schedule="constant", lr=1e-3
    )
    trainer = Trainer(settings, tf.distribute.get_strategy(), csi.shape[1:], 1)
    batch, count = settings.batch_size, steps + WARM_UP
    batches = training_source.training_batches(csi, batch, seed=0)
    training = (float(trainer.step(x)) for x in islice(batches, count))
    # 40 steps of the pipeline cost what one step of training does.
    pipeline = samples_per_second(islice(batches, 40 * count), batch)
    rate = samples_per_second(training, batch)
    return {
        "model": model,
        "codeword_dim": codeword_dim,
        "batch_size": batch,
        "training_samples_per_s": rate,
        "pipeline_samples_per_s": pipeline,
        "pipeline_over_training": pipeline / rate,
    }


def main(argv: list[str]) -> None:
    rng = np.random.default_rng(0)
    csi = rng.random((20_000, 32, 32, 2), np.float32)
    rows = [measure(m, k, csi, flags.FLAGS.steps) for m, k in MODELS.items()]
    print(f"{'model':<10}{'training/s':>12}{'pipeline/s':>12}{'ratio':>8}")
    for row in rows:
        rates = (row["training_samples_per_s"], row["pipeline_samples_per_s"])
        ratio = row["pipeline_over_training"]
        print(f"{row['model']:<10}{rates[0]:>12.0f}{rates[1]:>12.0f}{ratio:>8.0f}")
    if flags.FLAGS.json:
        result = {"rows": rows, **files.environment(), "origin": "ours"}
        files.write_json(Path(flags.FLAGS.json), result)
    slow = [r["model"] for r in rows if r["pipeline_over_training"] < 10]
    if slow:
        raise ValueError(f"input pipeline less than 10x faster than training: {slow}")


if __name__ == "__main__":
    flags.DEFINE_integer("steps", 12, "timed steps", lower_bound=1)
    flags.DEFINE_string("json", "", "also write the result here")
    cli.run(main)
