"""A trained run as the files of both sides, verified before they appear."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from serving.codec import bitstream, checksums, csi_scale, framing, golden_vectors
from tfds_builders import build
from zoo import files, registry
from zoo.codeword import codeword_path
from zoo.codeword.codec_graph import DecoderGraph
from zoo.config import ExperimentConfig
from zoo.config_checks import label, parse_object
from zoo.data import scaling, splits
from zoo.exporting import directory, lite_decoder, verify_export
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization import precision_table
from zoo.quantization.encoder_files import int8_grids, save_encoders
from zoo.quantization.precisions import DEFAULT_PRECISIONS, PRECISIONS, EncoderOptions
from zoo.run_directory import RunDirectory

INPUTS = {
    "csi": "h, zero-centred CSI [angle, delay, re/im]",
    "eigenvectors": "h, zero-centred eigenvectors [port, layer and subband, re/im]",
}
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
    run: RunDirectory,
    settings: ExperimentConfig,
    model: CsiAutoencoder,
    frame_version: int = 1,
) -> dict:
    """Content of codec.json without the file hashes.

    `model_id` names this encoder/decoder pair: it changes with the weights and with
    everything that both sides must agree on.
    """
    m, ue = model.encoder.output.shape[-1], run.encoder_config()
    spec = registry.get(ue.model)
    return agreement(
        {
            **_sent(settings, model),
            "model": spec.name,
            "model_args": parse_object("model_args", ue.model_args),
            "csi_shape": list(model.encoder.input.shape[1:]),
            "codeword_dim": m,
            "bits": settings.bits,
            "sections": codeword_path.sections(model.quantizer, m),
            "uplink": spec.takes_uplink,
            "normalisation": normalisation(run, settings),
            "quantizer": {
                "name": label(settings.quantizer),
                "normaliser": ue.normaliser,
                **model.quantizer.agreed(),
            },
            "weights_sha256": run.weights_sha256,
        },
        frame_version,
    )


def _sent(settings: ExperimentConfig, model: CsiAutoencoder) -> dict:
    """Which eigenvectors are sent; of CSI nothing."""
    if settings.target == "csi":
        return {}
    columns = model.encoder.input.shape[2]
    about = {
        "rank": settings.rank,
        "num_subbands": columns // settings.rank,
        "phase": settings.phase,
    }
    if settings.loss == "sgcs":  # what is recovered has no length
        about["direction_alone"] = True
    return {"eigenvectors": about}


def agreement(about: dict, frame_version: int = 1) -> dict:
    """Content of codec.json from what both sides must agree on: sizes and `model_id`.

    Args:
        about: keys of codec.json; `sections` are pairs (indices, bits).
        frame_version: of `serving.codec.framing`.

    Raises:
        ValueError: no such version.
    """
    # Version 1 goes without saying: model ids are as they were before there were two.
    about |= {"frame_version": frame_version} if frame_version != 1 else {}
    payload = sum(bitstream.payload_size(*section) for section in about["sections"])
    agreed = {
        "format": 1,
        **about,
        "sections": [list(section) for section in about["sections"]],
        "payload_bytes": payload,
        "frame_bytes": payload + framing.format_of(about).overhead_bytes,
    }
    digest = hashlib.sha256(_hashed(agreed)).hexdigest()
    return {**agreed, "model_id": digest[: 2 * framing.MODEL_ID_BYTES]}


def _hashed(agreed: dict) -> bytes:
    """What `model_id` is made of; what the weights imply is not in it."""
    implied = ("constant", "says")
    scaled = {k: v for k, v in agreed["normalisation"].items() if k not in implied}
    return repr(sorted({**agreed, "normalisation": scaled}.items())).encode()


def normalisation(run: RunDirectory, settings: ExperimentConfig) -> dict:
    """`input_of` the data that a run was trained on."""
    return input_of(settings, _scaling(run, settings))


def input_of(settings: ExperimentConfig, described: dict) -> dict:
    """How a UE must scale its channel H before the encoder: h = factor * H.

    `scale` is the rule of a factor for each sample, `constant` the one factor of all;
    each is null where it is not that, or where nobody knows. `says` is a sentence, that
    of the data set itself where it is as stored; 'unknown: ...' where there is none.
    """
    return {
        "input": INPUTS[settings.target],
        "dataset": settings.dataset,
        "scaling": settings.scaling,
        **described,
    }


def _scaling(run: RunDirectory, settings: ExperimentConfig) -> dict:
    """What the training wrote down of it; of older runs what the data set says now."""
    told = run.scaling()
    if told is not None:
        return told
    try:
        name = settings.dataset.partition(":")[0]
        builder = build.find_builder(name, settings.data_dir)
    except ValueError as error:
        return {"scale": None, "constant": None, "says": f"unknown: {error}"}
    return scaling.describe(settings.scaling, builder, settings.target)


def training_csi(settings: ExperimentConfig, num: int) -> np.ndarray | None:
    """First training CSI as the encoder saw them, zero-centred `[n, N_t, N_a, 2]`.

    None, with a line that says so, where the data set is not there: an export needs
    none.
    """
    name = settings.dataset.partition(":")[0]
    try:
        builder = build.find_builder(name, settings.data_dir)
        if "train" not in builder.info.splits:
            raise ValueError(f"{name} has no training CSI here")
        return splits.load_fine_tuning(settings, num).h_seen
    except ValueError as error:
        print(f"codec.json without norms, so a UE cannot check its scale: {error}")
        return None


def export(
    run: RunDirectory,
    out: Path,
    version: int = 1,
    options: EncoderOptions | None = None,
    frame_version: int = 1,
) -> dict:
    """Export a run's best weights.

    Args:
        run: run directory, trained with a codeword quantiser.
        out: target directory, must not exist.
        version: SavedModel version directory below `decoder/`.
        options: encoders to write; the default ones without it.
        frame_version: of the frames that both sides speak, 1 or 2.

    Returns:
        The codec (content of codec.json).

    Raises:
        ValueError: nothing to export, `out` exists, a layer cannot be quantised, or an
            artefact does not reproduce the trained network.
        OSError: it cannot be written; no partial export stays behind.
    """
    directory.check_new(out, version)
    options = options or EncoderOptions()
    settings = run.config()
    check_exportable(run, settings)
    model = run.load()
    codec = make_codec(run, settings, model, frame_version)
    with directory.written(out) as partial:
        h, simulated = save_encoders(partial, run, model, codec, options)
        decoder = partial / "decoder" / str(version)
        graph = DecoderGraph(model, codec)
        directory.save_decoder(graph, decoder)
        has_lite = lite_decoder.save(graph, decoder)
        directory.seal(decoder)
        codec["files"] = checksums.hashes(partial)
        codec["int8_io"] = int8_grids(partial, options.precisions)
        seen = training_csi(settings, options.calibration_samples) if h is None else h
        if seen is not None:
            codec["norms"] = csi_scale.norms(seen)
        files.write_json(partial / "codec.json", codec)
        chosen = [PRECISIONS[name] for name in options.precisions]
        errors = verify_export.verify(
            partial, model, codec, version, chosen, h, simulated
        )
        if has_lite:
            lite_decoder.verify(decoder, model, codec)
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
    return codec
