"""Where the trainings of an experiment are made: the flags, and the pool they give."""

from __future__ import annotations

from absl import flags

from zoo.experiments.pool import Pool

OF_OTHERS = {  # engine: flags that it has no use for
    "local": ("address", "cpus_per_run", "gpus_per_run"),
    "ray": ("processes",),
}


def define_flags() -> None:
    """Flags of every command that makes many trainings."""
    flags.DEFINE_integer(
        "processes", 1, "runs at a time, each on its own cores (local)", 1
    )
    flags.DEFINE_enum("engine", "local", list(OF_OTHERS), "here, or on a Ray cluster")
    flags.DEFINE_string("address", "auto", "of the cluster's head, HOST:PORT (ray)")
    flags.DEFINE_float("cpus_per_run", 1.0, "cores of each training (ray)", 0.0)
    flags.DEFINE_float("gpus_per_run", 0.0, "GPUs of each training (ray)", 0.0)


def pool(values: flags.FlagValues, go_on: bool = False) -> Pool:
    """The pool that the flags ask for.

    Args:
        values: parsed flags.
        go_on: whether runs are begun after one has failed.

    Raises:
        ValueError: more processes than cores, or a flag of the other engine.
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: there is no such cluster.
    """
    for name in OF_OTHERS[values.engine]:
        if values[name].present:
            raise ValueError(
                f"--{name} has no effect on --engine={values.engine}: leave it out"
            )
    if values.engine == "local":
        return Pool(values.processes, go_on)
    from zoo.experiments.ray_engine import RayEngine  # an extra

    engine = RayEngine(values.address, values.cpus_per_run, values.gpus_per_run)
    return Pool(go_on=go_on, engine=engine)
