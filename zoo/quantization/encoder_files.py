"""The UE's encoder files: one for each precision, all with the same two signatures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfds_builders import workers
from zoo.codeword import weights_file
from zoo.codeword.codec_graph import EncoderGraph, freeze
from zoo.config_flags import named
from zoo.data import splits
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization import qat
from zoo.quantization.graft import append_tail
from zoo.quantization.kernels import store_int8
from zoo.quantization.mixed import accurate_encoder, losses
from zoo.quantization.precisions import PRECISIONS, EncoderOptions, Precision
from zoo.quantization.quantized_encoder import QuantizedEncoder
from zoo.quantization.tflite_slim import slim
from zoo.run_directory import RunDirectory

HELD_OUT = 500  # validation CSI that what int8 costs is measured on
SIMULATED = 16  # calibration samples whose codewords are checked


def save_encoders(
    directory: Path,
    run: RunDirectory,
    model: CsiAutoencoder,
    codec: dict,
    options: EncoderOptions,
) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Write the encoders of an export.

    Args:
        directory: receives the files.
        run: of the training.
        model: its network.
        codec: content of codec.json.
        options: encoders and how they are made.

    Returns:
        The calibration CSI, zero-centred float32 `[n, N_t, N_a, 2]`, None where no
        encoder needs any; and by file the codewords of its first samples that fake
        quantisers or the compressed network give.

    Raises:
        ValueError: a layer cannot be quantised, or the training fails.
    """
    settings, simulated = run.config(), {}
    h = train = held_out = quantised = None
    if options.samples is not None:
        train = splits.load_fine_tuning(settings, options.samples)
        held_out = splits.load_split(settings, "validation", HELD_OUT)
        h = train.h_seen[: options.calibration_samples]
    # QAT changes the calibrated encoder: last.
    for name in sorted(options.precisions, key=lambda name: name == "qat"):
        precision, encoder = PRECISIONS[name], None
        if precision.fake_quantised:
            quantised = encoder = quantised or accurate_encoder(
                model, h, held_out, options.int8_loss_db
            )
        elif precision.compressed:
            encoder = _compressed(name, directory, run, codec, options)
        if name == "qat":
            encoder = _fine_tuned(encoder, model, h, train, held_out, options)
        graph = EncoderGraph(model, codec, encoder)
        content = convert(graph, directory, precision, h)
        (directory / precision.file).write_bytes(slim(content))
        if encoder:
            simulated[precision.file] = encoder(h[:SIMULATED]).numpy()
    return h, simulated


def _fine_tuned(
    calibrated: QuantizedEncoder,
    model: CsiAutoencoder,
    h: np.ndarray,
    train: splits.Split,
    held_out: splits.Split,
    options: EncoderOptions,
) -> QuantizedEncoder:
    """Encoder after QAT: all int8 if that loses little enough, else the calibrated one.

    What calibration alone has to leave float, training often makes good.
    """
    starts, lost_db = [calibrated], losses("qat", model, held_out)
    if calibrated.floats:
        starts.insert(0, QuantizedEncoder(model.encoder, h))
    for encoder in starts:
        qat.fine_tune(encoder, model, train, held_out, options.qat)
        if lost_db(encoder) <= options.int8_loss_db:
            break
    return encoder


def _compressed(
    method: str, scratch: Path, run: RunDirectory, codec: dict, options: EncoderOptions
) -> Callable:
    """Encoder with pruned or clustered kernels: zero-centred CSI to codeword.

    TF-MOT needs a process of its own, see `zoo.quantization.compression`.
    """
    weights = scratch.absolute() / f"{method}.weights.h5"
    command = [
        sys.executable,
        "-m",
        "zoo.quantization.compression",
        f"--method={method}",
    ]
    command += [f"--run={run.path.absolute()}", f"--out={weights}"]
    command += [f"--sparsity={options.sparsity}", f"--clusters={options.clusters}"]
    command += [f"--samples={options.qat_samples}", *named(run.config())]
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    variables = {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [*workers.bound(), *command],
        env={**os.environ, **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ValueError(f"--precision={method}: {lines[-1].removeprefix('error: ')}")
    encoder = run.load(codec["csi_shape"]).encoder
    weights_file.load(encoder, weights)
    weights.unlink()
    return lambda h: encoder(h + 0.5, training=False)


def convert(
    graph: EncoderGraph,
    scratch: Path,
    precision: Precision,
    h: np.ndarray | None = None,
) -> bytes:
    """TFLite file of an encoder with the signatures `encode` and `encode_bits`.

    Args:
        graph: the encoder.
        scratch: existing directory for what is written in between.
        precision: how to convert.
        h: calibration CSI, zero-centred float32 `[n, N_t, N_a, 2]`.
    """
    frozen = freeze(graph.encode)
    signatures = graph.signatures(lambda h: frozen(h)[0])
    if precision.fake_quantised or not precision.rounds:
        content = convert_signatures(signatures, scratch, precision.set_up)
        return store_int8(content) if precision.fake_quantised else content
    # The quantiser's constants, rounded with the encoder, would differ from the BS's.
    alone = {"encode": signatures["encode"]}
    encoder = convert_signatures(alone, scratch, lambda x: _set_up(x, precision, h))
    return append_tail(
        encoder, convert_signatures({"encode_bits": graph.tail()}, scratch)
    )


def convert_signatures(
    signatures: dict, scratch: Path, set_up: Callable | None = None
) -> bytes:
    """TFLite file of some functions.

    Args:
        signatures: the functions by name.
        scratch: existing directory for what is written in between.
        set_up: sets the options of the converter.
    """
    module, saved = tf.Module(), scratch / "encoder.saved_model"
    module.functions = signatures
    try:
        tf.saved_model.save(module, str(saved), signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(saved), signature_keys=list(signatures)
        )
        if set_up:
            set_up(converter)
        return converter.convert()
    finally:
        shutil.rmtree(saved, ignore_errors=True)


def _set_up(converter, precision: Precision, h: np.ndarray | None) -> None:
    """Give a converter of `encode` its options and, where it needs any, CSI."""
    precision.set_up(converter)
    if precision.calibrated:
        calls = [("encode", {"h": x[None]}) for x in h]
        converter.representative_dataset = lambda: iter(calls)


def int8_grids(directory: Path, precisions) -> dict[str, dict[str, list]]:
    """Scale and zero point of input and codeword of the files whose both are int8."""
    if "int8_io" not in precisions:
        return {}
    name = PRECISIONS["int8_io"].file
    interpreter = Interpreter(str(directory / name), num_threads=1)
    runner = interpreter.get_signature_runner("encode")
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {name: {key: list(x["quantization"]) for key, x in details.items()}}
