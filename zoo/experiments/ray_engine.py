"""Jobs on a Ray cluster: a task each, made again where its node is lost.

A task works in a folder of its own (`zoo.experiments.apart`), so that nodes need no
common disk: it is sent what its commands read, and sends back what they wrote. Every
node needs the zoo, and at the same paths the data set and own networks; simulated sets
are made where they are missing.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from zoo.experiments import apart
from zoo.experiments.jobs import Job

try:
    import ray
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "--engine=ray: Ray is not installed; pip install 'csi-feedback-zoo[ray]'"
    ) from error

REACH_SECONDS = 10
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
            _check_reachable(address)
            paths = os.pathsep.join([str(PACKAGES), os.environ.get("PYTHONPATH", "")])
            ray.init(
                address,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": {"PYTHONPATH": paths}},
            )
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": RETRIES}
        # A process of its own for each task: it changes folder and environment.
        self._task = ray.remote(max_calls=1, **options)(apart.work)
        self._threads = max(1, int(cpus))
        self.place = f"ray_{cpus:g}cpus_{gpus:g}gpus"

    def __call__(self, job: Job) -> None:
        """Do a job and put its files below its directory.

        Raises:
            ValueError: a command failed; the message says why.
            OSError: the task was lost too often, or the cluster is.
        """
        if job.is_done:
            return
        inputs = apart.packed(job.directory, job.inputs)
        task = self._task.remote(job, inputs, self._threads)
        try:
            failure, written = ray.get(task)
        except ray.exceptions.RayError as error:
            why = f"{type(error).__name__}: {apart.reason(str(error))}"
            raise OSError(f"{job.name}: {why}") from error
        apart.unpack(written, job)
        if failure:
            raise ValueError(failure)


def _check_reachable(address: str) -> None:
    """Refuse an address at which nobody listens; Ray would try for minutes.

    Raises:
        ConnectionError: nobody does.
    """
    host, colon, port = address.rpartition(":")
    if not colon or "://" in host:
        return
    try:
        socket.create_connection((host, int(port)), REACH_SECONDS).close()
    except OSError as error:
        raise ConnectionError(
            f"--address={address}: no cluster there ({error}); start one with ray "
            "start --head, or give auto on one of its nodes"
        ) from error
