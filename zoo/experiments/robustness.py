"""Codecs away from the channels of a simulator: noise, other places, other arrays.

Every codec is fitted to clean training CSI of the channels it is tested on, but for
what a condition says; the arrays and the scattering of a perturbation are those of
training CSI, too. `pursuit noise known` and `pursuit noise estimated` are fitted to
noisy CSI, `pursuit calibrated` estimates the gains of the antennas. The network that
is shipped with the zoo has a quantiser fitted after its training: it is for clean
indoor channels, whatever it is tested on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from zoo import files
from zoo.codecs import methods
from zoo.codecs.coded import Coded, load
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.data.batches import BATCH
from zoo.data.perturbations import Perturbation
from zoo.exporting import fit_quantizer
from zoo.importing import weights_by_name
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

CHANNELS = {
    "indoor": "cost2100_sim/indoor_quick",
    "outdoor": "cost2100_sim/outdoor_quick",
    "RMa": "tr38901/lora_rma_nlos_quick",
    "UMa": "tr38901/lora_uma_nlos_quick",
    "UMi": "tr38901/lora_umi_nlos_quick",
}
FOREIGN = {"indoor": "outdoor", "outdoor": "indoor"}
OVERSAMPLING = 8
CODECS = ("pursuit", "dft", "klt_coded", "klt_mixture")
AWARE, CALIBRATED = ("known", "estimated"), "pursuit calibrated"
NETWORK, NETWORK_BITS = "crnet_indoor_16", 6  # of a codeword entry
CLEAN = "as simulated"


class Condition(NamedTuple):
    """What a codec meets.

    Attributes:
        channels: it is tested on, of `CHANNELS`.
        name: what differs from them.
        fitted_on: channels of its training CSI; '': the same.
        snr_db: of the CSI that is sent.
        perturbation: of all CSI.
    """

    channels: str
    name: str = CLEAN
    fitted_on: str = ""
    snr_db: float = math.inf
    perturbation: Perturbation = Perturbation()


PERTURBATIONS = {
    "antennas 0.5 dB, 5 degrees": Perturbation(gain_db=0.5, phase_deg=5),
    "antennas 2 dB, 20 degrees": Perturbation(gain_db=2, phase_deg=20),
    "antennas 2 dB, 20 degrees, other ones in each drop": Perturbation(
        gain_db=2, phase_deg=20, arrays="each"
    ),
    **{
        f"diffuse {share:.0%}, {spread}": Perturbation(diffuse=share, spread=spread)
        for spread in ("white", "exponential")
        for share in (0.1, 0.3, 0.5)
    },
}


def conditions() -> Iterator[Condition]:
    """All of them, those that need no other fit of a codec first."""
    yield from map(Condition, CHANNELS)
    for channels, other in FOREIGN.items():
        yield Condition(channels, f"fitted {other}", other)
        for snr_db in (30, 20, 10, 0):
            yield Condition(channels, f"noise {snr_db} dB", snr_db=snr_db)
    for channels in FOREIGN:
        for name, perturbation in PERTURBATIONS.items():
            yield Condition(channels, name, perturbation=perturbation)


def systems(condition: Condition) -> Iterator[tuple[str, Coded | None]]:
    """Names of codecs in a condition, and how they are asked; None: the network."""
    errors = condition.perturbation
    for name in CODECS:
        yield name, Coded(name)
    if condition.snr_db < math.inf:
        for kind in AWARE:
            yield f"pursuit noise {kind}", Coded("pursuit", noise=kind)
    if errors.gain_db:
        yield CALIBRATED, Coded("pursuit", calibrate=True)
    if not condition.fitted_on:
        yield NETWORK, None


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
    """
    bench = Bench(settings)
    for row in _rows(settings.num_test, bits, names):
        if _identity(row) in map(_identity, _content(path)["rows"]):
            continue
        row = bench.measured(row)
        with _alone(path.parent):
            content = _content(path)
            content["rows"] = sorted([*content["rows"], row], key=_place)
            files.write_json(path, content | files.environment() | {"origin": "ours"})
        tell(row)
    return _content(path)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While no other command is here."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _content(path: Path) -> dict:
    return files.read_json(path) if path.exists() else {"rows": []}


def _identity(row: dict) -> tuple:
    keys = ("channels", "condition", "system", "report_bits", "num_test")
    return tuple(row[key] for key in keys)


def _place(row: dict) -> int:
    """Place of a row's condition among all."""
    names = [(c.channels, c.name) for c in conditions()]
    return names.index((row["channels"], row["condition"]))


def _rows(num_test: int, bits, names) -> Iterator[dict]:
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
                    "num_test": num_test,
                }


class Bench:
    """Measures rows; codecs and the network are kept for further conditions."""

    def __init__(self, settings: ExperimentConfig):
        self._settings = settings
        self._conditions = {(c.channels, c.name): c for c in conditions()}
        self._fitted = functools.lru_cache(10)(self._fit)
        self._network = functools.cache(self._load_network)

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
            codec, about = self._fitted(coded, train)
            h_hat, found = methods.through_bytes(codec, test, coded)
            found = {"num_train": about["num_train"], **found}
        return row | {
            "nmse_db": accuracy.nmse_db(test.h, h_hat),
            **found,
            "dataset": settings.dataset,
            "fitted_on": condition.fitted_on or None,
            "snr_db": None if math.isinf(condition.snr_db) else condition.snr_db,
            "perturb": condition.perturbation.options(),
            "seed": settings.seed,
            "commit": files.environment()["commit"],
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
    builder = splits.open_builder(settings.dataset, settings.data_dir)
    return methods.array_of(builder)
