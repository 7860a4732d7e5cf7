"""Bits for a network that was trained without: an even grid fitted to its codewords.

Nothing is trained. The grid tiles the mean of the training codewords plus or minus so
many standard deviations, or their whole range; one for all entries or one for each.
What reconstructs validation CSI best is taken, and what it costs is said.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shutil
import tempfile
from pathlib import Path

import numpy as np

from zoo import files
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.data.batches import BATCH, in_batches
from zoo.exporting import kept_grids
from zoo.exporting.kept_grids import Fit
from zoo.importing import shipped_weights
from zoo.keras_compat import set_precision
from zoo.models.autoencoder import CsiAutoencoder
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

QUANTIZERS = ("uniform",)
WIDTHS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, math.inf)
TRAINING_EXAMPLES, VALIDATION_EXAMPLES = 5000, 500
KEPT = ("metrics.jsonl", "data.json", "source.json", "env.json", "network.json")


def quantised(settings: ExperimentConfig, quantizer: str, bits: int):
    """Configuration of a float run with a fitted grid: `qat`, even steps.

    Raises:
        ValueError: the run has a quantiser, or there is no such fit.
    """
    if settings.bits:
        raise ValueError(
            f"--quantizer={quantizer}: the run was trained with "
            f"--quantizer={settings.quantizer} --bits={settings.bits}; leave it out"
        )
    if quantizer not in QUANTIZERS:
        raise ValueError(
            f"--quantizer={quantizer}: after the training expected "
            f"{', '.join(QUANTIZERS)}; train with the others"
        )
    exact = {"feedback_snr_db": math.inf, "feedback_snr_low_db": math.inf}
    if not 1 <= bits <= 16:
        raise ValueError(f"--bits={bits}: expected 1 to 16 beside --quantizer")
    return dataclasses.replace(
        settings,
        **exact,
        quantizer="qat",
        quantizer_args=json.dumps({"per_entry": True}),
        bits=bits,
        normaliser="none",
    )


def fit(run: RunDirectory, target: Path, quantizer: str, bits: int):
    """Give a float run a fitted quantiser, as a run directory of its own.

    Args:
        run: trained without quantiser; its data set is read.
        target: directory of the new run, must not exist.
        quantizer: one of `QUANTIZERS`.
        bits: B, 1 to 16.

    Returns:
        The run, for evaluation and export, and the `Fit`.

    Raises:
        ValueError: the run has a quantiser or none fits it, or `target` exists.
        OSError: data or directory are not usable.
    """
    files.check_new(target)
    settings = run.config()
    wanted = quantised(settings, quantizer, bits)
    model, found = fitted_model(run, wanted)
    return _write(run, target, wanted, model, found), found


def fitted_model(
    run: RunDirectory, wanted: ExperimentConfig
) -> tuple[CsiAutoencoder, Fit]:
    """Network of a float run with a fitted quantiser.

    Args:
        run: trained without quantiser.
        wanted: as `quantised` gives it; its data set is read where the run has no grid
            of these bits (`kept_grids`).

    Raises:
        ValueError, OSError: the grids are not the network's, or data are not usable.
    """
    known = kept_grids.known(run, wanted.bits)
    if known:
        set_precision("float32")
        model = build_autoencoder(wanted, run.csi_shape())
        shipped_weights.take_parts(run, wanted, model)
        return model, kept_grids.take(model, run, known)
    shape = splits.check(wanted, ("train", "validation"))
    train = splits.load_fine_tuning(wanted, TRAINING_EXAMPLES)
    held_out = splits.load_split(wanted, "validation", VALIDATION_EXAMPLES)
    set_precision("float32")
    model = build_autoencoder(wanted, shape)
    shipped_weights.take_parts(run, wanted, model)
    return model, _best(model, train.csi, held_out, wanted.bits)


@contextlib.contextmanager
def with_bits(run: RunDirectory, quantizer: str, bits: int, keep: str | Path = ""):
    """Yield a run with bits: the run itself, or one with a fitted quantiser.

    Args:
        run: the run.
        quantizer: as of `fit`; '': the run itself.
        bits: B.
        keep: directory for the fitted run; '': one that is removed afterwards.

    Raises:
        ValueError, OSError: as `fit`.
    """
    if bits and not quantizer:
        raise ValueError(f"--bits={bits}: give --quantizer=uniform with it")
    if not quantizer:
        yield run
        return
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(keep or Path(scratch) / run.path.name)
        fitted, cost = fit(run, target, quantizer, bits)
        print(f"fitted quantiser: {cost}", flush=True)
        yield fitted


def tested_nmse_db(model: CsiAutoencoder, settings: ExperimentConfig) -> float:
    """Error of the test split through the grid of a network, see `Split` [dB]."""
    test = splits.load_split(settings, "test")
    codeword = model.encoder.predict(test.csi, batch_size=BATCH, verbose=0)
    indices = in_batches(model.quantizer.indices, codeword)
    arrives = in_batches(model.quantizer.dequantize, indices)
    return test.error_db(evaluation.decode(model, arrives, *test.side))


def _best(model: CsiAutoencoder, csi, held_out: splits.Split, bits: int) -> Fit:
    """Set the grid of a network to the best one."""
    encode = model.encoder
    codeword = encode.predict(csi, batch_size=BATCH, verbose=0)
    sent = encode.predict(held_out.csi, batch_size=BATCH, verbose=0)

    def error_db(arrives):
        h_hat = evaluation.decode(model, arrives, *held_out.side)
        return held_out.error_db(h_hat)

    def through(choice):
        _set_grid(model.quantizer, codeword, *choice)
        indices = in_batches(model.quantizer.indices, sent)
        return error_db(in_batches(model.quantizer.dequantize, indices))

    choices = [(each, width) for each in (True, False) for width in WIDTHS]
    reached = {choice: through(choice) for choice in choices}
    best = min(reached, key=reached.get)
    _set_grid(model.quantizer, codeword, *best)
    reaches = error_db(sent), reached[best]
    return Fit(bits, *best, *reaches, len(sent), held_out.error)


def _set_grid(quantizer, codeword: np.ndarray, per_entry: bool, width: float) -> None:
    """Fit the grid to codewords `[n, M]` that are clipped at so many deviations."""
    axis = 0 if per_entry else None
    mean = codeword.mean(axis, dtype=np.float64)
    spread = codeword.std(axis, dtype=np.float64)
    low, high = codeword.min(axis), codeword.max(axis)
    if width < math.inf:
        low, high = mean - width * spread, mean + width * spread
    every = np.ones(codeword.shape[1])
    quantizer.fit(np.float32([low * every, high * every]))


def _write(run, target: Path, settings, model, found: Fit) -> RunDirectory:
    """Write the run directory, under its name when it is complete."""
    settings = dataclasses.replace(settings, run_dir=str(target))
    with files.new_directory(target) as path:
        partial = dataclasses.replace(run, path=path)
        for name in KEPT:
            if (run.path / name).is_file():
                shutil.copyfile(run.path / name, path / name)
        files.write_json(path / "config.json", settings.to_json())
        files.write_text(path / "flags.cfg", settings.to_flags())
        files.write_json(path / "fitted_quantizer.json", found.to_json())
        partial.save_weights(model)
    return dataclasses.replace(run, path=target)
