"""A training from its configuration to its last epoch, resumed where it was killed."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfds_builders import locks
from zoo import registry
from zoo.config import ExperimentConfig
from zoo.data import estimation_noise, exchange, splits, training_source
from zoo.importing import shipped_weights
from zoo.keras_compat import keras, set_precision
from zoo.metrics import accuracy, metrics_file
from zoo.models.autoencoder import CsiAutoencoder
from zoo.run_directory import RunDirectory
from zoo.starts import by_name, klt_start
from zoo.starts import second_side as second_start
from zoo.training import distribution, second_side, statistics
from zoo.training.callbacks import Progress, TensorBoard
from zoo.training.trainer import build_network

QUANTIZER_EXAMPLES = 2000


def train(settings: ExperimentConfig) -> RunDirectory:
    """Train to the last epoch, resuming where a killed run stopped.

    Returns:
        The run directory: best weights (by validation NMSE, or SGCS where that is the
        loss), checkpoint, metrics.

    Raises:
        ValueError: bad configuration or data, another run in the directory, or a loss
            that is no longer finite.
        OSError: another training is at work in the directory, or a file cannot be
            written; what was there before is kept.
    """
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    settings = exchange.filled(settings)
    run = RunDirectory(settings.resolved_run_dir)
    settings = run.taken_up(settings)
    strategy = distribution.make_strategy(settings)
    worker = distribution.worker_index(settings)
    network, source = check(settings, strategy)
    steps, batches_from = training_source.training_source(settings)
    validation = splits.load_split(settings, "validation")
    shape = validation.csi.shape[1:]
    own = run.worker(worker) if worker else run
    with locks.alone(own.path):
        if worker == 0:
            RunDirectory.create(settings, shape)
        ratio = estimation_noise.ratio(
            settings, "train", shape[1], validation.num_subcarriers
        )
        trainer = second_side.TRAINERS[settings.collaboration](
            settings, strategy, shape, steps, ratio, network
        )
        progress = run.restore_checkpoint(trainer.variables)
        if progress:
            run.check_data(splits.read_from(settings))
        run = own
        distribution.check_same_epoch(strategy, progress["epoch"] if progress else 0)
        run.rewind_metrics(progress["epoch"] if progress else -1)
        state = progress or _start(trainer, run, validation, source, chief=worker == 0)
        if not settings.dense_rate:
            trainer.set_dense_rate(state["dense_rate"])
        if statistics.are_estimated(settings, steps):
            trainer.estimate_statistics_on(statistics.fixed_batches(settings, steps))
        begin = state["epoch"]
        with (
            batches_from(begin) as batches,
            Progress(settings.epochs, steps, begin) as seen,
        ):
            _run_epochs(
                trainer, run, batches, validation, state, steps, seen, worker == 0
            )
    if settings.strategy == "multi_worker":
        print(f"weights sha256 {trainer.weights_sha256()}")  # the same on all workers
    return run


def check(
    settings: ExperimentConfig, strategy: tf.distribute.Strategy, weights: bool = True
) -> tuple[CsiAutoencoder, Path | None]:
    """Refuse what cannot be trained before there are data, or files are written.

    Args:
        settings: of the run.
        strategy: owner of the variables.
        weights: whether those that `--weights` names are there yet.

    Returns:
        The network, with the weights that `--weights` names where the run begins, and
        the file that they are from.

    Raises:
        ValueError: data, network, codeword path, start or run directory do not fit.
        OSError: there are no such weights, or the directory cannot be written.
    """
    settings = exchange.filled(settings)
    run, spec = RunDirectory(settings.resolved_run_dir), registry.get(settings.model)
    shape = splits.check(settings)
    run.check(settings)
    set_precision(settings.precision)
    keras.utils.set_random_seed(settings.seed)  # data that are built draw, too
    network = build_network(settings, strategy, shape)
    if settings.exchange:
        second_side.check(network, exchange.read_all(settings))
    if settings.init != "paper" and settings.exchange:
        second_start.check(spec, network)
    elif settings.init != "paper":
        by_name.check(spec, network, settings.init == "klt_exact")
    if settings.weights and weights and not run.checkpoint.exists():
        return network, shipped_weights.load(settings, network)
    return network, None


def _start(trainer, run, validation, source, chief: bool) -> dict:
    """Progress before the first epoch; initial weights other than the paper's."""
    state = {"epoch": 0, "best_db": math.inf, "seconds": 0, "cpu_seconds": 0}
    began, cpu = time.monotonic(), time.process_time()
    if chief:
        run.record_data(splits.read_from(trainer.settings), source)
    source = source or _initialise(trainer)
    _fit_quantizer(trainer)
    if source is None:
        return state
    state["seconds"] = time.monotonic() - began
    state["cpu_seconds"] = time.process_time() - cpu
    state["best_db"], h_hat = trainer.validate(validation)
    # Of two digits: workers validate apart, and must not differ by rounding errors.
    state["dense_rate"] = float(f"{min(1.0, 10 ** (state['best_db'] / 20)):.2g}")
    validated = _validated(trainer.settings, validation, h_hat)
    print(
        f"initial weights from {source}: val {metrics_file.reached(validated)} "
        f"({state['seconds']:.0f} s)",
        flush=True,
    )
    if chief:
        run.save_weights(trainer.model)
        run.append_metrics(_record(trainer, state, state["best_db"], validated))
    return state


