"""An imported network against what the original one computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tfds_builders.untrusted import numpy_files
from zoo.importing.network import CSI_SHAPE
from zoo.models.autoencoder import CsiAutoencoder


def parity(network: CsiAutoencoder, reference: Path) -> dict[str, Any]:
    """Compare the imported network with what the original computed.

    Args:
        network: the imported network.
        reference: .npz with `inputs` and `outputs` (or `input`, `output`),
            `[n, 2, N_t, N_a]` or `[n, N_t, N_a, 2]`, and perhaps `codeword` `[n, M]`.

    Returns:
        Number of examples, and per array the largest difference, relative to its
        largest value where that is above 1.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it lacks an array, or one has another shape than the network's.
    """
    arrays = _read_reference(reference)
    csi = arrays["inputs"]
    codeword = network.encoder.predict(csi, verbose=0)
    ours = {"codeword": codeword}
    ours["outputs"] = network.decoder.predict(codeword, verbose=0)
    result: dict[str, Any] = {"examples": len(csi)}
    for name in ("codeword", "outputs"):
        if name not in arrays:
            continue
        theirs = arrays[name]
        if theirs.shape != ours[name].shape:
            raise ValueError(
                f"{reference}: {name} has shape {theirs.shape}, the network's are "
                f"{ours[name].shape}"
            )
        scale = max(1.0, float(np.abs(theirs).max()))
        result[name] = float(np.abs(ours[name] - theirs).max()) / scale
    return result


def _read_reference(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"--reference={path}: no such file")
    arrays = numpy_files.load(path)
    if not isinstance(arrays, dict):
        raise ValueError(f"--reference={path}: a .npy, expected an .npz file")
    for name in ("inputs", "outputs"):
        value = arrays.pop(name.removesuffix("s"), arrays.get(name))
        if np.ndim(value) == 4 and value.shape[1:] != CSI_SHAPE:
            value = np.moveaxis(value, 1, -1)
        if np.shape(value)[1:] != CSI_SHAPE or not len(value):
            raise ValueError(
                f"--reference={path}: needs {name}, [n, 2, 32, 32] or [n, 32, 32, 2]"
            )
        arrays[name] = value
    return arrays


def check(network: CsiAutoencoder, reference: Path, tolerance: float) -> dict[str, Any]:
    """Refuse a network that does not reproduce a reference; arguments as `parity`.

    Raises:
        ValueError: a difference is above `tolerance`.
    """
    checked = parity(network, reference)
    worst = np.max([value for name, value in checked.items() if name != "examples"])
    if not worst <= tolerance:
        raise ValueError(
            f"--reference={reference}: differs by {worst:.3g}, expected at most "
            f"{tolerance:g} (--tolerance); nothing was written"
        )
    return checked
