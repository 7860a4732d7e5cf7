"""Published weights made up for tests: random networks and their files."""

from __future__ import annotations

import h5py
import numpy as np

from tests.support import torch_files


def randomise(network, seed=0) -> None:
    """Draw all weights and statistics."""
    rng = np.random.default_rng(seed)
    for variable in network.autoencoder.weights:
        size = 0.3 if len(variable.shape) > 1 else 0.1
        value = rng.normal(0, size, variable.shape)
        scale = any(n in variable.path for n in ("gamma", "variance"))
        variable.assign(np.abs(value) + 0.5 if scale else value)


def channels_first(value, path: str):
    """FC weights of ours as a network sees them whose features are (2, 32, 32)."""
    if path == "encoder/codeword" and value.ndim == 2:
        return value.reshape(32, 32, 2, -1).transpose(2, 0, 1, 3).reshape(2048, -1)
    if path == "decoder/expand":
        moved = value.reshape(-1, 32, 32, 2).transpose(0, 3, 1, 2)
        return moved.reshape(value.shape)
    return value


def variables(parts: dict):
    """(half/layer, index, array) of models by half, in the order of computation."""
    for half, part in parts.items():
        for layer in part.layers:
            for i, variable in enumerate(layer.weights):
                yield f"{half}/{layer.name}", i, np.asarray(variable)


def assert_same_weights(a, b) -> None:
    for ours, theirs in zip(variables(a.parts), variables(b.parts), strict=True):
        np.testing.assert_array_equal(ours[2], theirs[2], ours[0])


def save_pytorch(path, tensors: dict, save_format=torch_files.save_zip, **other):
    """Write a checkpoint with a state dict of arrays and of ready tensors."""
    state = {
        key: torch_files.of_array(str(i), value)
        if isinstance(value, np.ndarray)
        else value
        for i, (key, value) in enumerate(tensors.items())
    }
    save_format(path, {"state_dict": state, **other})
    return [path]


def save_keras2(path, parts: dict, first: bool) -> None:
    """Write weights as Keras 2 did, its layers numbered by class from 4 on.

    `parts` are models by half; `first` stores FC weights for channels-first features.
    """
    kinds = {"conv": "conv2d", "bn": "batch_normalization"}
    count: dict[str, int] = {}
    with h5py.File(path, "w") as file:
        names = []
        for half, part in parts.items():
            for layer in part.layers:
                kind = kinds.get(layer.name.split("_")[-1], "dense")
                kind = kind if layer.weights else "leaky_re_lu"
                count[kind] = count.get(kind, 3) + 1
                names.append(f"{kind}_{count[kind]}")
                group = file.create_group(names[-1])
                keys = [f"{names[-1]}/{v.name}:0" for v in layer.weights]
                group.attrs["weight_names"] = np.array(keys, "S")
                for key, variable in zip(keys, layer.weights, strict=True):
                    value, place = np.asarray(variable), f"{half}/{layer.name}"
                    group[key] = channels_first(value, place) if first else value
        file.attrs["layer_names"] = np.array(names, "S")
