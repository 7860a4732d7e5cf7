"""Checkpoints: all variables of a training and its progress, one .npz."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tfds_builders.untrusted import numpy_files
from zoo import files
from zoo.codeword import weights_file


def save(path: Path, variables: list, progress: dict) -> None:
    """Write all variables and the progress as one file, atomically.

    Raises:
        OSError: no room or no permission; the previous file is kept.
    """
    arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(variables)}
    with files.atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, progress=np.array(json.dumps(progress)), **arrays)


def restore(path: Path, variables: list) -> dict:
    """Load a checkpoint into the variables.

    Returns:
        The saved progress.

    Raises:
        ValueError: the file is damaged or does not fit the network.
    """
    try:
        stored = numpy_files.load(path)
        arrays = [stored[f"v{i}"] for i in range(len(stored) - 1)]
        progress = json.loads(str(stored["progress"]))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ValueError(
            f"{path}: damaged checkpoint ({error}); remove it to train from the start"
        ) from error
    shapes = [tuple(a.shape) for a in arrays]
    if shapes != [tuple(v.shape) for v in variables]:
        raise ValueError(f"{path}: does not fit the network of this run")
    for i, (variable, array) in enumerate(zip(variables, arrays, strict=True)):
        weights_file.check_finite(path, f"v{i}", array)
        variable.assign(array)
    return progress
