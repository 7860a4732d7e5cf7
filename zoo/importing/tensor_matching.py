"""Tensors of published files into a network of the zoo: match, permute, assign."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo.importing.public_network import CODEWORD, EXPAND, Places, PublicNetwork
from zoo.importing.sources import Tensors
from zoo.models.autoencoder import CsiAutoencoder


class Entry(NamedTuple):
    """A tensor of the file, in our axes, and its place (see `weight_maps`)."""

    key: str
    place: tuple[str, int]
    value: np.ndarray


def rename_by_order(tensors: Tensors, places: Places) -> Tensors:
    """Give tensors the public names by their order; only the last word must agree.

    Convolutions may all have a bias, see `fold_biases`.

    Raises:
        ValueError: another number of tensors, or another kind (weight, bias, ...).
    """
    names = list(places)
    if len(tensors) == len(places) + len(_biases(places)):
        names = [n for key in places for n in (key, _bias(key, places)) if n]
    if len(tensors) != len(names):
        raise ValueError(
            f"--match=order: the file has {len(tensors)} tensors, the published "
            f"network {len(names)}"
        )
    for key, name in zip(tensors, names, strict=True):
        if _kind(key) != _kind(name):
            raise ValueError(f"--match=order: {key} stands where {name} is expected")
    return dict(zip(names, tensors.values(), strict=True))


def _bias(key: str, places: Places) -> str:
    """Name of a convolution's bias that the published network has not; '': it has."""
    path, index = places[key]
    name = f"{key.removesuffix('weight')}bias"
    normed = path.endswith("_conv") and index == 0 and name not in places
    return name if normed and key.endswith(".weight") else ""


def _biases(places: Places) -> dict[str, str]:
    """Name of the bias and of the mean of the batch norm behind it."""
    means = {path: key for key, (path, index) in places.items() if index == 2}
    found = {}
    for key, (path, _) in places.items():
        mean = means.get(f"{path.removesuffix('_conv')}_bn")
        if mean and _bias(key, places):
            found[_bias(key, places)] = mean
    return found


def fold_biases(tensors: Tensors, places: Places) -> tuple[Tensors, list[str]]:
    """Take biases that only a variant of the published network has into batch norm.

    Batch norm takes its mean off: with x + b for x, that of x is smaller by b.

    Returns:
        The tensors without these biases, and their names.
    """
    folded = {}
    for bias, mean in _biases(places).items():
        shapes = [np.shape(tensors.get(name)) for name in (bias, mean)]
        if bias in tensors and mean in tensors and shapes[0] == shapes[1]:
            folded[bias] = {mean: tensors[mean] - tensors[bias]}
    left = {key: value for key, value in tensors.items() if key not in folded}
    for means in folded.values():
        left |= means
    return left, list(folded)


def _kind(key: str) -> str:
    return key.replace("/", ".").rsplit(".", 1)[-1]


def ambiguous(entries: list[Entry]) -> int:
    """Number of tensors that have a twin of the same kind and shape."""
    seen = [(_kind(entry.key), entry.value.shape) for entry in entries]
    return sum(seen.count(signature) > 1 for signature in seen)


def entries(
    tensors: Tensors, public: PublicNetwork, args: dict, csi_shape
) -> list[Entry]:
    """Match by name and bring all tensors into our axes.

    Raises:
        ValueError: a tensor is missing in the file, or unused.
    """
    places = public.places(args)
    missing, unused = set(places) - set(tensors), set(tensors) - set(places)
    if missing or unused:
        raise ValueError(
            f"the file lacks {_some(missing)} and has {_some(unused)}, which the "
            "published network has not; for other names in the same order give "
            "--match=order"
        )
    found = []
    for key, (path, index) in places.items():
        value = tensors[key]
        if not value.size:
            raise ValueError(f"{key} is empty, {value.shape}")
        if public.pytorch_axes:
            value = _from_pytorch(value, path)
        if public.channels_first:
            value = channels_last(value, path, csi_shape)
        found.append(Entry(key, (path, index), value))
    return found


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
            value = channels_last(value, place[0], csi_shape)
        entries.append(Entry(key, place, value))
    return entries


def channels_last(value: np.ndarray, path: str, csi_shape) -> np.ndarray:
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
    """Half and layer to variables, in the order of computation, trainable ones first.

    A variable that several layers share belongs to the first of them.
    """
    found: dict[str, list] = {}
    seen: set[int] = set()
    for half, part in network.parts.items():
        for layer in part.layers:
            variables = [*layer.trainable_weights, *layer.non_trainable_weights]
            own = [v for v in variables if id(v) not in seen]
            seen |= set(map(id, own))
            if own:
                found[f"{half}/{layer.name}"] = own
    return found


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
