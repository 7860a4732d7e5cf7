"""Training runs of an experiment: made once, found again by what they are."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import shlex
from collections.abc import Iterator
from pathlib import Path

from zoo import config_flags, files, registry
from zoo.config import MAY_CHANGE, OWN, ExperimentConfig, digest
from zoo.config_checks import EIGEN, is_reference
from zoo.experiments import jobs
from zoo.experiments.jobs import FOLDER, Job
from zoo.experiments.pool import PendingRow, Pool
from zoo.models import references

BASELINE_FLAGS = (
    "dataset", "data_dir", "manual_dir", "scaling", "num_test", "test_split",
    "csi_noise", "test_snr_db", "seed",
)  # fmt: skip


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


def evaluated(run: Path, *training: str) -> dict:
    """Results row of a run, trained and evaluated where it was not before.

    Args:
        run: its directory.
        *training: flags of zoo.train that say what it is.

    Raises:
        ValueError: a command failed (it has said why), or the directory holds a run of
            other flags.
    """
    if row := found(run, *training):
        return row
    jobs.work(jobs.evaluation(run.parent, run.name, *training))
    return files.read_json(run / "evaluation.json")


def found(run: Path, *training: str) -> dict | None:
    """Results row of a run that was trained and evaluated before; arguments as above.

    Raises:
        ValueError: the directory holds a run of other flags.
    """
    from zoo.run_directory import RunDirectory  # imports TensorFlow

    settings = config_flags.from_flags(config_flags.parse(training, str(run)))
    RunDirectory(run).check(settings)
    result = run / "evaluation.json"
    return files.read_json(result) if result.is_file() else None


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
        data: what tells the data set from another one of its name (`data_digest`).
    """

    directory: Path
    flagfile: Path
    extra: str = ""
    pool: Pool = dataclasses.field(default_factory=Pool)
    data: str = ""

    def settings(self, name: str, **overrides) -> ExperimentConfig:
        """Configuration of a run with its directory."""
        settings = settings_of(self.flagfile, self.extra, **overrides)
        fixed = {k: v for k, v in settings.to_json().items() if k not in MAY_CHANGE}
        told_apart = digest(fixed, *own_code(settings), self.data)
        run_dir = str(self.directory / f"{name}-{told_apart}")
        return dataclasses.replace(settings, run_dir=run_dir)

    def flags(self, settings: ExperimentConfig) -> Job:
        """A job without commands that has a run's flagfile, written here, as input."""
        run = settings.resolved_run_dir
        flagfile = f"{run.name}.cfg"
        files.write_text(self.directory / flagfile, _everywhere(settings).to_flags())
        logged = self.pool.logged
        return Job(self.directory, run.name, (), "", (flagfile,), logged)

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
        given = self.flags(settings)
        training, inputs = training_flags(given.name), given.inputs
        if after is not None:
            training += (f"--weights={FOLDER}/{after.run}",)
            inputs += (after.run,)
        job = jobs.evaluation(
            self.directory, given.name, *training, own=own_flags(settings),
            inputs=inputs, logged=given.logged,
        )  # fmt: skip

        def make() -> dict:
            if after is not None:
                after.result()
            return self._worked(job)

        return self.pool.row(job.name, make)

    def baseline(self, name: str, **overrides) -> PendingRow:
        """Results row of a classic method on the same data (`python -m zoo.baseline`).

        Returns:
            PendingRow; its `result` raises ValueError where the command failed.
        """
        length = {k: v for k, v in overrides.items() if k == "codeword_dim"}
        seed = overrides.pop("seed", 0)
        settings = self.settings(name, seed=seed, **length)
        here = _everywhere(settings)
        given = {key: getattr(here, key) for key in BASELINE_FLAGS} | overrides
        if here.target == "eigenvectors":
            given |= {key: getattr(here, key) for key in ("target", *EIGEN)}
        if math.isinf(here.test_snr_db):  # noise in the training alone
            given["csi_noise"] = "none"
        options = [f"--{key}={value}" for key, value in given.items()]
        run = settings.resolved_run_dir.name
        result = f"{run}.json"
        command = ("zoo.baseline", *options, f"--json={FOLDER}/{result}")
        logged = self.pool.logged
        job = Job(self.directory, run, (command,), result, logged=logged)
        return self.pool.row(run, functools.partial(self._worked, job))

    def _worked(self, job: Job) -> dict:
        """Row of a job that is done by now."""
        self.pool.work(job)
        return {**files.read_json(job.directory / job.result), "run": job.name}


def training_flags(run: str) -> tuple[str, ...]:
    """Flags of the training whose flagfile `Runner.flags` has written."""
    return f"--flagfile={FOLDER}/{run}.cfg", f"--run_dir={FOLDER}/{run}"


def own_flags(settings: ExperimentConfig) -> tuple[str, ...]:
    """Flags that name the code of the user that a configuration refers to."""
    given = {name: getattr(settings, name) for name in OWN}
    return tuple(f"--{k}={v}" for k, v in given.items() if is_reference(v))


def own_code(settings: ExperimentConfig) -> Iterator[str]:
    """SHA-256 of each file of the user that a configuration refers to.

    Raises:
        ValueError: it cannot be imported.
    """
    registry.admit(settings.model, settings.quantizer)
    for name in OWN:
        if is_reference(getattr(settings, name)):
            yield references.digest(name, getattr(settings, name)) or ""


def data_digest(builder) -> str:
    """SHA-256 of what a prepared data set says of itself.

    Version, sizes, and what its metadata hold: source, seed, SHA-256 of its files.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(builder.data_dir).glob("*.json")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _everywhere(settings: ExperimentConfig) -> ExperimentConfig:
    """The same configuration from any working directory."""
    folders = {key: getattr(settings, key) for key in ("data_dir", "manual_dir")}
    absolute = {k: str(Path(v).absolute()) for k, v in folders.items() if v}
    return dataclasses.replace(settings, **absolute)
