"""Train in stages: python -m zoo.train_stages --flagfile=zoo/flagfiles/dnnnet.cfg.

Each `--stage="FLAGS"` is one training, in this order, with the common flags and its
own; it continues from the best weights of the stage before. As everywhere the last
setting wins: a common flag behind a `--stage` overrides that stage's own, so that
`--flagfile=zoo/flagfiles/dnnnet.cfg --epochs=1` is one epoch of every stage. The common
flags are those of zoo.train, `--run_dir` holds `stage1`, `stage2`, ... A killed command
continues where it was when given again.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from tfds_builders import cli, flagfiles, locks
from zoo import config_flags, files, registry
from zoo.config import OWN, ExperimentConfig
from zoo.steps import step


def split(args: Sequence[str]) -> tuple[list[str], list[tuple[int, str]]]:
    """Take a command line without flagfiles apart.

    Returns:
        The common flags, and for each stage how many of them stand before it, and its
        own flags as text.

    Raises:
        ValueError: no stages.
    """
    common, stages, words = [], [], iter(args)
    for word in words:
        name, equals, text = word.partition("=")
        if name in ("--stage", "-stage"):
            stages.append((len(common), text if equals else next(words, "")))
        else:
            common.append(word)
    if not stages:
        raise ValueError(
            "--stage is missing; usage: python -m zoo.train_stages --flagfile=FILE, or "
            'one or more of --stage="--epochs=100"'
        )
    return common, stages


def stage_settings(args: Sequence[str]) -> list[ExperimentConfig]:
    """Configuration of every stage.

    Args:
        args: common flags and `--stage="FLAGS"`, as on a command line, no flagfiles.

    Raises:
        ValueError: no stages, or flags that are unknown or do not fit.
    """
    common, stages = split(args)
    shared = config_flags.parse(common, "flags", known_only=True)
    run_dir = config_flags.from_flags(shared).resolved_run_dir
    result = []
    for number, (place, text) in enumerate(stages, 1):
        own, origin = shlex.split(text), f"--stage={text}"
        config_flags.parse(own, origin)
        whole = [*common[:place], *own, *common[place:]]
        changes = {"run_dir": str(run_dir / f"stage{number}")}
        if result:
            changes |= {"weights": result[-1].run_dir, "init": "paper"}
            changes |= {"weights_sha256": ""}  # of what the first began with
        values = config_flags.parse(whole, origin, known_only=True)
        result.append(config_flags.from_flags(values, **changes))
    return result


def check(stages: list[ExperimentConfig]) -> None:
    """Refuse stages of which one cannot be trained, before the first is.

    Raises:
        ValueError, OSError: as of `zoo.training.session.check`.
    """
    for stage in stages:
        registry.check_names(stage)
    import tensorflow as tf  # seconds that no wrong name waits for

    from zoo.training import session

    tf.config.set_visible_devices([], "GPU")  # the trainings, processes, need it whole
    for stage in stages:
        session.check(stage, tf.distribute.get_strategy(), weights=stage is stages[0])


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    settings = stage_settings(flagfiles.expand(sys.argv)[1:])
    for stage in settings:
        own = {name: getattr(stage, name) for name in OWN}
        config_flags.check_flagfiles(own, sys.argv)
    run_dir = Path(settings[0].run_dir).parent
    with locks.alone(run_dir):
        check(settings)
        for number, stage in enumerate(settings, 1):
            flagfile = run_dir / f"stage{number}.cfg"
            files.write_text(flagfile, stage.to_flags())
            step("zoo.train", f"--flagfile={flagfile}")
    print(f"trained in {len(settings)} stages: {settings[-1].run_dir}")


def define_flags() -> None:
    """Flags of this command and of the trainings."""
    config_flags.define_flags()
    flags.DEFINE_multi_string("stage", [], "flags of one stage, in order")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
