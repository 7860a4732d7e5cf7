"""Evaluate a classic baseline on the test split, without training a network.

    python -m zoo.baseline --method=fista --codeword_dim=128
        --dataset=cost2100_sim/indoor --num_test=1000 --json=fista_128.json

`klt` feeds back M/2 complex principal components, fitted to the training CSI. The
others feed back M random linear measurements y = A x of the zero-centred CSI, a real
vector, and recover it by `lasso` (ISTA), `fista` or `tval3` (total variation); their
weight is chosen on validation samples unless it is given. The float32 measurements are
not quantised.

    python -m zoo.baseline --method=pursuit --report_bits=512
        --dataset=cost2100_sim/indoor --json=pursuit_512.json

sends real bytes, as do `pursuit_learned`, `dft`, `klt_coded` and `klt_mixture`:
--report_bits in the mean of the training CSI, or with --rate=fixed at most in every
report. `pursuit_learned` codes positions beside earlier ones. `pursuit` also takes
--report_nmse=-20, an error at which each report ends; with --noise=known or estimated
it does not describe noise; with --calibrate it learns the gains of the antennas.
--perturb='{"gain_db": 2, "phase_deg": 20}' makes antennas unlike, '{"diffuse": 0.3}'
scatters a part of the energy (`zoo.data.perturbations`).

    python -m zoo.baseline --method=etype2 --param_combination=4 --rank=1
        --dataset=tr38901/r18_dense_urban_2ghz --json=etype2_4.json

sends the eigenvectors of subbands instead, as do `type2`, `type1` and with
--target=eigenvectors `klt`, `klt_coded`, `klt_mixture` and `pursuit`: real bits, SGCS
of each layer, rates of one user and of --num_users served together.

BM3D-AMP is not here: no BM3D library has a usable licence and runs on a CPU, see
`zoo.baselines`.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo import config_flags, files
from zoo.baselines import methods, sensing, total_variation
from zoo.baselines.catalogue import BASELINES, CODEBOOKS, CODED
from zoo.baselines.iteration import Stop
from zoo.baselines.methods import Method
from zoo.codecs import coded as coded_csi
from zoo.codecs import coded_flags, eigen_flags, eigen_report
from zoo.codecs import methods as codecs
from zoo.codecs.coded import Coded
from zoo.config import ExperimentConfig
from zoo.data import splits, stream
from zoo.metrics import results_row
from zoo.metrics.results_row import stored_part

DATA_FLAGS = (
    "codeword_dim", "dataset", "data_dir", "manual_dir", "scaling", "num_train",
    "num_test", "test_split", "csi_noise", "test_snr_db", "seed",
)  # fmt: skip
SENSED = ("fista", "lasso", "tval3")
BELONGS = {
    "codeword_dim": ("klt", *SENSED),
    "num_train": ("klt", *CODED),
    "measurement": SENSED,
    "tolerance": SENSED,
    "max_iterations": SENSED,
    "lambda": ("fista", "lasso"),
    "mu": ("tval3",),
    "beta": ("tval3",),
    "tv": ("tval3",),
    **coded_flags.BELONGS,
    **eigen_flags.BELONGS,
}
SHOWN = ("nmse_db", "rho", "feedback_bits", "model_args", "seconds_per_csi")
SHOWN_EIGEN = (
    "sgcs_by_layer", "sgcs_weighted", "gcs_by_layer", "nmse_db", "closed_form",
    "feedback_bits", "model_args", "beamforming_loss_db", "rate", "rate_perfect",
    "zf_rate", "zf_rate_perfect", "zf_rate_5_percent", "seconds_per_csi",
)  # fmt: skip


def evaluate_baseline(
    method: Method | Coded | None, settings: ExperimentConfig
) -> dict:
    """Results row of a baseline on the test split, read once.

    Args:
        method: recovery from random measurements, or a codec; None: the KLT.
        settings: data set, noise, M and seed (of A and of the noise) apply; of a
            stream the stored splits, which the row names.

    Raises:
        ValueError: unusable sizes, options or data.
    """
    settings = replace(settings, dataset=stream.parse(settings.dataset)[0])
    coded, dim = isinstance(method, Coded), settings.codeword_dim
    size = math.prod(splits.check(settings, ("test",)))
    if not coded:
        sensing.check(dim, size)
    if method is None and dim % 2:
        raise ValueError(
            f"--codeword_dim={dim}: --method=klt sends complex numbers, give an even "
            "one"
        )
    builder = splits.open_builder(
        settings.dataset, settings.data_dir, settings.manual_dir
    )
    test = None if coded else splits.load_split(settings, "test")
    if coded:
        array = codecs.array_of(builder)
        test = coded_csi.load(settings, "test", method.perturbation, array)
        h_hat, found = codecs.sent(method, settings, test, array)
    elif method:
        h_hat, found = methods.sensed(method, settings, test)
    else:
        h_hat, found = methods.klt(settings, test)
    return {
        "model": method.name if method else "klt",
        **results_row.data_set(settings, builder),
        "ratio": None if coded else dim / size,
        "codeword_dim": None if coded else dim,
        "bits": None,
        "feedback_bits": None,
        "precision": "fp32",
        "csi_noise": settings.csi_noise,
        "test_snr_db": settings.to_json()["test_snr_db"],
        "train_data": _fitted_to(method, found, settings, builder),
        **found,
        **results_row.nmse_metrics(test.h, h_hat),
        **test.frequency_metrics(h_hat),
        "ue_macs": None if coded else dim * size,
        "num_test": len(test.csi),
        "seed": settings.seed,
        **files.environment(),
        "origin": "ours",
    }


def _fitted_to(method, found: dict, settings, builder) -> str | None:
    """Training CSI that a baseline took, if any."""
    if isinstance(method, Method):
        return None
    return stored_part(settings, builder, "train", found["num_train"])


def _weight(values: flags.FlagValues, name: str) -> float | None:
    text = values[name].value
    try:
        return None if text == "auto" else float(text)
    except ValueError:
        raise ValueError(f"--{name}={text}: expected a number or auto") from None


def method_from_flags(values: flags.FlagValues) -> Method | Coded | None:
    """Method of the parsed flags; None is the KLT.

    Raises:
        ValueError: no method, a value out of range, or a flag of another method.
    """
    name = check_owners(values)
    if name == "klt":
        return None
    if name in CODED:
        return coded_flags.coded_of(values)
    stop = Stop(values.tolerance, values.max_iterations)
    weight = _weight(values, "mu" if name == "tval3" else "lambda")
    return Method(name, weight, values.measurement, stop, values.tv, values.beta)


def check_owners(values: flags.FlagValues) -> str:
    """Name of the method of the parsed flags.

    Raises:
        ValueError: no method, or a flag of another one.
    """
    name = values.method
    if not name:
        raise ValueError(
            f"--method is missing: give one of {', '.join(BASELINES | CODEBOOKS)}; "
            "usage: python -m zoo.baseline --method=METHOD [--flag=value ...]"
        )
    for flag, owners in BELONGS.items():
        if values[flag].present and name not in owners:
            raise ValueError(
                f"--{flag} has no effect on --method={name}: leave it out (it is for "
                f"{', '.join(owners)})"
            )
    return name


def settings_from_flags(values: flags.FlagValues) -> ExperimentConfig:
    """Data configuration of the parsed flags; validation gets the noise of the test."""
    chosen = {name: values[name].value for name in DATA_FLAGS}
    return ExperimentConfig(**chosen, train_snr_db=chosen["test_snr_db"])


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Define the flags of the data, as for training, and of the methods."""
    experiment = flags.FlagValues()
    config_flags.define_flags(experiment)
    experiment["seed"].help = "seed of the random matrix and of the noise"
    for name in DATA_FLAGS:
        flags.DEFINE_flag(experiment[name], flag_values=values)
    for name, choices, default, text in (
        ("method", BASELINES | CODEBOOKS, None, "classic method"),
        ("measurement", sensing.KINDS, "gaussian", "rows of the random matrix"),
        ("tv", total_variation.GROUPS, "joint", "norm of the differences (tval3)"),
    ):
        flags.DEFINE_enum(name, default, list(choices), text, flag_values=values)
    for name, define, default, text in (
        ("json", flags.DEFINE_string, "", "results row; empty: only print"),
        ("lambda", flags.DEFINE_string, "auto", "share of max|A^T y| (lasso, fista)"),
        ("mu", flags.DEFINE_string, "auto", "data weight; inf: A x = y (tval3)"),
        ("beta", flags.DEFINE_float, 32.0, "penalty: speed, not result (tval3)"),
        ("tolerance", flags.DEFINE_float, 1e-4, "relative change that ends a sample"),
        ("max_iterations", flags.DEFINE_integer, 1000, "iterations at most"),
    ):
        define(name, default, text, flag_values=values)
    coded_flags.define_flags(values)
    eigen_flags.define_flags(values)


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    check_owners(flags.FLAGS)
    settings = settings_from_flags(flags.FLAGS)
    report = eigen_flags.report_of(flags.FLAGS)
    with locks.alone_for(flags.FLAGS.json):
        if report:
            row = eigen_report.evaluate(report, settings)
            print("\n".join(f"{k}: {text}" for k, text in row["definitions"].items()))
        else:
            row = evaluate_baseline(method_from_flags(flags.FLAGS), settings)
        if flags.FLAGS.json:
            files.write_json(Path(flags.FLAGS.json), row)
    shown = SHOWN_EIGEN if report else SHOWN
    print(json.dumps({key: row.get(key) for key in shown}))
    if flags.FLAGS.json:
        print(f"results row: {flags.FLAGS.json}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
