"""Evaluate a run on the test split: python -m zoo.evaluate --run=DIR --json=FILE.

Writes one results row (JSON), and beside it plots of true against recovered |H| and of
the distribution of the per-sample NMSE, with the numbers behind them for zoo.report.
`--test_snr_db` and `--csi_noise` put another noise on the network's input than the
run's, `--feedback_snr_db` on the codeword; the truth is always clean. `--test_split`
tests on another split: of UEs on a track, `test_stretch` and `test_tracks`.
`--partner=DIR` is, for a run of one side alone (`--collaboration`), the run that has
handed over to it: encoder of one, real bits, decoder of the other. `--weights=NAME`
takes the place of `--run`: weights of the zoo, a URL, a repository of the hub.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import blocks, cli, locks
from zoo import config_flags, files, registry
from zoo.config import ExperimentConfig
from zoo.importing import weights_by_name

SHOWN = 6  # examples of the test split


def _save_figures(target: Path, h, h_hat, ratios: np.ndarray, by_nmse: bool) -> None:
    """Draw plots beside a results row, and keep what they are drawn from."""
    from zoo.metrics import plots

    with files.atomic_path(target.with_name(target.stem + "_examples.png")) as image:
        plots.save_examples(h, h_hat, image)
    if by_nmse:
        with files.atomic_path(target.with_name(target.stem + "_nmse.png")) as image:
            plots.save_nmse_histogram(ratios, image)
    with files.atomic_path(target.with_name(target.stem + "_figures.npz")) as archive:
        np.savez(archive, h=h, h_hat=h_hat, ratios=ratios)


def _save_samples(target: Path, h, settings: ExperimentConfig) -> None:
    """Write zero-centred clean CSI, and its uplink, as samples of serving.client."""
    from zoo.data import splits

    arrays = {"h": h}
    if registry.get(settings.model).takes_uplink:
        arrays["uplink"] = splits.load_split(settings, "test").uplink
    with files.atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    print(f"test CSI for serving.client: {target}")


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    path, own = weights_by_name.from_flags(), config_flags.own()
    registry.check_run(path, **own)
    names = ("csi_noise", "test_snr_db", "feedback_snr_db")
    noise = [flags.FLAGS[name].value for name in names]
    uplink, split = flags.FLAGS.uplink, flags.FLAGS.test_split
    # TensorFlow: seconds that no wrong name waits for.
    from zoo.training import pairing

    run = pairing.opened(path, flags.FLAGS.partner, **own)
    changes = [*noise, None if uplink == "paired" else uplink, split]
    changes += [run.label] if flags.FLAGS.partner and run.label else []
    name = "_".join(["evaluation", *(str(x) for x in changes if x is not None)])
    folder = (
        path if flags.FLAGS.run else Path(weights_by_name.label(flags.FLAGS.weights))
    )
    target = Path(flags.FLAGS.json or folder / f"{name}.json")
    with locks.alone_for(target):
        _evaluate(run, target, noise)


def _evaluate(run, target: Path, noise: list) -> None:
    """Evaluate a run and write all about it."""
    from zoo.metrics import accuracy
    from zoo.training.evaluation import evaluate

    split = flags.FLAGS.test_split
    row, h, h_hat = evaluate(run, *noise, flags.FLAGS.uplink, split)
    shown, by_nmse = (h[:SHOWN], h_hat[:SHOWN]), row["nmse_db"] is not None
    _save_figures(target, *shown, accuracy.nmse(h, h_hat), by_nmse)
    files.write_json(target, row)
    if flags.FLAGS.samples:
        settings = run.config()
        settings = replace(settings, test_split=split or settings.test_split)
        _save_samples(Path(flags.FLAGS.samples), h, settings)
    keys = ["nmse_db", "nmse_float_db", "nmse_pca_db", "rho", "feedback_bits"]
    if "sent" in row:
        keys[3:4] = ["sgcs_by_layer", "sgcs_weighted", "zf_rate"]
    print(json.dumps({k: row.get(k) for k in keys}))
    print(f"results row: {target}")


if __name__ == "__main__":
    weights_by_name.define_flags()
    config_flags.define_own()
    config_flags.define_partner()
    flags.DEFINE_string(
        "json", "", "results row; empty: <run>/evaluation*.json, or <weights>/ here"
    )
    flags.DEFINE_string("samples", "", "also write the clean test CSI for the client")
    flags.DEFINE_float("test_snr_db", None, "SNR of the test instead of the run's")
    flags.DEFINE_float(
        "feedback_snr_db", None, "SNR of the codeword instead of the run's; inf: exact"
    )
    flags.DEFINE_enum(
        "csi_noise", None, ["none", "awgn", "ls"], "noise instead of the run's"
    )
    flags.DEFINE_enum(
        "test_split",
        None,
        ["test", *blocks.TRACK_TESTS],
        "split of the data set instead of the run's",
    )
    flags.DEFINE_enum(
        "uplink",
        "paired",
        ["paired", "shuffled"],
        "give the decoder the drop's own uplink, or that of another drop",
    )
    cli.run(main)
