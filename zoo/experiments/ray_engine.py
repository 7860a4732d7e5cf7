"""Jobs on a Ray cluster: a task each, made again where its node is lost.

A task works in a folder of its own on its node, so that nodes need no common disk: it
is sent what its commands read, and sends back what they wrote, as archives. Every node
needs the zoo, and the data set at the same path; simulated ones are made where they are
missing.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from zoo.experiments import jobs
from zoo.experiments.jobs import Job

try:
    import ray
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "--engine=ray: Ray is not installed; pip install 'csi-feedback-zoo[ray]'"
    ) from error

RETRIES = 20  # of a task whose node was lost
PACKAGES = Path(__file__).parents[2]  # holds zoo


class RayEngine:
    """Does jobs as tasks of a cluster; the caller waits for the result.

    Args:
        address: of the cluster's head, or 'auto'.
        cpus: cores of each task.
        gpus: GPUs of each task.

    Raises:
        ConnectionError: there is no such cluster.
    """

    def __init__(self, address: str, cpus: float, gpus: float):
        if not ray.is_initialized():
            paths = os.pathsep.join([str(PACKAGES), os.environ.get("PYTHONPATH", "")])
            ray.init(
                address, log_to_driver=False, logging_level="ERROR",
                runtime_env={"env_vars": {"PYTHONPATH": paths}},
            )  # fmt: skip
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": RETRIES}
        # A process of its own for each task: it changes folder and environment.
        self._task = ray.remote(max_calls=1, **options)(work_apart)
        self._threads = max(1, int(cpus))

    def __call__(self, job: Job) -> None:
        """Do a job and put its files below its directory.

        Raises:
            ValueError: a command failed; the message says why.
        """
        if job.is_done:
            return
        inputs = packed(job.directory, job.inputs)
        sources = packed(Path(), (x for x in job.sources if not Path(x).is_absolute()))
        task = self._task.remote(job, inputs, sources, self._threads)
        failure, written = ray.get(task)
        unpack(written, job)
        if failure:
            raise ValueError(failure)


def work_apart(
    job: Job, inputs: bytes, sources: bytes, threads: int
) -> tuple[str, bytes]:
    """Do a job in a folder of its own, on any machine.

    Args:
        job: what to do.
        inputs: archive of its inputs below its directory.
        sources: archive of its other files below the working directory.
        threads: of TensorFlow.

    Returns:
        Why it failed, if it did, and an archive of what was written.
    """
    os.environ |= dict.fromkeys(
        ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(threads)
    )
    here = job.directory
    with tempfile.TemporaryDirectory(prefix="zoo-job-") as folder:
        os.chdir(folder)
        directory = Path(here.name) if here.is_absolute() else here
        directory.mkdir(parents=True, exist_ok=True)
        extract(inputs, directory)
        extract(sources, Path())
        failure = ""
        try:
            jobs.work(job._replace(directory=directory, logged=True))
        except ValueError as error:
            failure = str(error)
        read = {Path(name).parts[0] for name in job.inputs}
        written = [p.name for p in directory.iterdir() if p.name not in read]
        archive = packed(directory, written)
        os.chdir("/")
    return failure, archive


def packed(folder: Path, names: Iterable[str]) -> bytes:
    """An archive of files and folders named from a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            archive.add(folder / name, arcname=name)
    return buffer.getvalue()


def extract(content: bytes, folder: Path) -> None:
    """Put the files of an archive below a folder; names that leave it are refused."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")


def unpack(content: bytes, job: Job) -> None:
    """Put what a job wrote below its directory, each part whole or not at all."""
    job.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=job.directory, prefix=".partial-") as partial:
        extract(content, Path(partial))
        for new in Path(partial).iterdir():
            old = job.directory / new.name
            if old.is_dir():
                shutil.rmtree(old)
            os.replace(new, old)
