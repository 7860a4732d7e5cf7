"""Train a network: python -m zoo.train --flagfile=zoo/flagfiles/crnet_quickstart.cfg.

Flags after the flagfile override it. A run that was killed continues from its last
complete epoch when the same command is given again. What needs no data is checked
first: a wrong name fails before anything is simulated or written.
"""

from __future__ import annotations

import shlex

from absl import flags

from tfds_builders import cli, flag_help, locks
from zoo import config_flags, registry
from zoo.config import ExperimentConfig
from zoo.data import exchange
from zoo.training import cluster


def show(settings: ExperimentConfig, every: bool) -> None:
    """Print the flags that differ from their defaults, or every one."""
    if every:
        print(settings.to_flags(), flush=True)
        return
    print(f"flags: {shlex.join(settings.flags(changed=True))}", flush=True)
    warmup = settings.warmup_epochs
    if settings.schedule == "cosine" and flags.FLAGS.warmup_epochs is None:
        print(f"warm-up: {warmup:g} of {settings.epochs} epochs (--warmup_epochs)")


def main(argv: list[str]) -> int:
    """Command line."""
    cli.refuse_arguments(argv)
    settings = config_flags.from_flags()
    config_flags.own()
    registry.check_names(settings)
    settings = exchange.filled(settings)
    if settings.strategy != "multi_worker":
        locks.check(settings.resolved_run_dir)
    elif not cluster.is_worker():
        return cluster.supervise(flags.FLAGS.worker_timeout)
    import tensorflow as tf  # seconds that no wrong name waits for

    from zoo.metrics import metrics_file
    from zoo.training import distribution, session

    show(settings, flags.FLAGS.verbose)
    try:
        run = session.train(settings)
    except tf.errors.OpError as error:  # a lost worker, no device memory
        reason = error.message.splitlines()[0]
        raise OSError(f"{type(error).__name__}: {reason}") from error
    if distribution.worker_index(settings):
        return 0
    best = metrics_file.best(run.read_metrics())
    if best:
        command = ["python -m zoo.evaluate", f"--run={run.path}"]
        command += ["--partner=FIRST"] if settings.exchange else []
        command += config_flags.named(settings)
        print(
            f"best epoch {best['epoch']}: validation {metrics_file.reached(best)}; "
            f"next: {' '.join(command)}"
        )
    return 0


if __name__ == "__main__":
    config_flags.define_flags()
    flags.DEFINE_float(
        "worker_timeout", 600, "seconds for all workers to come (multi_worker)", 1.0
    )
    flag_help.group("general", ["worker_timeout"])
    cli.run(main)
