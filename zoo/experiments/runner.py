"""Training runs of an experiment: made once, found again by what they are."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from pathlib import Path

from zoo import config_flags, files
from zoo.config import ExperimentConfig
from zoo.experiments.pool import PendingRow, Pool
from zoo.run_directory import MAY_CHANGE
from zoo.steps import step


def settings_of(flagfile: Path, extra: str = "", **overrides) -> ExperimentConfig:
    """Configuration of a flagfile with changes.

    Args:
        flagfile: flags of zoo.train.
        extra: more flags, as on a command line: they come last and win.
        overrides: values by flag name, instead of the flagfile's.

    Raises:
        ValueError: no such flagfile, an unknown flag or an unusable value.
    """
    args = [f"--flagfile={flagfile}", *shlex.split(extra)]
    values = config_flags.parse(args, f"{flagfile} {extra}")
    given = config_flags.parse(args[1:], extra)
    own = {k: v for k, v in overrides.items() if not given[k].present}
    return config_flags.from_flags(values, **own)


def evaluated(run: Path, *training: str, log: Path | None = None) -> dict:
    """Results row of a run, trained and evaluated where it was not before.

    Args:
        run: its directory.
        *training: flags of zoo.train that say what it is.
        log: where the commands' output goes; None: it is passed through.

    Raises:
        ValueError: a command failed (it has said why).
    """
    result = run / "evaluation.json"
    if not result.is_file():
        step("zoo.train", *training, log=log)
        step("zoo.evaluate", f"--run={run}", f"--json={result}", log=log)
    return files.read_json(result)


@dataclasses.dataclass(frozen=True)
class Runner:
    """Trains and evaluates, each configuration once.

    A run lives in `directory/NAME-HASH`, the hash of all that determines it: another
    flag is another run, and a command that was killed goes on where it was.

    Attributes:
        directory: holds the runs.
        flagfile: what all runs share.
        extra: flags that change it, and what a target asks for, as on a command line.
        pool: makes the rows.
    """

    directory: Path
    flagfile: Path
    extra: str = ""
    pool: Pool = dataclasses.field(default_factory=Pool)

    def settings(self, name: str, **overrides) -> ExperimentConfig:
        """Configuration of a run with its directory."""
        settings = settings_of(self.flagfile, self.extra, **overrides)
        fixed = {k: v for k, v in settings.to_json().items() if k not in MAY_CHANGE}
        digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()
        run_dir = str(self.directory / f"{name}-{digest[:8]}")
        return dataclasses.replace(settings, run_dir=run_dir)

    def _log(self, name: str) -> Path | None:
        """Where the output of one of several commands at a time goes."""
        return self.directory / f"{name}.log" if self.pool.processes > 1 else None

    def row(
        self, name: str, after: PendingRow | None = None, **overrides
    ) -> PendingRow:
        """Results row of a run, trained and evaluated where it was not before.

        Args:
            name: of the run.
            after: the row of a run that this one continues.
            **overrides: values by flag name.

        Returns:
            PendingRow; its `result` raises ValueError where a command failed.
        """
        settings = self.settings(name, **overrides)
        run = settings.resolved_run_dir
        flagfile = self.directory / f"{run.name}.cfg"
        files.write_text(flagfile, settings.to_flags())

        def make() -> dict:
            if after is not None:
                after.result()
            row = evaluated(run, f"--flagfile={flagfile}", log=self._log(run.name))
            return {**row, "run": run.name}

        return self.pool.row(run.name, make)

    def baseline(self, name: str, **overrides) -> PendingRow:
        """Results row of a classic method on the same data (`python -m zoo.baseline`).

        Returns:
            PendingRow; its `result` raises ValueError where the command failed.
        """
        data = ("dataset", "data_dir", "codeword_dim", "num_test", "seed")
        dim = overrides.pop("codeword_dim")
        settings = self.settings(name, codeword_dim=dim, seed=overrides.pop("seed", 0))
        given = {key: getattr(settings, key) for key in data} | overrides
        result = Path(f"{settings.run_dir}.json")

        def make() -> dict:
            if not result.is_file():
                options = [f"--{key}={value}" for key, value in given.items()]
                step(
                    "zoo.baseline",
                    *options,
                    f"--json={result}",
                    log=self._log(result.stem),
                )
            return {**files.read_json(result), "run": result.stem}

        return self.pool.row(result.stem, make)
