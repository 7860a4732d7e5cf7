"""What a results row says of the run that was evaluated."""

from __future__ import annotations

import math

import numpy as np

from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.config_checks import label, parse_object
from zoo.keras_compat import LEGACY
from zoo.metrics import metrics_file
from zoo.metrics.results_row import data_set
from zoo.run_directory import RunDirectory


def describe(run: RunDirectory, settings: ExperimentConfig, builder, sizes) -> dict:
    """Network, data, noise and training of a row.

    Args:
        run: the run.
        settings: its configuration with the noise of the test.
        builder: TFDS builder of the data.
        sizes: shape of one CSI, and the real values that were sent for it.
    """
    return {
        **_identity(run, settings, builder, *sizes),
        **_noise(run.config(), settings),
        **_training(run, settings),
        **files.environment(),
        "origin": run.origin,
    }


def _identity(run, settings, builder, csi_shape, codeword_length: int) -> dict:
    return {
        "model": registry.get(settings.model).name,
        "model_args": parse_object("model_args", settings.model_args),
        **data_set(settings, builder),
        "csi_shape": list(csi_shape),
        "ratio": codeword_length / int(np.prod(csi_shape)),
        "codeword_dim": settings.codeword_dim,
        "bits": settings.bits,
        "quantizer": label(settings.quantizer),
        "receiver": settings.receiver,
        "precision": "fp32",
        "train_precision": settings.precision,
        "keras": "tf_keras" if LEGACY else "keras 3",
        "flags_sha256": files.sha256(run.path / "flags.cfg"),
        "weights_sha256": run.weights_sha256,
    }


def _noise(trained: ExperimentConfig, tested: ExperimentConfig) -> dict:
    """Noise of test and training; an SNR of None is clean CSI."""
    return {
        "csi_noise": tested.csi_noise,
        "test_snr_db": tested.to_json()["test_snr_db"],
        "train_csi_noise": trained.csi_noise,
        "train_snr_db": trained.to_json()["train_snr_db"],
        "train_feedback_snr_db": trained.to_json()["feedback_snr_db"],
        "train_feedback_snr_low_db": trained.to_json()["feedback_snr_low_db"],
    }


def _training(run: RunDirectory, settings: ExperimentConfig) -> dict:
    """How the weights were trained; nothing of a training that was not ours."""
    if run.origin != "ours":
        unknown = (
            "init", "loss", "lr", "cpu_step", "best_epoch", "start_nmse_db",
            "last_gain_db", "batch_size", "train_seconds", "train_cpu_seconds",
            "train_commit", "train_version", "train_device",
        )  # fmt: skip
        known = {"seed": settings.seed, "epochs": 0, "train_data": run.trained_on()}
        return known | dict.fromkeys(unknown)
    records = run.read_metrics()
    trained = files.read_json(run.path / "env.json", files.ENVIRONMENT)
    return {
        "seed": settings.seed,
        "init": settings.init,
        "loss": settings.loss,
        "lr": settings.lr,
        "cpu_step": settings.cpu_step,
        "epochs": records[-1]["epoch"] if records else 0,
        "best_epoch": metrics_file.best(records).get("epoch"),
        **progress([r for r in records if "val_nmse_db" in r]),  # none where of SGCS
        "batch_size": settings.batch_size,
        "train_seconds": records[-1]["seconds"] if records else None,
        "train_cpu_seconds": records[-1].get("cpu_seconds") if records else None,
        "train_data": run.trained_on(),
        "train_commit": trained["commit"],
        "train_version": trained.get("version"),
        "train_device": trained["device"],
    }


def progress(records: list[dict]) -> dict:
    """Validation NMSE of the start, and what the last fifth of the epochs gained [dB].

    None without records. The fifth is of at least one epoch. A random start is not
    validated; what a training of a single epoch has gained from there is its distance
    from the estimate 0.
    """
    by_epoch = {r["epoch"]: r["val_nmse_db"] for r in records}
    epochs = max(by_epoch, default=0)
    if not epochs:
        return {"start_nmse_db": by_epoch.get(0), "last_gain_db": None}
    last = math.ceil(epochs / 5)
    before = [value for epoch, value in by_epoch.items() if epoch <= epochs - last]
    gain = min(before, default=0.0) - min(by_epoch.values())
    return {"start_nmse_db": by_epoch.get(0), "last_gain_db": max(0.0, gain)}
