"""Codecs of runs, exports and weights by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from serving.codec import bitstream, checksums
from serving.codec.ue_encoder import UeEncoder
from zoo import files, registry
from zoo.api.codec import Codec
from zoo.codeword.codec_graph import DecoderGraph
from zoo.data.batches import BATCH, in_batches
from zoo.exporting import exporter
from zoo.importing import weights_by_name
from zoo.models.autoencoder import CsiAutoencoder, in_a_row
from zoo.run_directory import RunDirectory

Run = RunDirectory | Path | str
INPUTS = ("feedback_bytes", "uplink")  # of the decoder's signature


def load(source: Run, *, model: str = "", quantizer: str = "") -> Codec:
    """Encoder and decoder of what was trained or exported.

    Args:
        source: run, run directory, export directory, or weights by name: of the zoo, a
            URL, or `hf:OWNER/REPO[@REVISION]`.
        model: the user's own network, './my_net.py:SPEC', where the run has one.
        quantizer: likewise.

    Raises:
        ValueError, OSError: none of these, damaged, or own code that is not named.
    """
    if not isinstance(source, RunDirectory) and (Path(source) / "codec.json").is_file():
        return of_export(Path(source))
    return of_run(run_of(source, model, quantizer))


def run_of(source: Run, model: str = "", quantizer: str = "") -> RunDirectory:
    """The run directory that a run, a path or a name of weights stands for.

    Raises:
        ValueError, OSError: there is none, or own code that is not named.
    """
    if isinstance(source, RunDirectory):
        return source
    path = weights_by_name.locate(str(source))
    if not path.is_dir():
        raise ValueError(f"{source} is a file, expected the run directory around it")
    registry.check_run(path, model, quantizer)
    return RunDirectory(path, model, quantizer)


def of_run(run: RunDirectory) -> Codec:
    """Codec of a run's best weights, in Keras."""
    settings, model = run.config(), run.load()
    if len(model.encoder.input.shape) != 4:
        raise ValueError(
            f"{run.path}: --model={settings.model} takes sequences; a codec is of "
            "single snapshots, run zoo.evaluate instead"
        )

    def codeword(h):
        return model.encoder.predict(h + np.float32(0.5), batch_size=BATCH, verbose=0)

    def receive(sent, *uplink):
        arrives = in_a_row(sent, model.path)
        maps = [x[..., None] for x in uplink]
        return in_batches(model.recover, arrives, *maps)

    if not settings.bits:
        about = _described(run, settings, model)
        return Codec(about, codeword, receive=receive, model=model)
    about = exporter.make_codec(run, settings, model)
    graph = DecoderGraph(model, about)
    signature = graph.signatures(graph.decode)["serving_default"]

    def payload(h):
        indices = in_batches(graph.quantizer.indices, codeword(h))
        return bitstream.pack_sections(indices, about["sections"])

    return Codec(about, codeword, payload, _answer(signature), receive, model)


def _described(run: RunDirectory, settings, model: CsiAutoencoder) -> dict:
    """Of a network without quantiser, what codec.json would say."""
    return {
        "model": registry.get(settings.model).name,
        "csi_shape": list(model.encoder.input.shape[1:]),
        "codeword_dim": model.encoder.output.shape[-1],
        "uplink": registry.get(settings.model).takes_uplink,
        "normalisation": exporter.normalisation(run, settings),
    }


def of_export(directory: Path) -> Codec:
    """Codec of an export: encoder.tflite and the newest SavedModel of the decoder.

    A SavedModel is a program, and this runs it whatever it does: take exports of others
    to `serving.server`, which looks at their operations first.

    Raises:
        ValueError: a file is missing or damaged.
    """
    checksums.verify(directory)
    ue = UeEncoder(directory / "encoder.tflite")
    versions = files.versions(directory / "decoder")
    if not versions:
        raise ValueError(f"{directory / 'decoder'} has no version: export again")
    newest = versions[max(versions)]
    loaded = tf.saved_model.load(str(newest))

    def codeword(h):
        return np.stack([ue.encode(x) for x in h])

    def payload(h):
        return np.stack([np.frombuffer(ue.encode_bits(x), np.uint8) for x in h])

    def decode(feedback_bytes, *uplink):
        inputs = dict(zip(INPUTS, (feedback_bytes, *uplink), strict=False))
        return loaded.signatures["serving_default"](**inputs)

    return Codec(ue.codec, codeword, payload, _answer(decode))


def _answer(signature: Callable) -> Callable:
    """A decoder's signature as a function of frames and uplink, in batches."""

    def decode(frames: list[bytes], *uplink):
        h, valid = [], []
        for start in range(0, len(frames), BATCH):
            rows = slice(start, start + BATCH)
            sent = tf.constant(frames[rows], tf.string)
            found = signature(sent, *(tf.constant(x[rows]) for x in uplink))
            h.append(found["h"].numpy())
            valid.append(found["valid"].numpy())
        return np.concatenate(h), np.concatenate(valid)

    return decode
