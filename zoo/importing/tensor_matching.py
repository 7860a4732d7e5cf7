"""Tensors of published files into a network of the zoo: match, permute, assign."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo.importing.sources import Tensors
from zoo.importing.weight_maps import CODEWORD, EXPAND, Places
from zoo.models.autoencoder import CsiAutoencoder


class Entry(NamedTuple):
    """A tensor of the file, in our axes, and its place (see `weight_maps`)."""

    key: str
    place: tuple[str, int]
    value: np.ndarray


def rename_by_order(tensors: Tensors, places: Places) -> Tensors:
    """Give tensors the public names by their order; only the last word must agree.

    Raises:
        ValueError: another number of tensors, or another kind (weight, bias, ...).
    """
    if len(tensors) != len(places):
        raise ValueError(
            f"--match=order: the file has {len(tensors)} tensors, the published "
            f"network {len(places)}"
        )
    for key, name in zip(tensors, places, strict=True):
        if _kind(key) != _kind(name):
            raise ValueError(f"--match=order: {key} stands where {name} is expected")
    return dict(zip(places, tensors.values(), strict=True))


def _kind(key: str) -> str:
    return key.replace("/", ".").rsplit(".", 1)[-1]


def ambiguous(entries: list[Entry]) -> int:
    """Number of tensors that have a twin of the same kind and shape."""
    seen = [(_kind(entry.key), entry.value.shape) for entry in entries]
    return sum(seen.count(signature) > 1 for signature in seen)


def pytorch_entries(
    tensors: Tensors, places: Places, channels_first: bool, csi_shape
) -> list[Entry]:
    """Match by name and bring all tensors into our axes.

    Raises:
        ValueError: a tensor is missing in the file, or unused.
    """
    missing, unused = set(places) - set(tensors), set(tensors) - set(places)
    if missing or unused:
        raise ValueError(
            f"the file lacks {_some(missing)} and has {_some(unused)}, which the "
            "published network has not; for other names in the same order give "
            "--match=order"
        )
    entries = []
    for key, (path, index) in places.items():
        value = _from_pytorch(tensors[key], path)
        if channels_first:
            value = _channels_last(value, path, csi_shape)
        entries.append(Entry(key, (path, index), value))
    return entries


def _some(names: set[str]) -> str:
    listed = ", ".join(sorted(names)[:3])
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{listed}{rest}" if names else "nothing"


def _from_pytorch(value: np.ndarray, path: str) -> np.ndarray:
    """Tensor in Keras' order of axes."""
    if path.endswith("_prelu"):
        return value.reshape(1, 1, -1)
    if value.ndim == 3:
        # Convolutions of a sequence of one: (M, 2048, 1), and transposed, too.
        return value[..., 0] if path == EXPAND else value[..., 0].T
    return np.transpose(value, (2, 3, 1, 0)) if value.ndim == 4 else value.T


def h5_entries(
    tensors: Tensors, network: CsiAutoencoder, channels_first: bool, csi_shape
) -> list[Entry]:
    """Match by the order of computation; names count the layers of a session.

    Raises:
        ValueError: another number of tensors, or another kind (kernel, gamma, ...).
    """
    variables = [
        ((path, i), _kind(variable.name.split(":")[0]))
        for path, weights in _weights(network).items()
        for i, variable in enumerate(weights)
    ]
    if len(variables) != len(tensors):
        raise ValueError(
            f"the file has {len(tensors)} tensors, the network {len(variables)}"
        )
    entries = []
    for (key, value), (place, kind) in zip(tensors.items(), variables, strict=True):
        if _kind(key) != kind:
            raise ValueError(f"{key} stands where {kind} of {place[0]} is expected")
        if channels_first:
            value = _channels_last(value, place[0], csi_shape)
        entries.append(Entry(key, place, value))
    return entries


def _channels_last(value: np.ndarray, path: str, csi_shape) -> np.ndarray:
    """Rows or columns of an FC layer from (part, angle, delay) to (angle, delay, part).

    Values of other layers, or of another size, are left alone.
    """
    n_t, n_a, parts = csi_shape
    flat = value.T if path == EXPAND else value
    features = flat.shape[:1] == (n_t * n_a * parts,)
    if not features or path not in (CODEWORD, EXPAND):
        return value
    if path == CODEWORD and value.ndim == 1:
        return value
    moved = np.moveaxis(flat.reshape(parts, n_t, n_a, -1), 0, 2).reshape(flat.shape)
    return moved.T if path == EXPAND else moved


def _weights(network: CsiAutoencoder) -> dict[str, list]:
    """Half and layer to variables, in the order of computation."""
    return {
        f"{half}/{layer.name}": layer.weights
        for half, part in network.parts.items()
        for layer in part.layers
        if layer.weights
    }


def assign(network: CsiAutoencoder, entries: list[Entry]) -> None:
    """Set every variable of the network, each once.

    Raises:
        ValueError: a shape or type does not fit, a tensor has no place, or a variable
            gets none. Variables before the failing one are set.
    """
    weights = _weights(network)
    left = {(path, i) for path, layer in weights.items() for i in range(len(layer))}
    for key, place, value in entries:
        if place not in left:
            raise ValueError(f"{key}: the network has no {place[0]} for it")
        left.remove(place)
        variable = weights[place[0]][place[1]]
        expected = tuple(variable.shape)
        if value.shape != expected or value.dtype.kind != "f":
            raise ValueError(
                f"{key} is {value.dtype} {value.shape} in our axes, "
                f"{place[0]} expects floating-point {expected}"
            )
        if not np.isfinite(value).all():
            raise ValueError(f"{key} holds NaN or Inf, expected finite weights")
        variable.assign(value.astype("float32"))
    if left:
        raise ValueError(f"the file has nothing for {_some({p for p, _ in left})}")
