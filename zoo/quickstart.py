"""The main job end to end: python -m zoo.quickstart (make quickstart).

Simulates channels, trains, evaluates, exports, serves the decoder, sends the test set
through encoder.tflite -> bytes -> server, and sums up in one table, `summary.json` and
`report.html`. Every step is the command that a user would type, shown as it runs.
Flags of the training behind `--` override its flagfile: python -m zoo.quickstart --
--epochs=2.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import flags

from tfds_builders import cli, durable, locks
from zoo import config_flags, files, registry
from zoo.reporting.quickstart_table import LABELS, table
from zoo.reporting.run_page import write
from zoo.steps import server, step

FLAGFILE = Path("zoo/flagfiles/crnet_quickstart.cfg")  # by name, from everywhere
OF_A_QUICKSTART = {"tfds", "run", "export", "summary.json"}
ENCODERS = {"float32": "encoder.tflite", "dynamic": "encoder_dynamic.tflite"}


def summarise(directory: Path, run: Path, export: Path) -> dict:
    """Collect the figures of all steps; the table and summary.json are this."""
    row = files.read_json(directory / "evaluation.json")
    sent = {k: files.read_json(directory / f"served_{k}.json") for k in ENCODERS}
    served = sent["float32"]
    return {
        "nmse_float_db": row["nmse_float_db"],
        "nmse_quantised_db": row["nmse_db"],
        "nmse_served_db": served["nmse_db"],
        "nmse_served_dynamic_db": sent["dynamic"]["nmse_db"],
        "nmse_pca_db": row["nmse_pca_db"],
        "rho": row.get("rho"),
        "feedback_bits": int(served["payload_bits_per_csi"]),
        "frame_bytes": int(served["frame_bytes_per_csi"]),
        "encoder_bytes": (export / "encoder.tflite").stat().st_size,
        "encoder_dynamic_bytes": (export / "encoder_dynamic.tflite").stat().st_size,
        "encode_ms_p50": served["encode_ms"]["p50"],
        "decode_ms_p50": served["round_trip_ms"]["p50"],
        "train_seconds": row["train_seconds"],
    }


def training_flags(directory: Path, flagfile: Path, overrides: list[str]) -> list[str]:
    """Command line of the training; arguments as of `run_steps`."""
    places = [f"--data_dir={directory / 'tfds'}", f"--run_dir={directory / 'run'}"]
    return [f"--flagfile={flagfile}", *places, *overrides]


def check(directory: Path, training: list[str]) -> None:
    """Refuse a training whose run cannot go all the way, before anything is moved.

    Args:
        directory: of everything, may hold an earlier quickstart.
        training: flags of the training.

    Raises:
        ValueError: flags that are unknown or do not fit, a run without bits, or a
            directory of other files.
        OSError: there are no such weights, or the directory cannot be written.
    """
    settings = config_flags.from_flags(config_flags.parse(training, "training"))
    registry.check_names(settings)
    if not settings.bits:
        raise ValueError(
            "the quickstart sends bits: give --quantizer=uniform --bits=1..16 behind --"
        )
    found = {path.name for path in directory.iterdir()} if directory.exists() else set()
    if found and not found & OF_A_QUICKSTART:
        raise ValueError(
            f"--directory={directory} holds {min(found)} and no earlier quickstart: "
            "choose another directory"
        )
    import tensorflow as tf  # seconds that no wrong name waits for

    from zoo.training import session

    tf.config.set_visible_devices([], "GPU")  # the training, a process, needs it whole
    if Path(settings.run_dir).parent == directory:  # which holds none when it begins
        new = directory.with_name(f"{directory.name}.new")
        settings = dataclasses.replace(settings, run_dir=str(new / "run"))
    session.check(settings, tf.distribute.get_strategy())


def run_steps(directory: Path, flagfile: Path, overrides: list[str]) -> dict:
    """Run all steps below `directory`; see the module's first line.

    Args:
        directory: everything is written here; must not exist.
        flagfile: of the training.
        overrides: flags after the flagfile.

    Raises:
        ValueError: `directory` exists, or a step failed.
    """
    training = training_flags(directory, flagfile, overrides)
    settings = config_flags.from_flags(config_flags.parse(training, "training"))
    run, own = settings.resolved_run_dir, config_flags.named(settings)
    export, samples = directory / "export", directory / "test_samples.npz"
    step("zoo.train", *training)
    step(
        "zoo.evaluate",
        f"--run={run}",
        *own,
        f"--json={directory / 'evaluation.json'}",
        f"--samples={samples}",
        "--csi_noise=none",  # the client's samples are clean, too
    )
    step("zoo.export", f"--run={run}", *own, f"--out={export}")
    with server(export / "decoder") as running:
        for name, file in ENCODERS.items():
            step(
                "serving.client",
                f"--encoder={export / file}",
                f"--endpoint={running.endpoint}",
                f"--samples={samples}",
                f"--json={directory / f'served_{name}.json'}",
            )
    summary = summarise(directory, run, export)
    files.write_json(directory / "summary.json", summary)
    row = files.read_json(directory / "evaluation.json")
    files.write_json(directory / "result.json", {"summary": summary, "row": row})
    rows = {LABELS[key]: value for key, value in summary.items()}
    write(directory / "report.html", directory / "evaluation.json", run, rows)
    return summary


def main(argv: list[str]) -> None:
    """Command line; arguments after the flags override the training's flagfile."""
    directory, flagfile = Path(flags.FLAGS.directory), Path(flags.FLAGS.train_flagfile)
    with locks.alone_for(directory):
        check(directory, training_flags(directory, flagfile, argv[1:]))
        _carry_out(directory, flagfile, argv[1:])


def _carry_out(directory: Path, flagfile: Path, overrides: list[str]) -> None:
    if directory.exists():
        kept = directory.with_name(f"{directory.name}_{_mtime(directory)}")
        durable.replace(directory, kept)
        print(f"an earlier quickstart was moved to {kept}")
    summary = run_steps(directory, flagfile, overrides)
    print(f"\n{table(summary)}\n")
    print(f"the same as JSON: {directory / 'summary.json'}")
    print(f"to look at: {directory / 'report.html'}")


def _mtime(path: Path) -> str:
    from datetime import datetime

    moment = datetime.fromtimestamp(path.stat().st_mtime)
    return moment.strftime("%Y%m%d-%H%M%S")


if __name__ == "__main__":
    flags.DEFINE_string("directory", "runs/quickstart", "where everything is written")
    flags.DEFINE_string("train_flagfile", str(FLAGFILE), "flagfile of the training")
    cli.run(main)
