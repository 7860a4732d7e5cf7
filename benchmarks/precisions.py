"""Encoders of several networks in every precision: NMSE, size, latency, operations.

    python -m benchmarks.precisions --json=zoo/results/precisions_16.json

Each network is trained at 1/16 as in zoo/flagfiles/crnet_quickstart.cfg (6 bits per
codeword entry) with the peak learning rate of its own paper, evaluated, and exported
with all precisions but int16x8, the converter's own, which zoo.export refuses for some
trainings; pruned and clustered where it has a large dense layer. What is complete in
--directory is not made again.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from serving.codec.ue_encoder import read_codec
from tfds_builders import cli
from zoo import files
from zoo.experiments.runner import evaluated, settings_of
from zoo.quantization import compression, precision_table
from zoo.quantization.precisions import PRECISIONS
from zoo.quickstart import FLAGFILE
from zoo.reporting.blocks import markdown
from zoo.reporting.deployment_tables import precisions
from zoo.run_directory import RunDirectory
from zoo.steps import step

RUN = (
    "model", "codeword_dim", "dataset", "dataset_config", "seed", "epochs",
    "nmse_pca_db", "weights_sha256", "train_seconds", "train_commit", "train_device",
)  # fmt: skip

_NETWORKS = flags.DEFINE_list(
    "networks", ["crnet", "acrnet", "clnet", "cllwcsinet"], "networks to export"
)
_PRECISION = flags.DEFINE_list(
    "precision", [name for name in PRECISIONS if name != "int16x8"], "encoders"
)
_DIRECTORY = flags.DEFINE_string("directory", "runs/precisions", "where the runs live")
_FLAGS = flags.DEFINE_string("flags", "", "changes of the training, as of zoo.train")
_JSON = flags.DEFINE_string("json", "", "also write the result here")


def row(name: str) -> dict:
    """Precisions of a network: trained, evaluated and exported where it was not before.

    Raises:
        ValueError: a command failed (it has printed why), or a run or an export that is
            there is another one.
    """
    run = Path(_DIRECTORY.value) / name
    export = run.with_name(f"{name}_export")
    lr = settings_of(FLAGFILE.with_name(f"{name}.cfg")).lr
    extra = f"--model={name} --lr={lr} --image_every=0 {_FLAGS.value}"
    settings = settings_of(FLAGFILE, extra, run_dir=str(run))
    flagfile = run.with_suffix(".cfg")
    files.write_text(flagfile, settings.to_flags())
    values = evaluated(run, f"--flagfile={flagfile}")
    wanted = _possible(run)
    if not export.is_dir():
        chosen = f"--precision={','.join(wanted)}"
        step("zoo.export", f"--run={run}", f"--out={export}", chosen, "--evaluate")
    if read_codec(export)["weights_sha256"] != values["weights_sha256"]:
        raise ValueError(f"{export} is of another training than {run}: remove it")
    table = files.read_json(export / precision_table.FILE)
    if not set(table["rows"]) >= set(wanted):
        raise ValueError(
            f"{export} has {', '.join(table['rows'])}: remove it to export "
            f"{', '.join(wanted)}"
        )
    print(precision_table.text(table), flush=True)
    return {key: values.get(key) for key in RUN} | {
        "num_test": table["num_test"],
        "export_device": table["device"],
        "precisions": _with_sizes({name: table["rows"][name] for name in wanted}),
    }


def _possible(run: Path) -> list[str]:
    """Precisions asked for, without those that need a layer that the network lacks."""
    if compression.large_layers(RunDirectory(run).load().encoder):
        return _PRECISION.value
    return [x for x in _PRECISION.value if not PRECISIONS[x].compressed]


def _with_sizes(rows: dict[str, dict]) -> dict[str, dict]:
    """Rows of `precision.json` with their size as a share of float32's."""
    base = rows["fp32"]["kib"]
    return {name: {**r, "of_fp32": r["kib"] / base} for name, r in rows.items()}


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    if "fp32" not in _PRECISION.value:
        raise ValueError(f"--precision={_PRECISION.value}: expected fp32 among them")
    rows = [row(name) for name in _NETWORKS.value]
    result = {"rows": rows, **files.environment(), "origin": "ours"}
    print(markdown(precisions(result)))
    if _JSON.value:
        files.write_json(Path(_JSON.value), result)


if __name__ == "__main__":
    cli.run(main)
