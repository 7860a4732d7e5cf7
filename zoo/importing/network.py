"""Published weights as a network of the zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo import registry
from zoo.importing import fista_map, kinds, sources, tensor_matching, tf_checkpoint
from zoo.importing.public_network import PublicNetwork
from zoo.importing.weight_maps import PYTORCH
from zoo.models.autoencoder import CsiAutoencoder

CSI_SHAPE = (32, 32, 2)
KERAS = ("csinet", "cs_csinet")
TENSORFLOW = {"fista_net": fista_map.PUBLIC}
MATCH = ("name", "order")


class Imported(NamedTuple):
    """An imported network.

    Attributes:
        model: registry name.
        network: the network with the published weights.
        codeword_dim: codeword length M.
        model_args: options of the network.
        entries: the tensors.
        ignored: names in the files that are no weights.
        match: how the tensors were found, by 'name' or 'order'.
        paths: the files.
        folded: biases of convolutions that became part of a batch norm.
    """

    model: str
    network: CsiAutoencoder
    codeword_dim: int
    model_args: dict[str, Any]
    entries: list[tensor_matching.Entry]
    ignored: list[str]
    match: str
    paths: list[Path]
    folded: Sequence[str] = ()


def import_network(
    model: str,
    paths: list[Path],
    model_args: dict | None = None,
    match: str = "name",
    matrix: Path | None = None,
) -> Imported:
    """Build a network with published weights.

    Args:
        model: registry name.
        paths: the file, or the encoder's and the decoder's.
        model_args: options of the network, instead of what the tensors show.
        match: PyTorch tensors are matched by 'name', or by 'order' for files with other
            names; a Keras file always by order.
        matrix: CS-CsiNet's measurement matrix, `[M, 2048]`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: nothing published for this network, a damaged or malicious file, or
            tensors that do not fit the network exactly.
    """
    args = dict(model_args or {})
    if args:  # names the option that is wrong, before any tensor
        registry.build(model, CSI_SHAPE, registry.get(model).codeword_dims[-1], args)
    for path in paths:
        kinds.expect(path, _file_of(model), model)
    if model in KERAS:
        return _import_keras(model, paths, args, matrix)
    if model in TENSORFLOW:
        return _import_tensorflow(model, paths, args, match)
    return _import_pytorch(model, paths, args, match)


def _file_of(model: str) -> str:
    """Kind of file in which a network is published."""
    kind = dict.fromkeys(PYTORCH, kinds.PYTORCH) | dict.fromkeys(KERAS, kinds.KERAS)
    kind |= dict.fromkeys(TENSORFLOW, kinds.CHECKPOINT)
    if model not in kind:
        known = ", ".join(sorted(kind))
        raise ValueError(f"--model={model}: published weights are known for {known}")
    return kind[model]


def public_network(model: str) -> PublicNetwork | None:
    """The published network of a name whose tensors have names of their own."""
    return PYTORCH.get(model) or TENSORFLOW.get(model)


def _import_pytorch(model, paths, args, match: str) -> Imported:
    public = PYTORCH[model]
    tensors, ignored = sources.read_pytorch(paths, public)
    public = public.of(tensors)
    if match == "order":
        tensors = tensor_matching.rename_by_order(tensors, public.places(args))
    return _by_name(model, public, tensors, ignored, args, match, paths)


def _import_tensorflow(model, paths, args, match: str) -> Imported:
    if len(paths) != 1 or match != "name":
        raise ValueError(
            "a TensorFlow checkpoint is one --source, matched by name; got "
            f"{len(paths)} and --match={match}"
        )
    tensors, ignored = tf_checkpoint.read(paths[0])
    read = tf_checkpoint.find(paths[0])
    public = TENSORFLOW[model]
    return _by_name(model, public, tensors, ignored, args, match, read)


def _by_name(model, public, tensors, ignored, args, match: str, paths) -> Imported:
    args = public.options(tensors) | args
    unused = [key for key in tensors if key.startswith(public.unused(args))]
    tensors = {key: value for key, value in tensors.items() if key not in unused}
    tensors, folded = tensor_matching.fold_biases(tensors, public.places(args))
    entries = tensor_matching.entries(tensors, public, args, CSI_SHAPE)
    codeword_dim = public.codeword_dim({e.place: e.value for e in entries})
    network = registry.build(model, CSI_SHAPE, codeword_dim, args)
    tensor_matching.assign(network, entries)
    ignored = [*ignored, *unused]
    return Imported(
        model, network, codeword_dim, args, entries, ignored, match, paths, folded
    )


def _import_keras(model, paths, args, matrix: Path | None) -> Imported:
    if len(paths) != 1 or (matrix is not None) != (model == "cs_csinet"):
        raise ValueError(
            "a Keras file is one --source; --matrix=FILE (A, [M, 2048]) belongs to "
            "cs_csinet, and to it alone"
        )
    tensors = sources.read_h5(paths[0])
    kernels = [t for k, t in tensors.items() if k.endswith("/kernel") and t.ndim == 2]
    gammas = {t.size for key, t in tensors.items() if key.endswith("/gamma")}
    if not kernels or not gammas:
        raise ValueError(f"{paths[0]}: has no dense layer or no batch norm")
    # The authors' first models have a statistic per delay in every layer.
    args = {"bn": "delay" if len(gammas) == 1 else "channel"} | args
    codeword_dim = kernels[-1].shape[0]
    read = list(paths)
    if matrix is not None:
        read.append(matrix)
        tensors = {"matrix/kernel": sources.read_matrix(matrix).T, **tensors}
    network = registry.build(model, CSI_SHAPE, codeword_dim, args)
    # The authors' retraining with batch norm per channel is channels-last throughout.
    channels_first = args["bn"] == "delay"
    entries = tensor_matching.h5_entries(tensors, network, channels_first, CSI_SHAPE)
    tensor_matching.assign(network, entries)
    return Imported(model, network, codeword_dim, args, entries, [], "order", read)
