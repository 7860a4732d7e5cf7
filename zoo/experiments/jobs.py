"""What leaves a results row: commands of the project that work in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from zoo.steps import step

FOLDER = "{directory}"  # in an argument: where the job's directory is


class Job(NamedTuple):
    """Commands, and the files below one directory that they read and write.

    Attributes:
        directory: holds the runs of an experiment.
        name: of the run; all that the commands write there begins with it.
        commands: module and arguments of each, with `FOLDER` for the directory.
        result: file below the directory that is there when the job is done.
        inputs: files and folders below the directory that the commands read.
        logged: whether the output of the commands goes to NAME.log.
    """

    directory: Path
    name: str
    commands: tuple[tuple[str, ...], ...]
    result: str
    inputs: tuple[str, ...] = ()
    logged: bool = False

    @property
    def is_done(self) -> bool:
        """Whether an earlier call has left the result."""
        return (self.directory / self.result).is_file()


def work(job: Job) -> None:
    """Run the commands of a job one after the other, unless it is done.

    Raises:
        ValueError: a command failed (it, or the message, says why).
    """
    if job.is_done:
        return
    job.directory.mkdir(parents=True, exist_ok=True)
    log = job.directory / f"{job.name}.log" if job.logged else None
    for module, *args in job.commands:
        here = (word.replace(FOLDER, str(job.directory)) for word in args)
        step(module, *here, log=log)


def evaluation(
    directory: Path, name: str, *training: str, own: tuple[str, ...] = (), **options
) -> Job:
    """The job that trains and evaluates a run.

    Args:
        directory: holds the run.
        name: of the run.
        *training: flags of zoo.train that say what it is.
        own: flags that name code of the user.
        **options: of `Job`.
    """
    run, result = f"{FOLDER}/{name}", f"{name}/evaluation.json"
    commands = (
        ("zoo.train", *training),
        ("zoo.evaluate", f"--run={run}", *own, f"--json={FOLDER}/{result}"),
    )
    return Job(directory, name, commands, result, **options)
