"""Train in stages: python -m zoo.train_stages --flagfile=zoo/flagfiles/dnnnet.cfg.

Each `--stage="FLAGS"` is one training, in this order, with the common flags and its
own; it continues from the best weights of the stage before. The common flags are those
of zoo.train, `--run_dir` holds `stage1`, `stage2`, ... A killed command continues where
it was when given again.
"""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo import config, files
from zoo.config import ExperimentConfig
from zoo.steps import step


def stage_settings(
    common: ExperimentConfig, stages: list[str], run_dir: Path
) -> list[ExperimentConfig]:
    """Configuration of every stage.

    Args:
        common: what they share.
        stages: flags of each stage, as on a command line.
        run_dir: holds the stages' run directories.

    Raises:
        ValueError: no stages, or flags that are unknown or do not fit.
    """
    if not stages:
        raise ValueError('--stage is missing: give one or more, --stage="--epochs=100"')
    result = []
    for number, text in enumerate(stages, 1):
        values = flags.FlagValues()
        config.define_flags(values)
        try:
            rest = values(["stage", *shlex.split(text)])[1:]
        except flags.Error as error:
            raise ValueError(f"--stage={text}: {error}") from error
        if rest:
            raise ValueError(f"--stage={text}: {rest} are not flags")
        own = {name: values[name].value for name in values if values[name].present}
        own["run_dir"] = str(run_dir / f"stage{number}")
        if result:
            own["weights"] = result[-1].run_dir
            own["init"] = "paper"
        result.append(dataclasses.replace(common, **own))
    return result


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    common = config.from_flags()
    run_dir = common.resolved_run_dir
    settings = stage_settings(common, flags.FLAGS.stage, run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(settings, 1):
        flagfile = run_dir / f"stage{number}.cfg"
        files.write_text(flagfile, stage.to_flags())
        step("zoo.train", f"--flagfile={flagfile}")
    print(f"trained in {len(settings)} stages: {settings[-1].run_dir}")


if __name__ == "__main__":
    config.define_flags()
    flags.adopt_module_key_flags(config)  # so that --help lists them
    flags.DEFINE_multi_string("stage", [], "flags of one stage, in order")
    cli.run(main)
