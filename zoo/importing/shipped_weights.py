"""Weights into a network (`--weights`), those shipped with the zoo among them."""

from __future__ import annotations

from pathlib import Path

from zoo import registry
from zoo.codeword import weights_file
from zoo.config import ExperimentConfig
from zoo.importing import weights_by_name
from zoo.keras_compat import set_precision
from zoo.models.autoencoder import CsiAutoencoder
from zoo.run_directory import RunDirectory

SAME = (
    "model", "model_args", "codeword_dim", "quantizer", "quantizer_args", "bits",
    "normaliser", "receiver",
)  # fmt: skip


def find(settings: ExperimentConfig) -> RunDirectory:
    """Shipped weights of a configuration's network; for its data set where several fit.

    Raises:
        ValueError: none, or several of which none is for its data set.
    """
    shipped = [RunDirectory(path) for path in weights_by_name.shipped().values()]
    fitting = [
        run
        for run in shipped
        if all(getattr(run.config(), k) == getattr(settings, k) for k in SAME)
    ]
    same_data = [r for r in fitting if r.config().dataset == settings.dataset]
    for candidates in (same_data, fitting):
        if len(candidates) == 1:
            return candidates[0]
    wanted = ", ".join(f"--{name}={getattr(settings, name)}" for name in SAME)
    names = ", ".join(sorted(run.path.name for run in fitting or shipped)) or "none"
    raise ValueError(
        f"--weights=pretrained: {len(fitting)} fit {wanted} (there are: {names}); give "
        "a file or other flags"
    )


def load(settings: ExperimentConfig, model: CsiAutoencoder) -> Path:
    """Load the weights that `--weights` names into a network.

    Of a run directory (another stage of the same training, for one) each part that
    both networks have is taken: encoder, receiver, decoder, a grid of the same kind;
    of a network that this one continues, the layers that both have.

    Returns:
        The file.

    Raises:
        FileNotFoundError: no such file, run or name.
        OSError: weights from elsewhere could not be fetched.
        ValueError: nothing shipped fits, or the file is damaged or of another network.
    """
    if settings.weights == "pretrained":
        run = find(settings)
        weights_by_name.verify(run.path, settings.weights_sha256)
        weights_file.load(model.trained, run.weights)
        return run.weights
    path = weights_by_name.locate(settings.weights, settings.weights_sha256)
    if path.is_dir():
        run = RunDirectory(path)
        take_parts(run, settings, model)
        set_precision(settings.precision)  # the other run was loaded in float32
        return run.weights
    weights_file.load(model.trained, path)
    return path


def _take_layers(source: CsiAutoencoder, model: CsiAutoencoder) -> None:
    """Copy the weights of layers that both networks have by name and shape."""
    for name, part in model.parts.items():
        given = {layer.name: layer.weights for layer in source.parts[name].layers}
        for layer in part.layers:
            theirs = given.get(layer.name, [])
            if [w.shape for w in theirs] == [w.shape for w in layer.weights]:
                for ours, value in zip(layer.weights, theirs, strict=True):
                    ours.assign(value)


def take_parts(
    run: RunDirectory, settings: ExperimentConfig, model: CsiAutoencoder
) -> None:
    """Copy the weights of a run to the parts that a network has in common with it.

    Args:
        run: the run.
        settings: configuration of the network.
        model: the network, whose weights are set.

    Raises:
        ValueError: a part of that name is another one.
    """
    source = run.load(model.encoder.input.shape[1:])
    if run.config().model == registry.get(settings.model).continues:
        _take_layers(source, model)
        return
    for name, part in model.parts.items():
        if name not in source.parts:
            continue
        given, wanted = source.parts[name].weights, part.weights
        if [tuple(w.shape) for w in given] != [tuple(w.shape) for w in wanted]:
            raise ValueError(
                f"--weights={run.path}: its {name} is of another network or codeword "
                f"path ({run.config().model}, quantizer {run.config().quantizer})"
            )
        for ours, theirs in zip(wanted, given, strict=True):
            ours.assign(theirs)
    _take_grid(source.quantizer, model.quantizer)


def _take_grid(source, quantizer) -> None:
    """Copy a fitted grid between quantisers of one kind; others are fitted anew."""
    if (
        source is None
        or quantizer is None
        or source.get_config() != (quantizer.get_config())
    ):
        return
    for ours, theirs in zip(quantizer.weights, source.weights, strict=True):
        ours.assign(theirs)
