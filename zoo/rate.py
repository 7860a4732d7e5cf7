"""Error over the bits that are really sent, of codecs and networks: python -m zoo.rate.

    python -m zoo.rate --dataset=cost2100_sim/indoor_quick --codecs=pursuit,dft
        --models=crnet_indoor_16 --bits=128,256,512 --rate=mean,fixed
        --json=rate_indoor.json

Codecs are fitted to training CSI and send real bytes: --bits in the mean, or with
--rate=fixed at most in every report. --models are run directories or weights by name:
one that was trained with a quantiser sends its own bits, one without gets an even grid
of each number of --quantizer_bits. --fitted_on fits the codecs to another data set.

The file gets a row for each point as soon as it is measured, with the bits of the mean,
the shortest and the longest report, NMSE, that of the worst CSI, rho, SGCS and
beamforming loss; the same command after a kill goes on, and another one adds curves.
Points that are there are not measured again: after a change of a codec, give another
file. A plot lies beside it.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo import config_flags, files, registry
from zoo.config import ExperimentConfig
from zoo.experiments import rate
from zoo.experiments.rate import Plan
from zoo.importing import weights_by_name
from zoo.reporting import rate_curves, rate_plot

DATA_FLAGS = (
    "dataset", "data_dir", "manual_dir", "scaling", "num_train", "num_test",
    "csi_noise", "test_snr_db", "seed",
)  # fmt: skip


def plan_from_flags(values: flags.FlagValues) -> Plan:
    """Plan of the parsed flags.

    Raises:
        ValueError: a value is out of range, or no run directory.
        OSError: weights cannot be had.
    """
    numbers = {}
    for name in ("bits", "quantizer_bits"):
        try:
            numbers[name] = tuple(map(int, values[name].value))
        except ValueError as error:
            raise ValueError(f"--{name}: {error}") from None
    runs = tuple(map(weights_by_name.locate, values.models))
    for run in runs:
        registry.check_run(run)
    names = {"later_bits": numbers["quantizer_bits"], "rates": tuple(values.rate)}
    return Plan(
        tuple(values.codecs), runs, numbers["bits"], fitted_on=values.fitted_on, **names
    )


def settings_from_flags(values: flags.FlagValues) -> ExperimentConfig:
    """Data of the parsed flags."""
    chosen = {name: values[name].value for name in DATA_FLAGS}
    return ExperimentConfig(**chosen, train_snr_db=chosen["test_snr_db"])


def line(row: dict) -> str:
    """A point, for people."""
    low, high = row["feedback_bits_min_max"]
    what = row.get("run") or f"{row['model']} {row['report_bits']} {row['rate']}"
    return (
        f"{what}: {row['nmse_db']:.2f} dB at {row['feedback_bits']:.1f} bits "
        f"({low:.0f} to {high:.0f}), worst CSI {row['nmse_worst_db']:.1f} dB"
    )


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    values = flags.FLAGS
    cli.require("dataset", "json")
    path = Path(values.json)
    plan, settings = plan_from_flags(values), settings_from_flags(values)
    picture = path.with_suffix(".png")
    with locks.alone_for(path):
        content = rate.measure(plan, settings, path, lambda row: print(line(row)))
        with files.atomic_path(picture) as temporary:
            rate_plot.save({settings.dataset: rate_curves.curves(content)}, temporary)
    print(f"rate curves: {path}, {picture}")


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Flags of the data, as for training, and of what is measured."""
    experiment = flags.FlagValues()
    config_flags.define_flags(experiment)
    experiment["dataset"].value = ""
    for name in DATA_FLAGS:
        flags.DEFINE_flag(experiment[name], flag_values=values)
    for name, default, text in (
        ("codecs", [], f"some of {', '.join(rate.methods.METHODS)}"),
        ("models", [], "run directories, or weights by name as of zoo.evaluate"),
        ("bits", list(map(str, rate.BITS)), "of a codec's report"),
        ("rate", ["mean"], "what --bits is: mean, fixed (at most), or both"),
        (
            "quantizer_bits",
            list(map(str, rate.LATER_BITS)),
            "per codeword entry of runs that were trained without a quantiser",
        ),
    ):
        flags.DEFINE_list(name, default, text, flag_values=values)
    flags.DEFINE_string(
        "fitted_on", "", "data set that codecs are fitted to; empty: --dataset"
    )
    flags.DEFINE_string("json", "", "results; points are added to it")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
