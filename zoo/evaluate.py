"""Evaluate a run on the test split: python -m zoo.evaluate --run=DIR --json=FILE.

Writes one results row (JSON), and beside it plots of true against recovered |H| and of
the distribution of the per-sample NMSE. `--test_snr_db` and `--csi_noise` put another
noise on the network's input than the run's; the truth is always clean.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
from absl import flags

from serving import bitstream
from tfds_builders import cli, transforms
from tfds_builders.csi_examples import FREQUENCY_GRID, FREQUENCY_KEPT
from zoo import complexity, data, files, metrics, pca, plots
from zoo.config import ExperimentConfig, parse_model_args
from zoo.keras_compat import LEGACY
from zoo.layers.quantizers import UniformQuantizer
from zoo.models.autoencoder import CsiAutoencoder
from zoo.run_directory import RunDirectory

BATCH = 500
PERCENTILES = (5, 10, 50, 90, 95)


def decode(model: CsiAutoencoder, codeword: np.ndarray) -> np.ndarray:
    """Zero-centred CSI `[n, N_t, N_a, 2]` float32 of codewords `[n, M]`."""
    csi = model.decoder.predict(codeword, batch_size=BATCH, verbose=0)
    return csi - np.float32(0.5)


def through_bits(codeword: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Send normalised codewords through real payload bytes.

    Returns:
        The dequantised codewords `[n, M]` float32 and the payload bytes per CSI.
    """
    quantizer = UniformQuantizer(bits)
    payload = bitstream.pack(np.asarray(quantizer.indices(codeword)), bits)
    indices = bitstream.unpack(payload, codeword.shape[1], bits)
    return np.asarray(quantizer.dequantize(indices)), payload.shape[1]


def _frequency_metrics(test: data.Split, h_hat: np.ndarray) -> dict:
    """Rho, SGCS and beamforming loss on 125 subcarriers; rho on the whole grid."""
    estimate = metrics.to_complex(h_hat)
    h, grid = metrics.to_complex(test.h), test.num_subcarriers
    last = test.last_taps
    row = {"rho_all": _rho_all(h, estimate, grid, last)}
    if test.csi_freq is None:
        return row
    freq = transforms.delay_to_frequency(estimate, FREQUENCY_GRID, FREQUENCY_KEPT, last)
    return row | {
        "rho": metrics.rho(test.csi_freq, freq),
        "sgcs": metrics.sgcs(test.csi_freq, freq),
        "beamforming_loss_db": metrics.beamforming_loss_db(test.csi_freq, freq),
    }


def _rho_all(h: np.ndarray, h_hat: np.ndarray, grid: int, last: int) -> float:
    """Rho over all subcarriers; the truth is the zero-filled truncated CSI."""
    values = []
    for start in range(0, len(h), BATCH):
        pair = (x[start : start + BATCH] for x in (h, h_hat))
        freq = [transforms.delay_to_frequency(x, grid, last=last) for x in pair]
        values.append(metrics.cosine_similarity(*freq).mean(axis=1))
    return float(np.concatenate(values).mean())


def _klt_db(train: data.Split, test: data.Split, codeword_dim: int) -> float | None:
    """NMSE of the KLT line; None where it does not exist (odd M, few samples)."""
    try:
        noisy = test.csi - np.float32(0.5)
        return pca.nmse_db(train.h, test.h, codeword_dim, noisy)
    except ValueError as error:
        print(f"no KLT line: {error}")
        return None


def _nmse_metrics(h: np.ndarray, h_hat: np.ndarray) -> dict:
    per_sample = metrics.to_db(metrics.nmse(h, h_hat))
    names = ("global", "batch_db", "sample_db")
    by_definition = {name: metrics.nmse_db(h, h_hat, name) for name in names}
    return {
        "nmse_db": by_definition["global"],
        "nmse_definition": "global",
        "nmse_by_definition_db": by_definition,
        "nmse_percentiles_db": {
            str(p): float(np.percentile(per_sample, p)) for p in PERCENTILES
        },
    }


def with_noise(
    settings: ExperimentConfig, csi_noise: str | None, test_snr_db: float | None
) -> ExperimentConfig:
    """Configuration with other test noise; None keeps the run's, 'none' is clean CSI.

    Raises:
        ValueError: noise without SNR, or an SNR without noise.
    """
    given = {"csi_noise": csi_noise, "test_snr_db": test_snr_db}
    changes = {name: value for name, value in given.items() if value is not None}
    if csi_noise == "none":
        changes = {"train_snr_db": math.inf, "test_snr_db": math.inf, **changes}
    return dataclasses.replace(settings, **changes)