def _initialise(trainer):
    """Fit the initial weights where that is asked for; returns to what."""
    settings = trainer.settings
    if settings.init == "paper":
        return None
    spec = registry.get(settings.model)
    if settings.exchange:
        csi, codeword = exchange.examples(settings, "train", klt_start.EXAMPLES)
        encoder = settings.collaboration == "nw_first"
        second_start.fit(spec, trainer.model, csi, codeword, encoder)
        return f"{len(csi)} pairs of CSI and codeword"
    csi = training_source.training_examples(settings, klt_start.EXAMPLES)
    exact = settings.init == "klt_exact"
    by_name.fit(spec, trainer.model, csi, exact)
    return f"{len(csi)} examples"


def _fit_quantizer(trainer) -> None:
    """Fit a quantiser's grid to codewords, where it has one that is not fitted."""
    quantizer = trainer.model.quantizer
    if getattr(quantizer, "needs_fit", False):
        csi = training_source.training_examples(trainer.settings, QUANTIZER_EXAMPLES)
        codeword = trainer.codewords(csi)
        quantizer.fit(codeword)
        if hasattr(quantizer, "magnitudes"):
            magnitude = np.linalg.norm(csi - np.float32(0.5), axis=-1)
            magnitude = magnitude.reshape(len(csi), -1)
            quantizer.magnitudes.fit_ranking(codeword, magnitude)


def _validated(settings, validation, h_hat) -> dict:
    """Loss, NMSE and, of eigenvectors, the mean SGCS of the validation split.

    The loss is None where it is not known of the CSI alone, and has none of the terms
    that a network adds to it in training. There is no NMSE where SGCS is the loss.
    """
    h, found = validation.h, {"val_loss": None}
    if settings.loss != "sgcs":
        found["val_nmse_db"] = accuracy.nmse_db(h, h_hat)
    if settings.target == "eigenvectors":
        found["val_sgcs"] = accuracy.sgcs(*map(accuracy.to_complex, (h, h_hat)))
    if settings.loss == "csi":
        found["val_loss"] = float(np.mean(np.square(h_hat - h), dtype=np.float64))
    elif settings.loss == "sgcs":
        found["val_loss"] = 1 - found["val_sgcs"]
    return found


def _record(trainer, state, error_db, validated, steps=0, loss=None, rate=None) -> dict:
    """Metrics of an epoch; 0 is the fitted start, before any update."""
    cpu = state["cpu_seconds"]
    return {
        "epoch": state["epoch"],
        "step": state["epoch"] * steps,
        "loss": loss,
        **validated,
        "best": error_db <= state["best_db"],
        "lr": trainer.rate(),
        "seconds": round(state["seconds"], 3),
        "cpu_seconds": None if cpu is None else round(cpu, 3),
        "samples_per_s": rate,
    }


def _run_epochs(
    trainer, run, batches, validation, state, steps, progress, chief: bool
) -> None:
    settings, start = trainer.settings, state["epoch"]
    if start:
        what = "complete" if start == settings.epochs else "resuming"
        print(f"{what}: {run.path} after epoch {start}/{settings.epochs}")
    board = TensorBoard(run.path / "tb", settings.image_every) if chief else None
    iterator = iter(trainer.strategy.experimental_distribute_dataset(batches))
    for epoch in range(start, settings.epochs):
        began, cpu = time.monotonic(), time.process_time()
        loss = _run_epoch(trainer, iterator, epoch, steps, progress, run)
        trainer.settle()
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        spent = state.get("cpu_seconds")  # a run of before did not count them
        value, h_hat = trainer.validate(validation)
        state |= {
            "epoch": epoch + 1,
            "seconds": state["seconds"] + seconds,
            "cpu_seconds": None if spent is None else spent + cpu,
            "best_db": min(value, state["best_db"]),
        }
        rate = round(steps * settings.batch_size / seconds, 1)
        validated = _validated(settings, validation, h_hat)
        record = _record(trainer, state, value, validated, steps, loss, rate)
        # Order matters: a kill between two of these repeats the epoch.
        if chief and record["best"]:
            run.save_weights(trainer.model)
        trainer.go_on()
        if chief:
            board.on_epoch(record, validation.h, h_hat)
            run.append_metrics(record)
            run.save_checkpoint(trainer.variables, state)
        else:
            run.append_metrics(record)
        progress.on_epoch(record)
        if chief:
            progress.warn(trainer.damped())


def _run_epoch(trainer, iterator, epoch, steps, progress, run) -> float:
    losses = []
    for step in range(1, steps + 1):
        loss = float(trainer.step(next(iterator)))
        if not math.isfinite(loss):
            raise ValueError(
                f"loss became {loss} at epoch {epoch + 1}, step {step}; {run.path} "
                f"keeps the state after epoch {epoch}: lower --lr (now "
                f"{trainer.settings.lr:g}) or lengthen --warmup_epochs, in a new run"
            )
        losses.append(loss)
        progress.on_step(epoch, loss)
    return float(np.mean(losses))
