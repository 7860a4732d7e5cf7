"""Files of weights: PyTorch state dicts, Keras 2 weights, CS-CsiNet's matrix."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from tfds_builders.untrusted import hdf5, mat_files, numpy_files
from zoo.importing import torch_checkpoint
from zoo.importing.public_network import PublicNetwork

Tensors = dict[str, np.ndarray]


def read_pytorch(paths: list[Path], public: PublicNetwork) -> tuple[Tensors, list[str]]:
    """Read one state dict, or an encoder's and a decoder's.

    Returns:
        Name to tensor, and the names of all that was left out.

    Raises:
        FileNotFoundError, ValueError: as `torch_checkpoint.state_dict`, or more than
            two files, or both hold the same name.
    """
    tensors: Tensors = {}
    ignored: list[str] = []
    if len(paths) > 2:
        raise ValueError(f"{len(paths)} files, expected one, or ENCODER,DECODER")
    for half, path in zip(("encoder.", "decoder."), paths, strict=False):
        part, left_out = torch_checkpoint.state_dict(path)
        # A half saved by itself lacks the prefix it has in the whole network.
        split = len(paths) == 2 and any(k.startswith(half) for k in public.places({}))
        if split and not any(key.startswith(half) for key in part):
            part = {half + key: value for key, value in part.items()}
        if set(part) & set(tensors):
            raise ValueError(f"{paths[0]} and {path} hold the same tensors")
        tensors |= part
        ignored += left_out
    return tensors, ignored


def read_h5(path: Path) -> Tensors:
    """Read a Keras 2 weights file, in the order of its layers.

    Args:
        path: file written by `save_weights` or `save` of Keras 1 or 2.

    Returns:
        `layer/weight` to array.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, damaged, or one layer holds several others.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    hdf5.check_weights(path)
    try:
        with h5py.File(path) as file:
            group = file.get("model_weights", file)
            if "layer_names" not in group.attrs and "layers" in group:
                raise ValueError(
                    f"{path}: weights of Keras 3, expected those of Keras 1 or 2"
                )
            tensors = {}
            for layer in map(_text, group.attrs["layer_names"]):
                for weight in map(_text, group[layer].attrs["weight_names"]):
                    kind = weight.rsplit("/", 1)[-1].split(":")[0]
                    key = f"{layer}/{kind}"
                    if key in tensors:
                        raise ValueError(f"{path}: {layer} has several {kind}")
                    tensors[key] = np.asarray(group[layer][weight])
            return tensors
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path}: not a weights file of Keras 2, or damaged ({error})"
        ) from error


def _text(name) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def read_matrix(path: Path) -> np.ndarray:
    """Read CS-CsiNet's matrix A, `[M, 2 N_t N_a]`, from .npy or .mat (variable A).

    Raises:
        FileNotFoundError: no such file.
        ValueError: no matrix in it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--matrix={path}: no such file")
    try:
        if path.suffix == ".mat":
            matrix = mat_files.read_one(path, "A")
        else:
            matrix = numpy_files.load(path)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"--matrix={path}: expected a .npy file, or a .mat file with a variable A "
            f"({error})"
        ) from error
    if getattr(matrix, "ndim", 0) != 2:
        raise ValueError(f"--matrix={path}: holds no matrix")
    return matrix
