"""tf.distribute strategies: none, mirrored over devices, multi-worker by TF_CONFIG."""

from __future__ import annotations

import os

import tensorflow as tf

from zoo.config import ExperimentConfig
from zoo.training import cluster


def make_strategy(config: ExperimentConfig) -> tf.distribute.Strategy:
    """Strategy of a configuration; call before any other TensorFlow operation.

    'mirrored' uses all GPUs, or `logical_cpus` logical CPU devices; 'multi_worker'
    takes the cluster from the environment variable TF_CONFIG, see `cluster`.

    Raises:
        ValueError: no devices, a batch that does not divide, or TF_CONFIG is unusable.
    """
    if config.strategy == "none":
        return tf.distribute.get_strategy()
    if config.strategy == "mirrored":
        strategy = tf.distribute.MirroredStrategy(_mirrored_devices(config))
    else:
        os.environ[cluster.VARIABLE] = cluster.read().to_json()
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        cluster.say_joined()
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise ValueError(
            f"--batch_size={config.batch_size} does not divide over {replicas} replicas"
        )
    return strategy


def _mirrored_devices(config: ExperimentConfig) -> list[str]:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return [f"GPU:{i}" for i in range(len(gpus))]
    if config.logical_cpus < 2:
        raise ValueError(
            "--strategy=mirrored: no GPU found; use --strategy=none, or "
            "--logical_cpus=2 to try it on logical CPU devices"
        )
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * config.logical_cpus
    try:
        tf.config.set_logical_device_configuration(cpu, devices)
    except RuntimeError as error:
        raise ValueError(f"--logical_cpus={config.logical_cpus}: {error}") from error
    return [f"CPU:{i}" for i in range(config.logical_cpus)]


def worker_index(config: ExperimentConfig) -> int:
    """Index of this process; 0 is the chief, the only one that writes checkpoints."""
    if config.strategy != "multi_worker":
        return 0
    return cluster.read().index


def check_same_epoch(strategy: tf.distribute.Strategy, epoch: int) -> None:
    """Make sure that all workers resume at the same epoch.

    Raises:
        ValueError: they do not, because they do not share the run directory.
    """

    @tf.function
    def mean():
        values = strategy.run(lambda: tf.constant(float(epoch)))
        return strategy.reduce("MEAN", values, axis=None)

    if float(mean()) != epoch:
        raise ValueError(
            f"this worker resumes after epoch {epoch}, others do not: all workers must "
            "see the same --run_dir (a shared file system)"
        )


def average_over_replicas(strategy: tf.distribute.Strategy, variables: list):
    """Return a function that sets variables to their mean over all replicas.

    Batch-norm running statistics are updated by each replica on its own share of the
    batch; averaging them at the end of an epoch makes all replicas equal again.
    """

    @tf.function
    def means():
        values = strategy.run(lambda: [tf.convert_to_tensor(v) for v in variables])
        return [strategy.reduce("MEAN", value, axis=None) for value in values]

    def average():
        with strategy.scope():
            for variable, mean in zip(variables, means(), strict=True):
                variable.assign(mean)

    return average
