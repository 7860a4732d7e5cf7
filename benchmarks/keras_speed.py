"""Seconds per training step of the zoo; a worker, see `benchmarks.worker`.

python -m benchmarks.keras_speed --network=crnet --mode=fused --threads=2

Modes are values of --cpu_step. TF_ENABLE_ONEDNN_OPTS=0 in the environment leaves out
what the zoo switches on. A step is that of `python -m zoo.train`: forward, loss,
backward, Adam and reading the loss.
"""

from __future__ import annotations

import zoo  # noqa: F401  before TensorFlow: it sets oneDNN

# isort: split
import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks import worker
from tfds_builders import cli
from zoo.config import ExperimentConfig
from zoo.metrics.complexity import count_params
from zoo.training.trainer import Trainer

CSI_SHAPE = (32, 32, 2)

MODE = flags.DEFINE_enum("mode", "fused", ["native", "fused"], "Value of --cpu_step.")


def prepare() -> tuple[int, worker.Step]:
    """Parameter count and training step on fixed random CSI."""
    settings = ExperimentConfig(
        model=worker.NETWORK.value,
        codeword_dim=worker.CODEWORD.value,
        batch_size=worker.BATCH.value,
        schedule="constant",
        lr=1e-3,
        cpu_step=MODE.value,
    )
    trainer = Trainer(settings, tf.distribute.get_strategy(), CSI_SHAPE, 1)
    rng = np.random.default_rng(0)
    csi = tf.constant(
        rng.uniform(0.45, 0.55, (worker.BATCH.value, *CSI_SHAPE)), tf.float32
    )
    return count_params(trainer.model.autoencoder), lambda: float(trainer.step(csi))


def main(argv: list[str]) -> int:
    cli.refuse_arguments(argv)
    tf.config.threading.set_intra_op_parallelism_threads(worker.THREADS.value)
    tf.config.threading.set_inter_op_parallelism_threads(worker.THREADS.value)
    return worker.run(prepare)


if __name__ == "__main__":
    cli.run(main)
