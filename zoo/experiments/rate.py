"""Rate curves: the error of codecs and networks over the bits that they really send.

A curve is made of points. Each is measured once and kept in the results file at once,
so that a command that was killed goes on where it was.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfds_builders import locks
from zoo import files
from zoo.codecs import methods
from zoo.codecs.methods import Coded
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.experiments import rate_networks
from zoo.experiments.runner import data_digest
from zoo.metrics import accuracy, klt_line, results_row

RATES = ("mean", "fixed")
BITS = (64, 128, 256, 512, 768, 1024, 1536)
LATER_BITS = (3, 4, 6, 8)  # per entry of a codeword that was trained as floats
KLT_EXAMPLES = methods.METHODS["klt_coded"].examples
IDENTITY = ("model", "run", "weights_sha256", "bits", "report_bits", "rate",
            "fitted_on")  # fmt: skip
SAME = ("dataset", "scaling", "csi_noise", "test_snr_db", "num_train", "num_test",
        "seed")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        codecs: names of `zoo.codecs.methods.METHODS`.
        runs: run directories of trained networks.
        bits: of a codec's report.
        rates: some of `RATES`: `bits` in the mean of training CSI, or at most in every
            report.
        later_bits: per codeword entry, of runs that were trained without a quantiser.
        fitted_on: data set that codecs are fitted to instead; '': the one tested on.

    Raises:
        ValueError: there is no such codec or rate, nothing to measure, or too few bits.
    """

    codecs: tuple[str, ...] = ()
    runs: tuple[Path, ...] = ()
    bits: tuple[int, ...] = BITS
    rates: tuple[str, ...] = RATES[:1]
    later_bits: tuple[int, ...] = LATER_BITS
    fitted_on: str = ""

    def __post_init__(self):
        for name, values, known in (
            ("codecs", self.codecs, methods.METHODS),
            ("rate", self.rates, RATES),
        ):
            for value in values:
                if value not in known:
                    raise ValueError(
                        f"--{name}={value}: expected some of {', '.join(known)}"
                    )
        if not (self.codecs or self.runs):
            raise ValueError("nothing to measure: give --codecs or --models")
        if self.codecs and not (self.bits and self.rates and min(self.bits) >= 8):
            raise ValueError(
                f"--bits={','.join(map(str, self.bits))}: expected 8 or more, such as "
                "128,512, and a --rate"
            )


def measure(
    plan: Plan,
    settings: ExperimentConfig,
    path: Path,
    tell: Callable[[dict], None] = lambda row: None,
) -> dict:
    """Measure the points of a plan that a results file does not have yet.

    Args:
        plan: what is measured.
        settings: data set, sizes, noise and seed apply.
        path: results JSON, which grows point by point.
        tell: is given every new row.

    Returns:
        Content of the file.

    Raises:
        ValueError: the file is of other data, or as the codecs and runs say.
    """
    bench = Bench(settings)
    line = _begun(path, bench).get("gaussian_klt") or bench.gaussian_klt()

    def is_known(row: dict) -> bool:  # perhaps since another command measured it
        return _identity(row) in map(_identity, _begun(path, bench)["rows"])

    for row in _rows(plan, bench, is_known):
        with locks.alone(path.parent):
            if is_known(row):
                continue
            content = _begun(path, bench)
            content |= {"gaussian_klt": line, **files.environment(), "origin": "ours"}
            content["rows"].append(row)
            files.write_json(path, content)
        tell(row)
    return _begun(path, bench)


