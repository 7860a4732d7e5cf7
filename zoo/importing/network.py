"""Published weights as a network of the zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from zoo import registry
from zoo.importing import sources, tensor_matching
from zoo.importing.weight_maps import CODEWORD, PYTORCH
from zoo.models.autoencoder import CsiAutoencoder

CSI_SHAPE = (32, 32, 2)
KERAS = ("csinet", "cs_csinet")
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
    """

    model: str
    network: CsiAutoencoder
    codeword_dim: int
    model_args: dict[str, Any]
    entries: list[tensor_matching.Entry]
    ignored: list[str]
    match: str
    paths: list[Path]


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
        registry.build(model, CSI_SHAPE, 32, args)
    if model in KERAS:
        return _import_keras(model, paths, args, matrix)
    if model not in PYTORCH:
        known = ", ".join(sorted([*KERAS, *PYTORCH]))
        raise ValueError(f"--model={model}: published weights are known for {known}")
    return _import_pytorch(model, paths, args, match)


def _import_pytorch(model, paths, args, match: str) -> Imported:
    public = PYTORCH[model]
    tensors, ignored = sources.read_pytorch(paths, public)
    if match == "order":
        tensors = tensor_matching.rename_by_order(tensors, public.places(args))
    args = public.options(tensors) | args
    places = public.places(args)
    entries = tensor_matching.pytorch_entries(
        tensors, places, public.channels_first, CSI_SHAPE
    )
    (codeword_dim,) = [e.value.size for e in entries if e.place == (CODEWORD, 1)]
    network = registry.build(model, CSI_SHAPE, codeword_dim, args)
    tensor_matching.assign(network, entries)
    return Imported(model, network, codeword_dim, args, entries, ignored, match, paths)


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
