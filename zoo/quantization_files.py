"""The UE's encoder files: one for each precision, all with the same two signatures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from zoo import data, qat
from zoo.codec_graph import EncoderGraph, freeze
from zoo.config import ExperimentConfig
from zoo.models.autoencoder import CsiAutoencoder
from zoo.qat import QatOptions
from zoo.quantization import QuantizedEncoder
from zoo.quantization_graft import append_tail


@dataclass(frozen=True)
class Precision:
    """How an encoder is converted and how far its codewords may be from the network's.

    Attributes:
        file: its name in the export.
        tolerance: of a codeword entry, in units of the largest (or 1), compared with
            the network or, of fake-quantised encoders, with their simulation.
        fake_quantised: it has fake quantisers, calibrated on training CSI.
        calibrated: the converter calibrates it on training CSI.
        set_up: sets the options of the converter.
    """

    file: str
    tolerance: float
    fake_quantised: bool = False
    calibrated: bool = False
    set_up: Callable | None = None


def _optimise(converter) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _fp16(converter) -> None:
    _optimise(converter)
    converter.target_spec.supported_types = [tf.float16]


def _int8_io(converter) -> None:
    _optimise(converter)
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _int16x8(converter) -> None:
    _optimise(converter)
    sets = tf.lite.OpsSet
    converter.target_spec.supported_ops = [
        sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        sets.TFLITE_BUILTINS,
    ]


PRECISIONS = {
    "fp32": Precision("encoder.tflite", 1e-4),
    "dynamic": Precision("encoder_dynamic.tflite", 0.1, set_up=_optimise),
    "fp16": Precision("encoder_fp16.tflite", 0.02, set_up=_fp16),
    "int8": Precision("encoder_int8.tflite", 0.2, True, set_up=_optimise),
    "int8_io": Precision("encoder_int8_io.tflite", 0.2, True, set_up=_int8_io),
    "int16x8": Precision(
        "encoder_int16x8.tflite", 0.2, calibrated=True, set_up=_int16x8
    ),
    "qat": Precision("encoder_qat.tflite", 0.2, True, set_up=_optimise),
}
DEFAULT_PRECISIONS = ("fp32", "dynamic")
SIMULATED = 16  # calibration samples whose int8 codewords are checked


def check_precisions(names) -> tuple[str, ...]:
    """Names of precisions without repetition, the order kept.

    Raises:
        ValueError: none, or one that does not exist.
    """
    for name in names:
        if name not in PRECISIONS:
            raise ValueError(
                f"--precision={name}: expected some of {', '.join(PRECISIONS)}"
            )
    if not names:
        raise ValueError(f"--precision is empty: expected {', '.join(PRECISIONS)}")
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class EncoderOptions:
    """Which encoders an export holds and how they are made.

    Attributes:
        precisions: keys of `PRECISIONS`.
        calibration_samples: training CSI that int8 ranges are chosen on.
        qat: of the precision 'qat'.
        qat_samples: training CSI of 'qat'; 0: all.
        evaluate: whether to compare the encoders on test CSI.
        test_samples: test CSI for that; 0: all.
    """

    precisions: tuple[str, ...] = DEFAULT_PRECISIONS
    calibration_samples: int = 500
    qat: QatOptions = QatOptions()
    qat_samples: int = 10_000
    evaluate: bool = False
    test_samples: int = 0

    def __post_init__(self):
        check_precisions(self.precisions)
        for name in ("calibration_samples", "qat_samples", "test_samples"):
            if getattr(self, name) < (name == "calibration_samples"):
                raise ValueError(f"--{name}={getattr(self, name)}: expected more")

    @property
    def samples(self) -> int | None:
        """Training CSI that is needed; 0: all, None: none."""
        chosen = [PRECISIONS[name] for name in self.precisions]
        if not any(p.fake_quantised or p.calibrated for p in chosen):
            return None
        if "qat" not in self.precisions:
            return self.calibration_samples
        return self.qat_samples and max(self.qat_samples, self.calibration_samples)


def save_encoders(
    directory: Path,
    model: CsiAutoencoder,
    codec: dict,
    settings: ExperimentConfig,
    options: EncoderOptions,
) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Write the encoders of an export.

    Args:
        directory: receives the files.
        model: trained network.
        codec: content of codec.json.
        settings: of the run; names the training data.
        options: encoders and how they are made.

    Returns:
        The calibration CSI, zero-centred float32 `[n, N_t, N_a, 2]`, None where no
        encoder needs any; and by file the codewords of its first samples that fake
        quantisers give.

    Raises:
        ValueError: a layer cannot be quantised, or the training fails.
    """
    h = train_h = quantised = None
    simulated = {}
    if options.samples is not None:
        train_h = data.load_split(settings, "train", options.samples).h_seen
        h = train_h[: options.calibration_samples]
    # QAT changes the calibrated encoder: last.
    for name in sorted(options.precisions, key=lambda name: name == "qat"):
        precision, encoder = PRECISIONS[name], None
        if precision.fake_quantised:
            quantised = encoder = quantised or QuantizedEncoder(model.encoder, h)
        if name == "qat":
            qat.fine_tune(encoder, model, train_h, options.qat)
        graph = EncoderGraph(model, codec, encoder)
        content = convert(graph, directory, precision, h)
        (directory / precision.file).write_bytes(content)
        if encoder:
            simulated[precision.file] = encoder(h[:SIMULATED]).numpy()
    return h, simulated


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
    if not precision.calibrated:
        return _convert(signatures, scratch, precision.set_up)
    alone = {"encode": signatures["encode"]}
    encoder = _convert(alone, scratch, lambda x: _calibrate(x, precision.set_up, h))
    return append_tail(encoder, _convert({"encode_bits": graph.tail()}, scratch))


def _convert(signatures: dict, scratch: Path, set_up: Callable | None = None) -> bytes:
    """TFLite file of some functions."""
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


def _calibrate(converter, set_up: Callable, h: np.ndarray) -> None:
    """Give a converter of `encode` its options and calibration CSI."""
    set_up(converter)
    converter.representative_dataset = lambda: (("encode", {"h": x[None]}) for x in h)


def int8_grids(directory: Path, precisions) -> dict[str, dict[str, list]]:
    """Scale and zero point of input and codeword of the files whose both are int8."""
    if "int8_io" not in precisions:
        return {}
    name = PRECISIONS["int8_io"].file
    interpreter = Interpreter(str(directory / name), num_threads=1)
    runner = interpreter.get_signature_runner("encode")
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {name: {key: list(x["quantization"]) for key, x in details.items()}}
