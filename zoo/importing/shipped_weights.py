"""Weights into a network (`--weights`), and weights shipped with the zoo."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from zoo import files, registry
from zoo.codeword import network_record
from zoo.codeword.network import load_weights
from zoo.config import OWN, ExperimentConfig
from zoo.config_checks import is_reference
from zoo.importing import weights_by_name
from zoo.keras_compat import set_precision
from zoo.models.autoencoder import CsiAutoencoder
from zoo.run_directory import MAY_CHANGE, RunDirectory

SAME = (
    "model", "model_args", "codeword_dim", "quantizer", "quantizer_args", "bits",
    "normaliser", "receiver",
)  # fmt: skip
LARGEST_BYTES = 5_000_000
PLACES = ("run", "json", *MAY_CHANGE)  # flags that name folders of one machine
CARD = """# {name}

{model} with a codeword of {codeword_dim} real values (ratio {ratio:g}) for
`{dataset}/{dataset_config}`, trained by this project (no weights of others).

| | |
|---|---|
| NMSE, {num_test:,} test examples | **{nmse_db:.2f} dB** |
| linear KLT of the same length | {nmse_pca_db:.2f} dB |
| rho, SGCS (125 subcarriers) | {rho:.4f}, {sgcs:.4f} |
| training | {epochs} epochs of {num_train:,}, batch {batch_size}, seed {seed}, \
`--init={init}`, {hours:.2f} hours on {train_device} |
| commit of the training | {train_commit} |
| UE, BS | {ue_params:,}, {bs_params:,} parameters; \
{ue_macs:,}, {bs_macs:,} MACs |
| weights | sha256 {weights_sha256} |
| licence | Apache-2.0, as the project |

Use: `python -m zoo.export --weights={name} --quantizer=uniform --bits=4 --out=DIR`, or
`python -m zoo.train --weights={name} --model={model} \
--codeword_dim={codeword_dim} ...`.
For simulated channels of this kind and scaling only; others need training of their own.
All figures: `card.json`.
"""


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
        load_weights(model.trained, run.weights)
        return run.weights
    path = weights_by_name.locate(settings.weights, settings.weights_sha256)
    if path.is_dir():
        run = RunDirectory(path)
        take_parts(run, settings, model)
        set_precision(settings.precision)  # the other run was loaded in float32
        return run.weights
    load_weights(model.trained, path)
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


def ship(run: RunDirectory, name: str) -> RunDirectory:
    """Copy what is needed of an evaluated run to the shipped weights.

    Raises:
        FileNotFoundError: the run was not evaluated.
        ValueError: the weights are of others or too large, the network or quantiser
            is not of the zoo, or the evaluation is not of these weights.
    """
    if (run.path / "source.json").is_file():
        raise ValueError(
            f"{run.path} holds converted weights of others: they cannot be shipped "
            "under the licence of this project"
        )
    _check_of_the_zoo(run.config())
    row = files.read_json(run.path / "evaluation.json")
    evaluated_on = f"{row['dataset']}/{row['dataset_config']}"
    if evaluated_on != run.config().dataset:
        raise ValueError(
            f"{run.path}: evaluation.json is of {evaluated_on}, the run of "
            f"{run.config().dataset}; run python -m zoo.evaluate --run={run.path} again"
        )
    if row["weights_sha256"] != files.sha256(run.weights):
        raise ValueError(
            f"{run.path}: evaluation.json is of other weights; run python -m "
            f"zoo.evaluate --run={run.path} again"
        )
    size = run.weights.stat().st_size
    if size > LARGEST_BYTES:
        raise ValueError(
            f"{run.weights}: {size:,} bytes, expected at most {LARGEST_BYTES:,}"
        )
    target = RunDirectory(weights_by_name.SHIPPED / name)
    target.path.mkdir(parents=True, exist_ok=True)
    default = ExperimentConfig()
    config = dataclasses.replace(
        run.config(), **{key: getattr(default, key) for key in MAY_CHANGE}
    )
    files.write_json(target.path / "config.json", config.to_json())
    files.write_text(target.path / "flags.cfg", config.to_flags())
    record = run.path / network_record.NAME
    for source in (run.weights, run.metrics, run.data, record):
        if source.is_file():
            shutil.copyfile(source, target.path / source.name)
    environment = files.read_json(run.path / "env.json")
    files.write_json(target.path / "env.json", _without_places(environment))
    row = _without_places(row)
    row["flags_sha256"] = files.sha256(target.path / "flags.cfg")
    files.write_json(target.path / "card.json", row)
    text = CARD.format(name=name, hours=row["train_seconds"] / 3600, **row)
    files.write_text(target.path / "README.md", text)
    return target


def _check_of_the_zoo(config: ExperimentConfig) -> None:
    """Refuse a network or quantiser that nobody else has."""
    for flag in OWN:
        name = getattr(config, flag)
        if is_reference(name) or (flag == "model" and name not in registry.MODELS):
            raise ValueError(
                f"--{flag}={name} is code of your own: only networks and quantisers of "
                "the zoo are shipped with it; publish the run instead, see "
                "docs/training/weights.md"
            )


def _without_places(values: dict) -> dict:
    """Provenance whose command names no folders of the machine."""
    places = tuple(f"--{flag}=" for flag in PLACES)
    words = values["command"].split()
    kept = " ".join(word for word in words if not word.startswith(places))
    return values | {"command": kept}
