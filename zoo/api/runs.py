"""The commands train, evaluate and export as functions."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import config_flags, files, registry
from zoo.api.codec import Codec
from zoo.api.flag_values import flag_value
from zoo.api.loading import Run, of_export, run_of
from zoo.config import OWN, ExperimentConfig
from zoo.config_checks import is_reference
from zoo.exporting import exporter, fit_quantizer
from zoo.quantization.precisions import DEFAULT_PRECISIONS, EncoderOptions
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session


def train(flagfile: str = "", **flags: Any) -> RunDirectory:
    """Train a network to its last epoch; a run that was killed goes on.

    Args:
        flagfile: name or path, such as 'crnet_quickstart'; '': all defaults.
        **flags: flags of zoo.train by name, which win; `model_args` may be a dict.

    Returns:
        The run directory.

    Raises:
        ValueError: an unknown flag, values or data that do not fit, another run in the
            directory, or a loss that is no longer finite.
        OSError: a file cannot be read or written.
    """
    known = {field.name for field in dataclasses.fields(ExperimentConfig)}
    for name in flags.keys() - known:
        close = difflib.get_close_matches(name, known, 3) or sorted(known)
        raise ValueError(f"train: no flag {name!r}, did you mean {', '.join(close)}?")
    values = config_flags.parse([f"--flagfile={flagfile}"] if flagfile else [], "train")
    settings = config_flags.from_flags(
        values, **{k: flag_value(flags[k]) for k in flags}
    )
    registry.check_names(settings)
    own = {k: getattr(settings, k) for k in OWN if is_reference(getattr(settings, k))}
    return dataclasses.replace(session.train(settings), **own)


def evaluate(
    run: Run,
    *,
    json: str | Path = "",
    csi_noise: str | None = None,
    test_snr_db: float | None = None,
    feedback_snr_db: float | None = None,
    uplink: str = "paired",
) -> dict[str, Any]:
    """Evaluate a run's best weights on its test split.

    Args:
        run: run, its directory, or weights by name.
        json: file for the results row; '': none.
        csi_noise: 'none', 'awgn' or 'ls' on the network's input instead of the run's.
        test_snr_db: SNR of it in dB.
        feedback_snr_db: SNR of the codeword in dB, where it is real-valued.
        uplink: 'paired', or 'shuffled' to give each decoder that of another drop.

    Returns:
        The results row: `nmse_db`, `nmse_pca_db`, `rho`, `feedback_bits`, operations,
        bytes, and where all of it comes from.

    Raises:
        ValueError, OSError: no such run, or files or data that do not fit.
    """
    noise = (csi_noise, test_snr_db, feedback_snr_db)
    row, _, _ = evaluation.evaluate(run_of(run), *noise, uplink)
    if json:
        files.write_json(json, row)
    return row


def export(
    run: Run,
    out: str | Path,
    *,
    quantizer: str = "",
    bits: int = 0,
    fitted_run: str | Path = "",
    precision: Sequence[str] = DEFAULT_PRECISIONS,
    version: int = 1,
    frame_version: int = 1,
    **options: Any,
) -> Codec:
    """Write the files of both sides: encoder.tflite, decoder, codec.json, vectors.

    Args:
        run: run, its directory, or weights by name.
        out: directory to create.
        quantizer: 'uniform' fits even steps to a run that has no quantiser.
        bits: B of them.
        fitted_run: directory to keep that network in.
        precision: encoders, of `zoo.quantization.precisions`.
        version: of the decoder.
        frame_version: of the frames, 1 or 2 (with a sequence number and CRC-64).
        **options: of `EncoderOptions`, such as `calibration_samples`.

    Returns:
        The codec of these files.

    Raises:
        ValueError: no bits to send, `out` exists, or a file does not reproduce the
            network.
        OSError: it cannot be written.
    """
    chosen = EncoderOptions(precisions=tuple(precision), **options)
    with fit_quantizer.with_bits(run_of(run), quantizer, bits, fitted_run) as sends:
        exporter.export(sends, Path(out), version, chosen, frame_version)
    return of_export(Path(out))