class Bench:
    """Data that points are measured on, read when the first one needs them."""

    def __init__(self, settings: ExperimentConfig):
        splits.check(settings, ("test",))
        self.settings = settings
        self.builder = splits.open_builder(
            settings.dataset, settings.data_dir, settings.manual_dir
        )
        self._test: splits.Split | None = None
        files.environment()  # of the code as it is now

    @property
    def test(self) -> splits.Split:
        """What is sent."""
        if self._test is None:
            self._test = splits.load_split(self.settings, "test")
        return self._test

    @functools.cached_property
    def about(self) -> dict:
        """What makes points comparable."""
        settings = self.settings.to_json()
        found = {key: settings[key] for key in SAME}
        return found | {"data_sha256": data_digest(self.builder)}

    def measured(self, h_hat: np.ndarray) -> dict:
        """Errors of an estimate, and where they come from: a part of a row."""
        worst = accuracy.nmse(self.test.h, h_hat).max()
        return {
            **results_row.data_set(self.settings, self.builder),
            **results_row.nmse_metrics(self.test.h, h_hat),
            "nmse_worst_db": float(accuracy.to_db(worst)),
            **self.test.kept_subcarriers(h_hat),
            "num_test": len(self.test.csi),
            "seed": self.settings.seed,
            **files.environment(),
            "origin": "ours",
        }

    def gaussian_klt(self) -> dict:
        """Line of Gaussian components along one KLT, `[bits, NMSE in dB]` each."""
        train = splits.load_split(self.settings, "train", KLT_EXAMPLES)
        bits, nmse_db = klt_line.gaussian_bits(train.h, self.test.h)
        shown = (bits > 16) & (bits < 4096)
        points = np.round(np.stack([bits, nmse_db], axis=1)[shown], 3)
        return {"points": points.tolist(), "num_train": len(train.csi)}


def _begun(path: Path, bench: Bench) -> dict:
    """Content of a results file, or of a new one."""
    about = bench.about
    if not path.exists():
        return {"rate_curves": about, "rows": []}
    content = files.read_json(path)
    old = content.get("rate_curves", {})
    changed = [key for key in about if old.get(key) != about[key]]
    if changed:
        changes = ", ".join(f"{k}: {old.get(k)} -> {about[k]}" for k in changed)
        raise ValueError(
            f"{path} holds curves of other data ({changes}): give another --json"
        )
    return content


def _identity(row: dict) -> tuple:
    return tuple(row.get(key) for key in IDENTITY)


def _rows(plan: Plan, bench: Bench, is_known: Callable[[dict], bool]) -> Iterator[dict]:
    """Rows of a plan but for those that are known."""
    for name in plan.codecs:
        for bits in plan.bits:
            given = [_point(name, bits, rate, plan.fitted_on) for rate in plan.rates]
            missing = [point for point in given if not is_known(point)]
            if missing:
                yield from _codec_rows(missing, bench)
    yield from rate_networks.rows(plan, bench, is_known)


def _point(name: str, bits: int, rate: str, fitted_on: str) -> dict:
    point = {"model": name, "report_bits": bits, "rate": rate}
    return point | {"fitted_on": fitted_on or None, "codeword_dim": None, "bits": None}


def _codec_rows(points: list[dict], bench: Bench) -> Iterator[dict]:
    """Rows of a codec at some rates, fitted once unless it is fitted to a budget."""
    settings, builder = bench.settings, bench.builder
    if other := points[0]["fitted_on"]:
        settings = dataclasses.replace(settings, dataset=other)
        splits.check(settings, ("train",))
        builder = splits.open_builder(other, settings.data_dir, settings.manual_dir)
    name, bits = points[0]["model"], points[0]["report_bits"]
    coded = [Coded(name, bits, point["rate"] == "fixed") for point in points]
    array, fits = methods.array_of(builder), {}
    for one, point in zip(coded, points, strict=True):
        if one.fits_budget not in fits:
            fits[one.fits_budget] = methods.fitted(one, settings, array)
        codec, about = fits[one.fits_budget]
        train = results_row.stored_part(settings, builder, "train", about["num_train"])
        began = time.monotonic()
        h_hat, found = methods.through_bytes(codec, bench.test, one)
        own = {"model_args": one.options() | methods.codec_options(codec)}
        seconds = {"test_seconds": round(time.monotonic() - began, 1)}
        made = point | about | own | found | seconds
        yield made | {"train_data": train} | bench.measured(h_hat)
