"""network.json of a run directory: which network was trained, at which size."""

from __future__ import annotations

import math
from pathlib import Path

from tfds_builders.untrusted.json_files import OBJECT, POSITIVE, TEXT, record
from zoo import files, registry
from zoo.config import OWN, ExperimentConfig
from zoo.config_checks import is_reference
from zoo.models import references

NAME = "network.json"
MOST_ENTRIES = 1 << 22  # of a CSI sample
_SHAPE = {"type": "array", "items": POSITIVE, "minItems": 3, "maxItems": 4}
SCHEMA = record({"name": TEXT, "csi_shape": _SHAPE, "own_sha256": OBJECT})


def write(run: Path, config: ExperimentConfig, csi_shape=None) -> None:
    """Write down name, CSI shape and the hashes of the user's own code.

    Args:
        run: run directory.
        config: of the run.
        csi_shape: (N_t, N_a, 2) of its data; None: the network's own.
    """
    spec = registry.get(config.model)
    value = {
        "name": spec.name,
        "csi_shape": list(csi_shape or spec.csi_shape),
        "own_sha256": _digests(config),
    }
    files.write_json(run / NAME, value)


def read(path: Path) -> dict:
    """What `write` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not such a record; the message names what is wrong.
    """
    value = files.read_json(path, SCHEMA)
    shape = value["csi_shape"]
    if math.prod(shape) > MOST_ENTRIES:
        raise ValueError(
            f"{path}: csi_shape is {shape!r:.60}, expected [angles, delays, 2], at "
            f"most {MOST_ENTRIES:,} entries"
        )
    return value


def csi_shape(run: Path, config: ExperimentConfig) -> tuple[int, ...]:
    """(N_t, N_a, 2) that a run was trained at; of runs of before the network's own."""
    if (run / NAME).is_file():
        return tuple(read(run / NAME)["csi_shape"])
    return registry.get(config.model).csi_shape


def changed(run: Path, config: ExperimentConfig) -> str:
    """The reference to own code that is not what the run began with, or ''."""
    if not (run / NAME).is_file():
        return ""
    began = read(run / NAME)["own_sha256"].values()
    return next((k for k, v in _digests(config).items() if v not in began), "")


def check(run: Path, config: ExperimentConfig, shape: tuple[int, ...]) -> None:
    """Refuse to build another network than the one that was trained.

    Own code that has changed since is said, not refused.

    Raises:
        ValueError: a network of another name, or another size of CSI.
    """
    if not (run / NAME).is_file():
        return
    began, name = read(run / NAME), registry.get(config.model).name
    if name != began["name"]:
        raise ValueError(
            f"{run} is of network {began['name']!r}, --model={config.model} is {name!r}"
        )
    if shape != tuple(began["csi_shape"]):
        raise ValueError(
            f"{run} was trained at CSI {began['csi_shape']}, the data have "
            f"{list(shape)}: train a network of that size"
        )
    other = changed(run, config)
    if other:
        print(f"note: {other} has changed since {run} was trained")


def check_size(place: Path, config: ExperimentConfig, most: int) -> None:
    """Refuse a codeword for which no network is built.

    Args:
        place: of the configuration, for the message.
        config: of the run.
        most: real values that it may have, such as those of the CSI.

    Raises:
        ValueError: it is longer.
    """
    if config.codeword_dim > most:
        raise ValueError(
            f"{place}: codeword_dim is {config.codeword_dim:,}, expected at most "
            f"{most:,}"
        )


def _digests(config: ExperimentConfig) -> dict[str, str | None]:
    """SHA-256 by reference to the user's own code."""
    names = [(flag, getattr(config, flag)) for flag in OWN]
    return {v: references.digest(flag, v) for flag, v in names if is_reference(v)}