def evaluate(
    run: RunDirectory, csi_noise: str | None = None, test_snr_db: float | None = None
) -> tuple[dict, np.ndarray, np.ndarray]:
    """Evaluate a run's best weights on its test split, read once.

    Args:
        run: the run.
        csi_noise: kind of test noise instead of the run's.
        test_snr_db: SNR of the test instead of the run's.

    Returns:
        The results row, and zero-centred truth and recovered CSI
        `[n, N_t, N_a, 2]` float32.

    Raises:
        FileNotFoundError, ValueError: no such run, damaged files or unusable data.
    """
    settings = with_noise(run.config(), csi_noise, test_snr_db)
    builder = data.open_builder(
        settings.dataset, settings.data_dir, settings.manual_dir
    )
    test = data.load_split(settings, "test")
    train = data.load_split(settings, "train")
    csi_shape = test.csi.shape[1:]
    model = run.load(csi_shape)
    codeword = model.encoder.predict(test.csi, batch_size=BATCH, verbose=0)
    h_float = h_hat = decode(model, codeword)
    feedback_bits = None
    if settings.bits:
        sent, payload_bytes = through_bits(codeword, settings.bits)
        feedback_bits = 8 * payload_bytes
        h_hat = decode(model, sent)
    row = {
        **_identity(run, settings, builder, csi_shape),
        **_noise(run.config(), settings),
        "feedback_bits": feedback_bits,
        **_nmse_metrics(test.h, h_hat),
        "nmse_float_db": metrics.nmse_db(test.h, h_float),
        "nmse_pca_db": _klt_db(train, test, settings.codeword_dim),
        **_frequency_metrics(test, h_hat),
        **complexity.summary(model),
        "num_test": len(test.csi),
        "num_train": data.num_train(settings, builder),
        **_training(run, settings),
        **files.environment(),
        "origin": "ours",
    }
    return row, test.h, h_hat


def _identity(run, settings, builder, csi_shape) -> dict:
    name, _, dataset_config = settings.dataset.partition("/")
    return {
        "model": settings.model,
        "model_args": parse_model_args(settings.model_args),
        "dataset": name,
        "dataset_version": str(builder.version),
        "dataset_config": dataset_config,
        "scaling": settings.scaling,
        "ratio": settings.codeword_dim / int(np.prod(csi_shape)),
        "codeword_dim": settings.codeword_dim,
        "bits": settings.bits,
        "precision": "fp32",
        "train_precision": settings.precision,
        "keras": "tf_keras" if LEGACY else "keras 3",
        "flags_sha256": files.sha256(run.path / "flags.cfg"),
        "weights_sha256": files.sha256(run.weights),
    }


def _noise(trained: ExperimentConfig, tested: ExperimentConfig) -> dict:
    """Noise of test and training; an SNR of None is clean CSI."""
    return {
        "csi_noise": tested.csi_noise,
        "test_snr_db": tested.to_json()["test_snr_db"],
        "train_csi_noise": trained.csi_noise,
        "train_snr_db": trained.to_json()["train_snr_db"],
    }


def _training(run, settings) -> dict:
    records = run.read_metrics()
    best = min(records, key=lambda r: r["val_nmse_db"]) if records else {}
    trained = files.read_json(run.path / "env.json")
    return {
        "seed": settings.seed,
        "init": settings.init,
        "cpu_step": settings.cpu_step,
        "epochs": records[-1]["epoch"] if records else 0,
        "best_epoch": best.get("epoch"),
        "batch_size": settings.batch_size,
        "train_seconds": records[-1]["seconds"] if records else None,
        "train_commit": trained["commit"],
        "train_device": trained["device"],
    }


def _save_samples(target: Path, h: np.ndarray) -> None:
    """Write zero-centred clean CSI as the sample file of serving.client."""
    with files.atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, h=h)
    print(f"test CSI for serving.client: {target}")


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    if not flags.FLAGS.run:
        raise ValueError("--run is missing: give a run directory, e.g. runs/quickstart")
    run = RunDirectory(Path(flags.FLAGS.run))
    noise = (flags.FLAGS.csi_noise, flags.FLAGS.test_snr_db)
    name = "_".join(["evaluation", *(str(x) for x in noise if x is not None)])
    target = Path(flags.FLAGS.json or run.path / f"{name}.json")
    row, h, h_hat = evaluate(run, *noise)
    with files.atomic_path(target.with_name(target.stem + "_examples.png")) as image:
        plots.save_examples(h[:6], h_hat[:6], image)
    with files.atomic_path(target.with_name(target.stem + "_nmse.png")) as image:
        plots.save_nmse_histogram(metrics.nmse(h, h_hat), image)
    files.write_json(target, row)
    if flags.FLAGS.samples:
        _save_samples(Path(flags.FLAGS.samples), h)
    keys = ("nmse_db", "nmse_float_db", "nmse_pca_db", "rho", "feedback_bits")
    print(json.dumps({k: row.get(k) for k in keys}))
    print(f"results row: {target}")


if __name__ == "__main__":
    flags.DEFINE_string("run", "", "run directory of a training")
    flags.DEFINE_string("json", "", "results row; empty: <run>/evaluation*.json")
    flags.DEFINE_string("samples", "", "also write the clean test CSI for the client")
    flags.DEFINE_float("test_snr_db", None, "SNR of the test instead of the run's")
    flags.DEFINE_enum(
        "csi_noise", None, ["none", "awgn", "ls"], "noise instead of the run's"
    )
    cli.run(main)
