"""Sets of weights that come with the zoo: made of the runs of one training's seeds.

A set is a small run directory in `zoo/weights` with a card: what its weights reach as
they are stored, what they reach through fitted grids of some bits, and what the linear
KLT and codecs without a network do. Kernels are stored in float16 where that costs
less than `HALF_COST_DB`.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tfds_builders import durable
from zoo import files, registry
from zoo.codeword import network_record, weights_file
from zoo.config import MAY_CHANGE, OWN, ExperimentConfig
from zoo.config_checks import is_reference
from zoo.exporting import fit_quantizer, kept_grids, weight_cards
from zoo.importing import weights_by_name
from zoo.metrics import metrics_file
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

LARGEST_BYTES = 5_000_000  # of a set's weights
HALF_COST_DB = 0.01
BITS = (4, 6)
PLACES = ("run", "json", *MAY_CHANGE)  # flags that name folders of one machine


def ship(
    runs: list[RunDirectory], name: str, classic: Callable = lambda data, bits: None
) -> RunDirectory:
    """Make a set of the run that is best by validation.

    Args:
        runs: evaluated, of one training with different seeds; their data set is read.
        name: of the set.
        classic: NMSE [dB] of the best codec without a network on a data set
            'name/config' when no report exceeds so many bits, None where unknown.

    Returns:
        The set.

    Raises:
        FileNotFoundError: a run was not evaluated.
        ValueError: the weights are of others or too large, the network or quantiser is
            not of the zoo, an evaluation is not of these weights, or the runs differ in
            more than their seed.
    """
    rows = [_checked(run) for run in runs]
    _check_seeds(runs)
    reached = [
        metrics_file.error(metrics_file.best(run.read_metrics())) for run in runs
    ]
    best = int(np.argmin(reached))
    run, row = runs[best], rows[best]
    target = RunDirectory(weights_by_name.SHIPPED / name)
    made = RunDirectory(target.path.with_name(f".partial-{name}"))
    shutil.rmtree(made.path, ignore_errors=True)
    try:
        _copy(run, made)
        card = _measured(made, row, classic)
        card["nmse_db_by_seed"] = {str(r["seed"]): r["nmse_db"] for r in rows}
        _without_folders(made, card)
        files.write_text(made.path / "README.md", weight_cards.text(name, card))
        weights_file.seal(made.weights)
        shutil.rmtree(target.path, ignore_errors=True)
        durable.replace(made.path, target.path)
    finally:
        shutil.rmtree(made.path, ignore_errors=True)
    return target


def _measured(made: RunDirectory, row: dict, classic: Callable) -> dict:
    """Card of a set whose weights are stored here as they were trained."""
    exact_db = row["nmse_db"]
    whole = made.weights.read_bytes()
    halve(made.weights)
    card, _, _ = evaluation.evaluate(made)
    if abs(card["nmse_db"] - exact_db) >= HALF_COST_DB:
        made.weights.write_bytes(whole)
        card, _, _ = evaluation.evaluate(made)
    size = made.weights.stat().st_size
    if size > LARGEST_BYTES:
        raise ValueError(
            f"{made.path.name}: {size:,} bytes of weights, expected at most "
            f"{LARGEST_BYTES:,}"
        )
    return {**card, "nmse_float32_db": exact_db, "grids": _grids(made, card, classic)}


def _grids(made: RunDirectory, card: dict, classic: Callable) -> dict:
    """NMSE through fitted grids by bits, which are kept; none with a quantiser."""
    settings = made.config()
    if settings.bits or settings.receiver != "none":
        return {}
    kept, found = {}, {}
    data = f"{card['dataset']}/{card['dataset_config']}".partition(":")[0]
    for bits in BITS:
        wanted = fit_quantizer.quantised(settings, "uniform", bits)
        model, fit = fit_quantizer.fitted_model(made, wanted)
        kept[bits] = kept_grids.kept(model, fit)
        total = bits * card["codeword_dim"]
        found[bits] = {
            "feedback_bits": total,
            "nmse_db": fit_quantizer.tested_nmse_db(model, wanted),
            "classic_db": classic(data, total),
        }
    files.write_json(made.path / kept_grids.GRIDS, kept)
    return found


def halve(path: Path) -> None:
    """Store the kernels of a weights file in float16; vectors stay as they are."""
    with files.atomic_path(path) as temporary:
        files.require_room(temporary, path.stat().st_size)
        with h5py.File(path) as source, h5py.File(temporary, "w") as target:

            def copy(name: str, item) -> None:
                if isinstance(item, h5py.Group):
                    made = target.require_group(name)
                else:
                    kernel = item.ndim > 1 and item.dtype == np.float32
                    data = item[()].astype(np.float16) if kernel else item[()]
                    made = target.create_dataset(name, data=data)
                made.attrs.update(item.attrs)

            source.visititems(copy)


def _copy(run: RunDirectory, made: RunDirectory) -> None:
    """What a set keeps of a run."""
    made.path.mkdir(parents=True)
    record = run.path / network_record.NAME
    named = [run.path / name for name in ("config.json", "flags.cfg", "env.json")]
    for source in (run.weights, run.metrics, run.data, record, *named):
        if source.is_file():
            shutil.copyfile(source, made.path / source.name)


def _without_folders(made: RunDirectory, card: dict) -> None:
    """Write what names folders of one machine again, without them, and the card."""
    default = ExperimentConfig()
    plain = {key: getattr(default, key) for key in MAY_CHANGE}
    config = dataclasses.replace(made.config(), **plain)
    files.write_json(made.path / "config.json", config.to_json())
    files.write_text(made.path / "flags.cfg", config.to_flags())
    environment = files.read_json(made.path / "env.json")
    files.write_json(made.path / "env.json", _without_places(environment))
    card["flags_sha256"] = files.sha256(made.path / "flags.cfg")
    files.write_json(made.path / weights_by_name.CARD, _without_places(card))


def _checked(run: RunDirectory) -> dict:
    """Evaluation of a run that may be shipped."""
    if (run.path / "source.json").is_file():
        raise ValueError(
            f"{run.path} holds converted weights of others: they cannot be shipped "
            "under the licence of this project"
        )
    _check_of_the_zoo(run.config())
    if run.config().loss == "sgcs":
        raise ValueError(
            f"{run.path}: --loss=sgcs, and cards of shipped weights are of NMSE; "
            "publish the run instead, see docs/training/weights.md"
        )
    row = files.read_json(run.path / "evaluation.json")
    again = f"run python -m zoo.evaluate --run={run.path} again"
    evaluated_on = f"{row['dataset']}/{row['dataset_config']}"
    if evaluated_on != run.config().dataset:
        raise ValueError(
            f"{run.path}: evaluation.json is of {evaluated_on}, the run of "
            f"{run.config().dataset}; {again}"
        )
    if row["weights_sha256"] != files.sha256(run.weights):
        raise ValueError(f"{run.path}: evaluation.json is of other weights; {again}")
    return row


def check_clean(runs: list[RunDirectory]) -> None:
    """Refuse runs whose code nobody can look up.

    Raises:
        ValueError: one was trained with changes that were not committed.
    """
    for run in runs:
        commit = files.read_json(run.path / "env.json")["commit"]
        if not commit or commit.endswith("-dirty"):
            raise ValueError(
                f"{run.path}: trained at commit {commit}, expected a clean checkout; "
                "train it again from one"
            )


def _check_seeds(runs: list[RunDirectory]) -> None:
    own = {key: None for key in (*MAY_CHANGE, "seed")}
    plain = [run.config().to_json() | own for run in runs]
    seeds = [run.config().seed for run in runs]
    if any(config != plain[0] for config in plain) or len({*seeds}) < len(seeds):
        names = ", ".join(str(run.path) for run in runs)
        raise ValueError(f"{names}: expected runs that differ in their seed alone")


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
