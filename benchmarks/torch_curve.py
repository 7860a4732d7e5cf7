"""The same training of CRNet by the zoo and by PyTorch: curves and final NMSE.

    python -m benchmarks.torch_curve --seeds=3 --json=zoo/results/torch_curve.json

Both sides get the same arrays, epochs, batch size, rates and seed numbers. Everything
else is made twice: network, random weights, order of the examples, schedule, Adam,
choice of the best epoch on the validation split, and NMSE are the zoo's on one side and
`benchmarks.torch_train`'s on the other.

The weights start as the paper has them, but for three batch norms of the decoder, see
SCALES. CSI deviates from 0.5 by 0.02, the paper's start by ten times as much: within
minutes the network only learns to be silent, which no two implementations differ in.

Keras adds Adam's epsilon before the bias correction and PyTorch behind it: epsilon e of
Keras is e / sqrt(1 - 0.999^t) of PyTorch at update t. RECIPE has one far below the
gradients, where this makes no difference.

Every run is made once and found again in --directory. FILE.json gets a plot beside it.
"""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from tfds_builders import cli
from zoo import files
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.experiments.pool import PendingRow, Pool
from zoo.experiments.runner import Runner, settings_of
from zoo.keras_compat import keras
from zoo.metrics.plots import legend_above, plt, save
from zoo.run_directory import RunDirectory
from zoo.steps import step

FLAGFILE = Path(__file__).parents[1] / "zoo" / "flagfiles" / "crnet.cfg"
RECIPE = (
    "--dataset=cost2100_sim/indoor_quick --codeword_dim=128 --epochs=6 "
    "--batch_size=25 --lr=2e-3 --lr_min=1e-6 --warmup_epochs=0.3 --adam_epsilon=1e-12 "
    "--image_every=0"
)
# Initial scales: residual branches begin silent, what they are added to at CSI's level.
SCALES = {"head1": 0.1, "block1_merge": 0.0, "block2_merge": 0.0}
CSI_SHAPE = (32, 32, 2)
SYSTEMS = ("zoo", "torch")
SPLITS = ("train", "validation", "test")
CLOSE_DB = 0.5
MAY_DIFFER = {
    "dataset", "data_dir", "manual_dir", "num_train", "num_validation", "num_test",
    "codeword_dim", "epochs", "batch_size", "lr", "lr_min", "warmup_epochs",
    "adam_epsilon", "run_dir", "cpu_step", "image_every",
}  # fmt: skip
PROVENANCE = (
    "run", "nmse_db", "best_epoch", "train_seconds", "nmse_pca_db", "weights_sha256",
    "commit", "device", "date",
)  # fmt: skip


def check(settings: ExperimentConfig) -> None:
    """Refuse what PyTorch's side does not know.

    Raises:
        ValueError: a flag that it would not follow, or fresh drops.
    """
    known, given = settings_of(FLAGFILE).to_json(), settings.to_json()
    others = [k for k in given if given[k] != known[k] and k not in MAY_DIFFER]
    if others:
        raise ValueError(
            f"--flags changes {', '.join(others)}, which PyTorch's side does not know: "
            f"leave it as in {FLAGFILE.name}"
        )
    if ":" in settings.dataset:
        raise ValueError(
            f"--dataset={settings.dataset}: both sides train on stored drops, drop "
            f"':{settings.dataset.partition(':')[2]}'"
        )


def stored_arrays(runner: Runner) -> Path:
    """File with the CSI of all splits for PyTorch's side, made where it is missing."""
    settings = runner.settings("data")
    path = Path(f"{settings.run_dir}.npz")
    if not path.is_file():
        arrays = {name: splits.load_split(settings, name).csi for name in SPLITS}
        with files.atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
    return path


def start(runner: Runner, seed: int) -> Path:
    """Weights that the zoo starts from: the paper's random ones with SCALES."""
    settings = runner.settings(f"start_s{seed}", seed=seed)
    path = Path(f"{settings.run_dir}.weights.h5")
    if not path.is_file():
        keras.utils.set_random_seed(seed)
        model = build_autoencoder(settings, CSI_SHAPE)
        for name, scale in SCALES.items():
            gamma = model.decoder.get_layer(f"{name}_bn").gamma
            gamma.assign(tf.fill(gamma.shape, scale))
        with files.atomic_path(path) as temporary:
            model.trained.save_weights(temporary)
    return path


def torch_row(runner: Runner, seed: int, arrays: Path) -> PendingRow:
    """Results row of a training by PyTorch, made where it was not before."""
    settings = runner.settings(f"torch_s{seed}", seed=seed)
    run = settings.resolved_run_dir
    log = runner.directory / f"{run.name}.log" if runner.pool.processes > 1 else None

    def make() -> dict:
        result = run / "evaluation.json"
        if not result.is_file():
            config = {**settings.to_json(), "scales": SCALES}
            files.write_json(run / "config.json", config)
            step("benchmarks.torch_train", run, arrays, log=log)
        return {**files.read_json(result), "run": run.name}

    return runner.pool.row(run.name, make)


