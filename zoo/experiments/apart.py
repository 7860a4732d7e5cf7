"""Jobs in a folder of their own, on any machine: files travel as archives."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tfds_builders import durable
from zoo.experiments import jobs
from zoo.experiments.jobs import Job


def work(job: Job, inputs: bytes, threads: int) -> tuple[str, bytes]:
    """Do a job in a folder of its own, on any machine.

    Args:
        job: what to do.
        inputs: archive of its inputs below its directory.
        threads: of TensorFlow.

    Returns:
        Why it failed, if it did, and an archive of what was written.
    """
    os.environ |= dict.fromkeys(
        ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(threads)
    )
    name = job.directory.resolve().name  # that of '../runs' is 'runs'
    with tempfile.TemporaryDirectory(prefix="zoo-job-") as folder:
        os.chdir(folder)
        directory = Path(name)
        directory.mkdir(parents=True, exist_ok=True)
        extract(inputs, directory)
        failure = ""
        try:
            jobs.work(job._replace(directory=directory, logged=True))
        except (ValueError, OSError) as error:
            failure = str(error)
        read = {Path(name).parts[0] for name in job.inputs}
        written = [p.name for p in directory.iterdir() if p.name not in read]
        archive = packed(directory, written)
        os.chdir("/")
    return failure, archive


def reason(text: str) -> str:
    """Last line of an error, which says what it is; the first ones say where."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def packed(folder: Path, names: Iterable[str]) -> bytes:
    """An archive of files and folders named from a folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", strict_timestamps=False) as archive:
        for name in names:
            for path in (folder / name, *sorted((folder / name).rglob("*"))):
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def extract(content: bytes, folder: Path) -> None:
    """Put the files of an archive below a folder, whatever their names say."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)


def unpack(content: bytes, job: Job) -> None:
    """Put what a job wrote below its directory, each part whole or not at all."""
    job.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=job.directory, prefix=".partial-") as partial:
        extract(content, Path(partial))
        for new in Path(partial).iterdir():
            old = job.directory / new.name
            if old.is_dir():
                shutil.rmtree(old)
            durable.replace(new, old)
