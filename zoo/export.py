"""Export a run: python -m zoo.export --run=DIR --out=DIR --precision=fp32,int8,qat.

Writes the UE's encoders, one file for each precision (by default `encoder.tflite`,
float32, and `encoder_dynamic.tflite`, dynamic-range int8), `decoder/<version>/` (frozen
SavedModel) for the BS, `codec.json`, golden vectors and `checksums.sha256`; every
artefact is loaded back and compared with the trained network before the directory
appears under its name.

A run or weights (`--weights=NAME`) that were trained without quantiser get one with
`--quantizer=uniform --bits=B`: a grid fitted to their codewords, without training; what
it costs is printed. `--fitted_run=DIR` keeps that network for zoo.evaluate.

`--exchange=FILE` instead of `--out` hands over to the other side what it needs to train
its part (`--collaboration` of zoo.train): CSI and code bits, nothing of the network. Of
a run of one side alone `--partner=DIR`, the run that handed over to it, is the rest.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo import config_flags, files, registry
from zoo.config import OWN, ExperimentConfig
from zoo.config_checks import is_reference
from zoo.importing import weights_by_name
from zoo.quantization import precisions

CODECS = ("pursuit",)
NETWORK = (
    "run", "partner", "weights", "weights_sha256", "bits", "fitted_run", "precision",
    *OWN, "calibration_samples", "int8_loss", "qat_epochs", "qat_lr", "qat_samples",
    "sparsity", "clusters", "evaluate", "test_samples",
)  # fmt: skip
ALSO = ("run", "weights", "weights_sha256", *OWN)  # of these, with --exchange
OF_EXPORT = ("out", "codec", "version", "frame_version")  # without --exchange
CODEC = ("dataset", "data_dir", "manual_dir", "scaling", "report_bits", "oversampling")


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    other = NETWORK if values.codec else CODEC
    for name in other:
        if values[name].present:
            kind, has = ("a run", "given") if values.codec else ("--codec", "missing")
            raise ValueError(f"--{name} is for {kind}, and --codec is {has}")
    if values.exchange:
        _exchange(values)
        return
    out = _codec(values) if values.codec else _network(values)
    print(f"next: python -m serving.server --model_base_path={out / 'decoder'}")


def _codec(values: flags.FlagValues) -> Path:
    """Export a codec without a network."""
    cli.require("dataset", "report_bits", "out")
    out = Path(values.out)
    files.check_new(out)
    given = {name: values[name].value for name in CODEC[:4]}
    settings = ExperimentConfig(**given)
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.exporting import directory, pursuit_export

    directory.check_new(out, values.version)
    fitted = pursuit_export.fit(settings, values.report_bits, values.oversampling)
    codec = pursuit_export.export(
        fitted, settings, out, values.version, values.frame_version
    )
    plain, grid = fitted.plain, fitted.plain.grid
    print(
        f"model {codec['model_id']}: {plain.num_atoms} atoms of {grid.num_angles} "
        f"angles x {grid.num_delays} delays in {codec['payload_bytes']} payload bytes; "
        f"coded reports of up to {fitted.coded.most} atoms; verified"
    )
    return out


def _network(values: flags.FlagValues) -> Path:
    """Export a run."""
    path = weights_by_name.from_flags()
    cli.require("out")
    out, options = Path(values.out), precisions.options()
    files.check_new(out)
    own = config_flags.own()
    fitted = own["quantizer"] if not is_reference(own["quantizer"]) else ""
    own |= {"quantizer": ""} if fitted else {}
    registry.check_run(path, **own)
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.exporting import fit_quantizer
    from zoo.exporting.exporter import export
    from zoo.quantization import precision_table
    from zoo.training import pairing

    run = pairing.opened(path, values.partner, **own)
    with fit_quantizer.with_bits(run, fitted, values.bits, values.fitted_run) as sends:
        codec = export(sends, out, values.version, options, values.frame_version)
    if options.evaluate:
        print(precision_table.text(files.read_json(out / precision_table.FILE)))
    print(
        f"model {codec['model_id']}: "
        f"{' + '.join(f'{n} x {bits}' for n, bits in codec['sections'])} bits = "
        f"{codec['payload_bytes']} payload bytes; verified"
    )
    return out


def _exchange(values: flags.FlagValues) -> None:
    """Hand over a run's CSI and code bits."""
    for name in (*(x for x in NETWORK if x not in ALSO), *OF_EXPORT):
        if values[name].present:
            raise ValueError(f"--{name} has no effect with --exchange: leave it out")
    path, own = weights_by_name.from_flags(), config_flags.own()
    registry.check_run(path, **own)
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.exporting import hand_over
    from zoo.run_directory import RunDirectory

    target = Path(values.exchange)
    with locks.alone_for(target):
        header = hand_over.hand_over(RunDirectory(path, **own), target)
    goal = header["performance"]
    print(
        f"{target}: pair {header['pairing_id']}, {goal['metric']} {goal['value']:.4g}; "
        f"next: python -m zoo.train --exchange={target} --collaboration=nw_first, or "
        "ue_first"
    )


def define_flags() -> None:
    """Flags of this command."""
    weights_by_name.define_flags()
    config_flags.define_own("; 'uniform': even steps fitted to a run without quantiser")
    flags.DEFINE_integer("bits", 0, "bits per codeword entry of --quantizer=uniform")
    flags.DEFINE_string("fitted_run", "", "directory to keep the fitted network in")
    flags.DEFINE_string("out", "", "directory to create")
    config_flags.define_partner()
    flags.DEFINE_string("exchange", "", "file to hand over to the other side instead")
    flags.DEFINE_integer("version", 1, "SavedModel version of the decoder")
    flags.DEFINE_integer(
        "frame_version",
        1,
        "of the frames; 2: with a sequence number and CRC-64, 8 bytes more",
        lower_bound=1,
        upper_bound=2,
    )
    precisions.define_flags()
    flags.DEFINE_enum("codec", "", ["", *CODECS], "codec to fit instead of a run")
    settings = flags.FlagValues()
    config_flags.define_flags(settings)
    settings["dataset"].value = ""
    for name in CODEC[:4]:
        flags.DEFINE_flag(settings[name])
    flags.DEFINE_integer("report_bits", 0, "bits of a report of --codec, at most")
    flags.DEFINE_integer("oversampling", 0, "of the grid of --codec; 0: the best")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
