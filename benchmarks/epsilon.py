"""What Adam's epsilon costs the flagfiles, and how large their gradients are.

python -m benchmarks.epsilon --json=zoo/results/adam_epsilon.json

Each flagfile is trained for some steps at its own rate, without schedule, stages and
start, on simulated drops: with its own epsilon and with each of `--epsilons`. A row has
the median over the weights of |gradient| on one batch after the last step, and the NMSE
of the first validation drops. Rows that the file has already are not measured again.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from tfds_builders import cli, flagfiles
from zoo import config_flags, files
from zoo.config import ExperimentConfig
from zoo.data import splits, training_source
from zoo.keras_compat import keras
from zoo.training import distribution
from zoo.training.trainer import Trainer

_NAMES = flags.DEFINE_list("names", [], "flagfiles without .cfg; empty: all")
_EPSILONS = flags.DEFINE_list("epsilons", ["1e-7"], "of Adam, beside the flagfile's")
_STEPS = flags.DEFINE_integer("steps", 20, "of each training", 1)
_BATCH = flags.DEFINE_integer("batch", 0, "examples per step; 0: the flagfile's", 0)
_SIZE = flags.DEFINE_string("size", "quick", "of the simulated data sets")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


def settings_of(name: str) -> ExperimentConfig:
    """A flagfile's configuration on a simulated data set, at a constant rate."""
    path = config_flags.FLAGFILES / f"{name}.cfg"
    words = flagfiles.expand(["train", f"--flagfile={path}"])[1:]
    words = [word for word in words if not word.startswith("--stage")]
    config = config_flags.from_flags(config_flags.parse(words, name))
    data_set, _, _ = config.dataset.replace("cost2100/", "cost2100_sim/").partition(":")
    data_set = f"{data_set.removesuffix('_quick')}_{_SIZE.value}"
    changes = {"schedule": "constant", "dataset": data_set, "num_validation": 500}
    changes |= {"data_dir": _DATA_DIR.value, "init": "paper", "dense_rate": 1.0}
    changes |= {"batch_size": _BATCH.value} if _BATCH.value else {}
    return config_flags.from_flags(config_flags.parse(words, name), **changes)


def measured(config: ExperimentConfig, steps: int) -> dict:
    """Row of one training."""
    keras.utils.set_random_seed(config.seed)
    validation = splits.load_split(config, "validation")
    per_epoch, batches_from = training_source.training_source(config)
    strategy = distribution.make_strategy(config)
    trainer = Trainer(config, strategy, validation.csi.shape[1:], per_epoch)
    began = time.process_time()
    with batches_from(0) as batches:
        for batch in batches.take(steps):
            trainer.step(batch)
        gradients = _gradients(trainer, batch)
    return {
        "median_gradient": float(np.median(gradients)),
        "below_ten_epsilon": float(np.mean(gradients < 10 * config.adam_epsilon)),
        "warned": bool(trainer.damped()),
        "nmse_db": float(trainer.validate(validation)[0]),
        "train_cpu_seconds": round(time.process_time() - began, 1),
    }


def _gradients(trainer: Trainer, batch: tf.Tensor) -> np.ndarray:
    """|gradient| of every weight on one batch, without those that have none."""
    taken = []
    trainer._apply = taken.extend
    trainer._update(batch)
    sizes = np.concatenate([np.ravel(np.abs(gradient)) for gradient in taken])
    return sizes[sizes > 0]


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    path = Path(_JSON.value) if _JSON.value else None
    rows = files.read_json(path)["rows"] if path and path.exists() else []
    every = sorted(file.stem for file in config_flags.FLAGFILES.glob("*.cfg"))
    for name in _NAMES.value or every:
        own = settings_of(name)
        for epsilon in sorted({own.adam_epsilon, *map(float, _EPSILONS.value)}):
            what = {"flagfile": name, "adam_epsilon": epsilon, "steps": _STEPS.value}
            what |= {"batch_size": own.batch_size, "dataset": own.dataset}
            if any(what.items() <= row.items() for row in rows):
                continue
            changed = ExperimentConfig.from_json(
                own.to_json() | {"adam_epsilon": epsilon}
            )
            rows.append(what | measured(changed, _STEPS.value))
            print(rows[-1], flush=True)
            keras.backend.clear_session()
            if path:
                files.write_json(path, {"rows": rows, **files.environment()})


if __name__ == "__main__":
    cli.run(main)
