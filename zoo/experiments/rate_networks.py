"""Points of rate curves of trained networks: their own bits, or bits fitted later."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.data.batches import BATCH
from zoo.exporting import fit_quantizer
from zoo.layers.entropy_model import EntropyBottleneck
from zoo.metrics import complexity
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, run_row

TRAINED, LATER = "in training", "after training"
READ = ("dataset", "data_dir", "manual_dir", "num_test")


def rows(plan, bench, is_known: Callable[[dict], bool]) -> Iterator[dict]:
    """Rows of a plan's runs on the test CSI of a bench, but for those that are known.

    Args:
        plan: `zoo.experiments.rate.Plan`.
        bench: `zoo.experiments.rate.Bench`.
        is_known: of the beginning of a row.

    Raises:
        ValueError: a run of other inputs, or of CSI of another shape.
    """
    for path in plan.runs:
        run = RunDirectory(path)
        settings = _reading(run, bench.settings)
        for bits in [settings.bits] if _has_bits(run, settings) else plan.later_bits:
            point = _point(run, settings, bits)
            if not is_known(point):
                yield point | _measured(run, settings, point, bench)


def _reading(run: RunDirectory, data: ExperimentConfig) -> ExperimentConfig:
    """Configuration of a run that reads other data.

    Raises:
        ValueError: other inputs than a single CSI, or CSI of another scaling.
    """
    own = run.config()
    spec = registry.get(own.model)
    if own.num_frames or spec.takes_uplink:
        what = "the uplink" if spec.takes_uplink else "sequences"
        raise ValueError(f"{run.path} takes {what}: rate curves are of single CSI")
    if own.scaling != data.scaling:
        raise ValueError(
            f"--scaling={data.scaling}: {run.path} was trained with "
            f"--scaling={own.scaling}, give that"
        )
    quiet = evaluation.with_noise(own, data.csi_noise, data.test_snr_db)
    read = {name: getattr(data, name) for name in READ}
    return dataclasses.replace(quiet, num_train=0, num_validation=0, **read)


def _has_bits(run: RunDirectory, settings: ExperimentConfig) -> bool:
    """Whether a run sends bits, of a quantiser or of an entropy coder."""
    if settings.bits:
        return True
    return any(isinstance(layer, EntropyBottleneck) for layer in run.load().path)


def _point(run: RunDirectory, settings: ExperimentConfig, bits: int) -> dict:
    return {
        "model": settings.model,
        "run": run.path.name,
        "weights_sha256": files.sha256(run.weights),
        "codeword_dim": settings.codeword_dim,
        "bits": bits,
        "quantised": TRAINED if settings.bits == bits else LATER,
        "report_bits": None,
        "rate": None,
        "fitted_on": None,
    }


def _measured(run: RunDirectory, settings, point: dict, bench) -> dict:
    """Errors, bits and training of a run."""
    if point["quantised"] == LATER:
        settings = fit_quantizer.quantised(settings, "uniform", point["bits"])
        model, fit = fit_quantizer.fitted_model(run, settings)
        about = {"fitted_quantizer": fit._asdict()}
    else:
        model, about = run.load(bench.test.csi.shape[1:]), {}
    codeword = model.encoder.predict(bench.test.csi, batch_size=BATCH, verbose=0)
    train = None if settings.bits else splits.load_split(settings, "train")
    sent, bits = evaluation.send(model, settings, codeword, train)
    h_hat = evaluation.decode(model, sent, *bench.test.side)
    size = bits["feedback_bits"]
    shapes = bench.test.csi.shape[1:], codeword.shape[1]
    return {
        **run_row.describe(run, settings, bench.builder, shapes),
        **about,
        **complexity.summary(model),
        "feedback_bits_min_max": [size, size],
        **bits,
        **bench.measured(h_hat),
        "origin": run.origin,
    }