def zoo_curve(runner: Runner, row: dict) -> list[dict]:
    """Record of each epoch of one of the zoo's runs."""
    return RunDirectory(runner.directory / row["run"]).read_metrics()


def make(runner: Runner, seeds: int) -> list[dict]:
    """All runs, those of a seed next to each other.

    Returns:
        Per run its system, seed, test NMSE, provenance, and validation NMSE by epoch,
        the first being that of the initial weights.

    Raises:
        ValueError: unusable settings, or a run failed (it has said why).
    """
    check(runner.settings("check"))
    arrays, pending = stored_arrays(runner), []
    for seed in range(seeds):
        weights = str(start(runner, seed))
        pending.append(runner.row(f"zoo_s{seed}", seed=seed, weights=weights))
        pending.append(torch_row(runner, seed, arrays))
    runs = []
    for i, row in enumerate(pending):
        values = row.result()
        curve = values.get("curve") or zoo_curve(runner, values)
        runs.append(
            {
                "system": SYSTEMS[i % 2],
                "seed": i // 2,
                **{key: values[key] for key in PROVENANCE if key in values},
                "val_nmse_db": [record["val_nmse_db"] for record in curve],
            }
        )
    return runs


def compare(runs: list[dict]) -> dict:
    """Means over seeds of each system and their difference, zoo less PyTorch."""
    test, curves = {}, {}
    for system in SYSTEMS:
        own = [run for run in runs if run["system"] == system]
        test[system] = float(np.mean([run["nmse_db"] for run in own]))
        curves[system] = np.mean([run["val_nmse_db"] for run in own], axis=0)
    difference = test["zoo"] - test["torch"]
    return {
        "nmse_db_mean": test,
        "difference_db": difference,
        "curve_difference_db": (curves["zoo"] - curves["torch"]).tolist(),
        "close_db": CLOSE_DB,
        "close": abs(difference) <= CLOSE_DB,
    }


def draw(runs: list[dict], target) -> None:
    """Validation NMSE against epochs, a line per run and a thick one for the mean."""
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for system, colour in zip(SYSTEMS, ("tab:blue", "tab:orange"), strict=True):
        curves = [r["val_nmse_db"] for r in runs if r["system"] == system]
        epochs = range(len(curves[0]))
        mean = np.mean(curves, axis=0)
        axis.plot(epochs, mean, color=colour, label=f"{system}, mean")
        for i, curve in enumerate(curves):
            label = "" if i else f"{system}, single seeds"
            axis.plot(epochs, curve, color=colour, linewidth=0.6, label=label)
    axis.set_xlabel("epoch")
    axis.set_ylabel("validation NMSE [dB]")
    legend_above(axis, title=f"{len(curves)} seeds")
    save(figure, target)


def write(result: dict, path: Path) -> None:
    """Print the comparison, write it as JSON and draw the curves beside it."""
    print(f"\n{'test NMSE [dB]':<16}{'zoo':>9}{'torch':>9}")
    own = {system: [] for system in SYSTEMS}
    for run in result["rows"]:
        own[run["system"]].append(run["nmse_db"])
    for seed, values in enumerate(zip(*own.values(), strict=True)):
        print(f"{f'seed {seed}':<16}{values[0]:>9.2f}{values[1]:>9.2f}")
    means = result["nmse_db_mean"]
    print(f"{'mean':<16}{means['zoo']:>9.2f}{means['torch']:>9.2f}")
    print(f"difference {result['difference_db']:.2f} dB, wanted at most {CLOSE_DB}")
    files.write_json(path, result)
    with files.atomic_path(path.with_suffix(".png")) as image:
        draw(result["rows"], image)
    print(f"result: {path}")


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("PyTorch is missing: pip install -e '.[bench]'")
    values = flags.FLAGS
    extra = f"{RECIPE} {values.flags}"
    runner = Runner(Path(values.directory), FLAGFILE, extra, Pool(values.processes))
    runs = make(runner, values.seeds)
    environment = files.environment()
    environment["versions"]["torch"] = metadata.version("torch")
    recipe = runner.settings("zoo").to_json()
    result = {
        "recipe": {k: v for k, v in recipe.items() if k not in ("seed", "run_dir")},
        "initial_scales": SCALES,
        **compare(runs),
        "rows": runs,
        **environment,
        "origin": "ours",
    }
    write(result, Path(values.json or runner.directory / "torch_curve.json"))


if __name__ == "__main__":
    flags.DEFINE_integer("seeds", 3, "seeds of every side, 0, 1, ...", 1)
    flags.DEFINE_integer("processes", 1, "runs at a time, each on its own cores", 1)
    flags.DEFINE_string("directory", "runs/torch_curve", "where the runs live")
    flags.DEFINE_string("flags", "", "changes of the recipe, as flags of zoo.train")
    flags.DEFINE_string("json", "", "result; empty: DIRECTORY/torch_curve.json")
    cli.run(main)
