"""A trained run as the files of both sides, verified before they appear."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import tensorflow as tf

from serving.codec import bitstream, golden_vectors
from tfds_builders import build
from zoo import files, registry
from zoo.codeword import codeword_path
from zoo.codeword.codec_graph import DecoderGraph, freeze
from zoo.config import ExperimentConfig
from zoo.config_checks import label, parse_object
from zoo.data import data_record, scaling
from zoo.exporting import verify_export
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization import precision_table
from zoo.quantization.encoder_files import int8_grids, save_encoders
from zoo.quantization.precisions import DEFAULT_PRECISIONS, PRECISIONS, EncoderOptions
from zoo.run_directory import RunDirectory

ENCODERS = [PRECISIONS[name].file for name in DEFAULT_PRECISIONS]


def check_exportable(run: RunDirectory, settings: ExperimentConfig) -> None:
    """Refuse a run that has no feedback bits of single snapshots.

    Raises:
        ValueError: the run has no codeword quantiser, so there are no bits to send, or
            its network takes sequences.
    """
    if registry.get(settings.model).takes_sequences:
        raise ValueError(
            f"{run.path}: --model={settings.model} takes sequences; only networks of "
            "single snapshots are exported"
        )
    if not settings.bits:
        raise ValueError(
            f"{run.path} was trained without codeword quantiser and has no feedback "
            "bits to export: give --quantizer=uniform --bits=B, which fits one to it, "
            "or train with them"
        )


def make_codec(
    run: RunDirectory, settings: ExperimentConfig, model: CsiAutoencoder
) -> dict:
    """Content of codec.json without the file hashes.

    `model_id` names this encoder/decoder pair: it changes with the weights and with
    everything that both sides must agree on.
    """
    m = model.encoder.output.shape[-1]
    sections = codeword_path.sections(model.quantizer, m)
    payload = sum(bitstream.payload_size(*section) for section in sections)
    agreed = {
        "format": 1,
        "model": registry.get(settings.model).name,
        "model_args": parse_object("model_args", settings.model_args),
        "csi_shape": list(model.encoder.input.shape[1:]),
        "codeword_dim": m,
        "bits": settings.bits,
        "sections": [list(section) for section in sections],
        "uplink": registry.get(settings.model).takes_uplink,
        "payload_bytes": payload,
        "frame_bytes": payload + bitstream.FRAME_OVERHEAD_BYTES,
        "normalisation": normalisation(run, settings),
        "quantizer": {
            "name": label(settings.quantizer),
            "normaliser": settings.normaliser,
            **model.quantizer.agreed(),
        },
        "weights_sha256": files.sha256(run.weights),
    }
    digest = hashlib.sha256(_hashed(agreed)).hexdigest()
    return {**agreed, "model_id": digest[: 2 * bitstream.MODEL_ID_BYTES]}


def _hashed(agreed: dict) -> bytes:
    """What `model_id` is made of; what the weights imply is not in it."""
    implied = ("constant", "says")
    scaled = {k: v for k, v in agreed["normalisation"].items() if k not in implied}
    return repr(sorted({**agreed, "normalisation": scaled}.items())).encode()


def normalisation(run: RunDirectory, settings: ExperimentConfig) -> dict:
    """How a UE must scale its channel H before the encoder: h = factor * H.

    `scale` is the rule of a factor for each sample, `constant` the one factor of all;
    each is null where it is not that, or where nobody knows. `says` is a sentence, that
    of the data set itself where it is as stored; 'unknown: ...' where there is none.
    """
    return {
        "input": "h, zero-centred CSI [angle, delay, re/im]",
        "dataset": settings.dataset,
        "scaling": settings.scaling,
        **_scaling(run, settings),
    }


def _scaling(run: RunDirectory, settings: ExperimentConfig) -> dict:
    """What the training wrote down of it; of older runs what the data set says now."""
    if run.data.is_file():
        return data_record.read(run.data)["normalisation"]
    try:
        name = settings.dataset.partition(":")[0]
        builder = build.find_builder(name, settings.data_dir)
    except ValueError as error:
        return {"scale": None, "constant": None, "says": f"unknown: {error}"}
    return scaling.describe(settings.scaling, builder)


def save_decoder(graph: DecoderGraph, path: Path) -> None:
    """Write the decoder as a SavedModel with frozen weights and named signatures."""
    module = tf.Module()
    frozen = freeze(graph.decode)
    module.functions = graph.signatures(lambda *inputs: frozen(*inputs)[0])
    tf.saved_model.save(module, str(path), signatures=module.functions)


def _hashes(directory: Path) -> dict[str, str]:
    """SHA-256 of every file below a directory, by relative path."""
    paths = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {str(path.relative_to(directory)): files.sha256(path) for path in paths}


def export(
    run: RunDirectory,
    out: Path,
    version: int = 1,
    options: EncoderOptions | None = None,
) -> dict:
    """Export a run's best weights.

    Args:
        run: run directory, trained with a codeword quantiser.
        out: target directory, must not exist.
        version: SavedModel version directory below `decoder/`.
        options: encoders to write; the default ones without it.

    Returns:
        The codec (content of codec.json).

    Raises:
        ValueError: nothing to export, `out` exists, a layer cannot be quantised, or an
            artefact does not reproduce the trained network.
        OSError: it cannot be written; no partial export stays behind.
    """
    if out.exists():
        raise ValueError(f"--out={out} exists; choose another directory or remove it")
    if version < 1:
        raise ValueError(f"--version={version}: expected 1 or more")
    options = options or EncoderOptions()
    settings = run.config()
    check_exportable(run, settings)
    model = run.load()
    codec = make_codec(run, settings, model)
    partial = out.with_name(f".partial-{out.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        h, simulated = save_encoders(partial, run, model, codec, options)
        save_decoder(DecoderGraph(model, codec), partial / "decoder" / str(version))
        codec["files"] = _hashes(partial)
        codec["int8_io"] = int8_grids(partial, options.precisions)
        files.write_json(partial / "codec.json", codec)
        chosen = [PRECISIONS[name] for name in options.precisions]
        errors = verify_export.verify(
            partial, model, codec, version, chosen, h, simulated
        )
        for name, error in errors.items():
            size = (partial / name).stat().st_size / 1024
            print(f"{name}: {size:.0f} KiB, codeword error {error:.1e} of its spread")
        if h is None:
            h = verify_export.check_vectors(
                codec["csi_shape"], golden_vectors.NUM_VECTORS
            )
        golden_vectors.write(partial, errors, h[: golden_vectors.NUM_VECTORS])
        if options.evaluate:
            precision_table.write(partial, model, settings, options)
        lines = [f"{digest}  {name}\n" for name, digest in _hashes(partial).items()]
        files.write_text(partial / "checksums.sha256", "".join(lines))
        partial.replace(out)
    except tf.errors.OpError as error:  # how TensorFlow reports a full disk
        raise OSError(f"{out}: cannot be written ({error.message})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return codec
