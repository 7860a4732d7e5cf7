"""Codecs away from the channels of a simulator, measured row by row."""

from __future__ import annotations

import dataclasses
import functools
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tfds_builders import locks
from zoo import files
from zoo.codecs import methods
from zoo.codecs.coded import Coded, load
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.data.batches import BATCH
from zoo.experiments.robustness_conditions import (
    CHANNELS,
    NETWORK,
    Condition,
    conditions,
    systems,
)
from zoo.experiments.runner import data_digest
from zoo.exporting import fit_quantizer
from zoo.importing import weights_by_name
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

OVERSAMPLING = 8  # of the grid, the same in all rows
NETWORK_BITS = 6  # of a codeword entry
IDENTITY = ("channels", "condition", "system", "report_bits")
SAME = ("num_test", "num_train", "seed", "data_sha256")


def measure(
    settings: ExperimentConfig,
    bits: tuple[int, ...],
    names: tuple[str, ...],
    path: Path,
    tell: Callable[[dict], None] = lambda row: None,
) -> dict:
    """Measure what a results file does not have yet.

    Args:
        settings: data directory, num_train, num_test and seed apply.
        bits: mean bits of a report.
        names: systems in the order in which they are measured.
        path: results JSON, which grows row by row; several commands may add to it.
        tell: is given every new row.

    Returns:
        Content of the file.

    Raises:
        ValueError: a row of the file is of other data, sizes or another seed.
    """
    bench = Bench(settings)
    for row in [row for row in _rows(settings, bits, names) if not _known(row, path)]:
        if _known(row, path):  # since another command measured it
            continue
        row = bench.measured(row)
        with locks.alone(path.parent):
            if _known(row, path):
                continue
            content = _content(path)
            content["rows"] = sorted([*content["rows"], row], key=_place)
            files.write_json(path, content | files.environment() | {"origin": "ours"})
        tell(row)
    return _content(path)


def _content(path: Path) -> dict:
    return files.read_json(path) if path.exists() else {"rows": []}


def _known(row: dict, path: Path) -> bool:
    """Whether a results file has a row, which must be of the same data and sizes."""
    for old in _content(path)["rows"]:
        if any(old[key] != row[key] for key in IDENTITY):
            continue
        changed = [key for key in SAME if old.get(key, row[key]) != row[key]]
        if changed:
            changes = ", ".join(f"{k}: {old[k]} -> {row[k]}" for k in changed)
            what = ", ".join(str(row[key]) for key in IDENTITY)
            raise ValueError(
                f"{path} holds {what} bits of another measurement ({changes}): give "
                "another --json, or other --systems"
            )
        return True
    return False


def _place(row: dict) -> int:
    """Place of a row's condition among all."""
    names = [(c.channels, c.name) for c in conditions()]
    return names.index((row["channels"], row["condition"]))


def _rows(settings: ExperimentConfig, bits, names) -> Iterator[dict]:
    """What rows say before they are measured."""
    for name in names:
        for condition in conditions():
            coded = dict(systems(condition)).get(name, "none")
            if coded == "none":
                continue
            for number in bits if coded else (128 * NETWORK_BITS,):
                yield {
                    "channels": condition.channels,
                    "condition": condition.name,
                    "system": name,
                    "report_bits": number,
                    "num_test": settings.num_test,
                    "num_train": coded and _num_train(settings, condition, coded),
                    "seed": settings.seed,
                    "data_sha256": data_digest(_builder(settings, condition.channels)),
                }


def _num_train(settings: ExperimentConfig, condition: Condition, coded: Coded) -> int:
    """Training CSI that a codec is fitted to."""
    builder = _builder(settings, condition.fitted_on or condition.channels)
    limits = settings.num_train, methods.METHODS[coded.name].examples
    available = builder.info.splits["train"].num_examples
    return min(limit for limit in (*limits, available) if limit)


@functools.cache
def _opened(dataset: str, data_dir: str):
    return splits.open_builder(dataset, data_dir)


def _builder(settings: ExperimentConfig, channels: str):
    return _opened(CHANNELS[channels], settings.data_dir)


class Bench:
    """Measures rows; codecs and the network are kept for further conditions."""

    def __init__(self, settings: ExperimentConfig):
        self._settings = settings
        self._conditions = {(c.channels, c.name): c for c in conditions()}
        self._fitted = functools.lru_cache(10)(self._fit)
        self._network = functools.cache(self._load_network)
        files.environment()  # of the code as it is now

    def measured(self, row: dict) -> dict:
        """A row with its error and the bits that it took."""
        condition = self._conditions[row["channels"], row["condition"]]
        coded = dict(systems(condition))[row["system"]]
        settings = self._on(condition.channels, condition.snr_db)
        test = load(settings, "test", condition.perturbation, _array(settings))
        if coded is None:
            h_hat, found = self._through_network(test)
        else:
            coded = dataclasses.replace(
                coded,
                bits=row["report_bits"],
                oversampling=OVERSAMPLING if coded.name == "pursuit" else 0,
                perturbation=condition.perturbation,
            )
            train = self._on(
                condition.fitted_on or condition.channels,
                condition.snr_db if coded.noise != "none" else math.inf,
            )
            codec, _ = self._fitted(coded, train)
            h_hat, found = methods.through_bytes(codec, test, coded)
        made = files.environment()
        return row | {
            "nmse_db": accuracy.nmse_db(test.h, h_hat),
            **found,
            "dataset": settings.dataset,
            "fitted_on": condition.fitted_on or None,
            "snr_db": None if math.isinf(condition.snr_db) else condition.snr_db,
            "perturb": condition.perturbation.options(),
            "commit": made["commit"],
            "date": made["date"],
        }

    def _on(self, channels: str, snr_db: float) -> ExperimentConfig:
        noise = "none" if math.isinf(snr_db) else "awgn"
        return dataclasses.replace(
            self._settings,
            dataset=CHANNELS[channels],
            csi_noise=noise,
            train_snr_db=snr_db,
            test_snr_db=snr_db,
        )

    @staticmethod
    def _fit(coded: Coded, settings: ExperimentConfig):
        return methods.fitted(coded, settings, _array(settings))

    def _load_network(self):
        """The shipped network with bits: fitted on the small indoor data set."""
        shipped = weights_by_name.shipped()[NETWORK]
        with tempfile.TemporaryDirectory() as scratch:
            run = RunDirectory(Path(scratch) / NETWORK)
            shutil.copytree(shipped, run.path)
            settings = dataclasses.replace(
                run.config(),
                dataset=CHANNELS["indoor"],
                data_dir=self._settings.data_dir,
                num_train=0,
            )
            files.write_json(run.path / "config.json", settings.to_json())
            target = Path(scratch) / "fitted"
            fitted, _ = fit_quantizer.fit(run, target, "uniform", NETWORK_BITS)
            return fitted.load((32, 32, 2))

    def _through_network(self, test: splits.Split):
        model = self._network()
        codeword = model.encoder.predict(test.csi, batch_size=BATCH, verbose=0)
        sent, size = evaluation.through_bits(codeword, model.quantizer)
        return evaluation.decode(model, sent), {"feedback_bits": 8.0 * size}


def _array(settings: ExperimentConfig) -> dict | None:
    return methods.array_of(_opened(settings.dataset, settings.data_dir))
