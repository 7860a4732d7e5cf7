"""Train a network: python -m zoo.train --flagfile=zoo/flagfiles/crnet_quickstart.cfg.

Flags after the flagfile override it. A run that was killed continues from its last
complete epoch when the same command is given again.
"""

from __future__ import annotations

import tensorflow as tf
from absl import flags

from tfds_builders import cli
from zoo import config
from zoo.training import distribution, session


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    settings = config.from_flags()
    print(settings.to_flags(), flush=True)
    try:
        run = session.train(settings)
    except tf.errors.OpError as error:  # a lost worker, no device memory
        reason = error.message.splitlines()[0]
        raise OSError(f"{type(error).__name__}: {reason}") from error
    if distribution.worker_index(settings):
        return
    best = min(run.read_metrics(), key=lambda r: r["val_nmse_db"], default=None)
    if best:
        print(
            f"best epoch {best['epoch']}: validation NMSE {best['val_nmse_db']:.2f} dB"
            f"; next: python -m zoo.evaluate --run={run.path}"
        )


if __name__ == "__main__":
    config.define_flags()
    flags.adopt_module_key_flags(config)  # so that --help lists them
    cli.run(main)
