"""What a trained pair hands over to the other side: see `zoo.data.exchange`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.config_checks import is_reference
from zoo.data import exchange, exchange_header, splits
from zoo.data.batches import in_batches
from zoo.exporting import exporter
from zoo.run_directory import RunDirectory
from zoo.training import pairing
from zoo.training.evaluation import evaluate


def check(run: RunDirectory, settings: ExperimentConfig) -> None:
    """Refuse a run whose codeword bits another side could not be trained on.

    Raises:
        ValueError: the message says why.
    """
    spec = registry.get(settings.model)
    wrong = {
        f"--quantizer={settings.quantizer}, whose points are its own": (
            settings.quantizer not in exchange_header.QUANTIZERS
            or settings.quantizer_args != "{}"
        ),
        f"--collaboration={settings.collaboration}, one side alone": (
            settings.collaboration != "joint"
        ),
        f"--model={settings.model}, own code, which no --partner may name": (
            is_reference(settings.model)
        ),
        f"--model={settings.model}, which takes an uplink": spec.takes_uplink,
        f"--model={settings.model}, which takes sequences": spec.takes_sequences,
        f"--csi_noise={settings.csi_noise}": settings.csi_noise != "none",
    }
    found = [reason for reason, is_so in wrong.items() if is_so]
    if found:
        raise ValueError(
            f"{run.path} has {'; '.join(found)}: expected both sides of a network of "
            "single clean snapshots, trained with --quantizer="
            f"{', '.join(exchange_header.QUANTIZERS)}"
        )


def hand_over(run: RunDirectory, target: Path) -> dict:
    """Write the file of a run's pair, and what it reaches on its test split.

    Returns:
        The header.

    Raises:
        FileNotFoundError, ValueError: no such run, damaged files or unusable data.
    """
    settings = run.config()
    check(run, settings)
    model = run.load(splits.check(settings, exchange.SPLITS))
    csi, indices = {}, {}
    for split in exchange.SPLITS:
        csi[split] = splits.load_split(settings, split).csi
        codeword = in_batches(lambda x: model.encoder(x, training=False), csi[split])
        indices[split] = in_batches(model.quantizer.indices, codeword)
    points = model.quantizer.dequantize(np.arange(2**settings.bits))
    header = _header(run, settings)
    exchange.write(target, header, points, csi, indices)
    return header


def _header(run: RunDirectory, settings: ExperimentConfig) -> dict:
    row, environment = evaluate(run)[0], files.environment()
    shared = pairing.shared(settings)
    metric = "sgcs" if settings.target == "eigenvectors" else "nmse_db"
    return {
        "format": 1,
        "pairing_id": pairing.pairing_id(run),
        "payload_id": exchange_header.payload_id(shared),
        "settings": shared,
        "performance": {
            "metric": metric, "value": row[metric], "test_data": row["test_data"],
        },
        "normalisation": exporter.normalisation(run, settings),
        "train_data": run.trained_on(),
        "by": {key: environment[key] for key in ("commit", "version", "date")},
    }  # fmt: skip
