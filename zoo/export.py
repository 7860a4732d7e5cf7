"""Export a run: python -m zoo.export --run=DIR --out=DIR --precision=fp32,int8,qat.

Writes the UE's encoders, one file for each precision (by default `encoder.tflite`,
float32, and `encoder_dynamic.tflite`, dynamic-range int8), `decoder/<version>/` (frozen
SavedModel) for the BS, `codec.json`, golden vectors and `checksums.sha256`; every
artefact is loaded back and compared with the trained network before the directory
appears under its name.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo import config_flags, files, registry
from zoo.quantization import precisions


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    cli.require("run", "out")
    out, options = Path(values.out), precisions.options()
    own = config_flags.own()
    registry.check_run(Path(values.run), **own)
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.exporting.exporter import export
    from zoo.quantization import precision_table
    from zoo.run_directory import RunDirectory

    run = RunDirectory(Path(values.run), **own)
    codec = export(run, out, values.version, options=options)
    if options.evaluate:
        print(precision_table.text(files.read_json(out / precision_table.FILE)))
    print(
        f"model {codec['model_id']}: "
        f"{' + '.join(f'{n} x {bits}' for n, bits in codec['sections'])} bits = "
        f"{codec['payload_bytes']} payload bytes; verified; next: python -m "
        f"serving.server --model_base_path={out / 'decoder'}"
    )


def define_flags() -> None:
    """Flags of this command."""
    flags.DEFINE_string("run", "", "run directory of a training")
    config_flags.define_own()
    flags.DEFINE_string("out", "", "directory to create")
    flags.DEFINE_integer("version", 1, "SavedModel version of the decoder")
    precisions.define_flags()


if __name__ == "__main__":
    define_flags()
    cli.run(main)
