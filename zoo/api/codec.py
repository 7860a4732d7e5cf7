"""Encoder and decoder of a run or an export: channels to frames, frames to channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from serving.codec import bitstream
from serving.codec.ue_encoder import UeEncoder
from tfds_builders import transforms
from tfds_builders.csi_examples import PER_SAMPLE, real_pairs
from zoo import registry
from zoo.codeword.codec_graph import DecoderGraph
from zoo.data.batches import BATCH, in_batches
from zoo.exporting import exporter
from zoo.metrics import accuracy
from zoo.models.autoencoder import CsiAutoencoder, in_a_row
from zoo.run_directory import RunDirectory

INPUTS = ("feedback_bytes", "uplink")  # of the decoder's signature


class Codec:
    """Both sides of a trained network.

    CSI `h` is complex `[n, N_t, N_a]` (angle, delay) or its real and imaginary part,
    float `[n, N_t, N_a, 2]`; zero-centred and scaled as the network has learnt it (see
    `scaled`). What is sent in `feedback_bits` is the payload of a frame, which adds the
    model id and a checksum: only the decoder of this very encoder takes it.

    Attributes:
        about: content of codec.json; of a run without quantiser what is known of it.
        model: the Keras models of a run; None of an export, which needs none.
    """

    def __init__(
        self,
        about: dict,
        codeword: Callable,
        payload: Callable | None = None,
        decode: Callable | None = None,
        receive: Callable | None = None,
        model: CsiAutoencoder | None = None,
    ):
        self.about, self.model = about, model
        self._codeword, self._payload = codeword, payload
        self._decode, self._receive = decode, receive

    @property
    def csi_shape(self) -> tuple[int, int, int]:
        """(N_t, N_a, 2)."""
        return tuple(self.about["csi_shape"])

    @property
    def codeword_dim(self) -> int:
        """Codeword length M."""
        return self.about["codeword_dim"]

    @property
    def feedback_bits(self) -> int | None:
        """Payload bits of one CSI; None without quantiser."""
        return 8 * self.about["payload_bytes"] if self._payload else None

    def __repr__(self) -> str:
        bits = f"{self.feedback_bits} bits" if self._payload else "no bits"
        shape = " x ".join(map(str, self.csi_shape))
        name = self.about["model"]
        return f"<Codec {name}: CSI {shape}, M = {self.codeword_dim}, {bits}>"

    def scaled(self, channel: np.ndarray) -> np.ndarray:
        """Scale channels of any power as the training data were.

        Args:
            channel: complex `[n, N_t, N_a]` or float `[n, N_t, N_a, 2]`.

        Returns:
            `h`, of the same kind.

        Raises:
            ValueError: nobody knows how they were scaled, or a zero channel.
        """
        rule = self.about["normalisation"]
        if rule["constant"] is None and rule["scale"] != PER_SAMPLE:
            raise ValueError(
                f"{self.about['model']} was trained on {rule['dataset']}, scaling: "
                f"{rule['says']}; scale the channels like that and give them as h"
            )
        channel = np.asarray(channel)
        parts = self._real(channel)
        factor = rule["constant"]
        if factor is None:
            factor = transforms.per_sample_scale(accuracy.to_complex(parts))
            factor = factor[:, None, None, None]
        return _like(channel, parts * np.float32(factor))

    def codeword(self, h: np.ndarray) -> np.ndarray:
        """Real-valued codewords float32 `[n, M]` of CSI, before the quantiser.

        Raises:
            ValueError: no CSI of this codec's shape, or not finite.
        """
        return self._codeword(self._real(h))

    def encode(self, h: np.ndarray) -> list[bytes]:
        """Frames of CSI, one for each: what a UE sends.

        Raises:
            ValueError: no CSI of this codec's shape, not finite, or a network without
                quantiser.
        """
        self._require_bits()
        model_id = bytes.fromhex(self.about["model_id"])
        payload = self._payload(self._real(h))
        return [bitstream.frame(row.tobytes(), model_id) for row in payload]

    def decode(
        self, frames: Sequence[bytes], uplink: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """CSI of frames: what the base station makes of them.

        Args:
            frames: n frames; damaged ones and those of other encoders do no harm.
            uplink: magnitudes `[n, N_t, N_a]`, where the decoder takes them.

        Returns:
            `h` float32 `[n, N_t, N_a, 2]`, NaN where a frame is not valid, and `valid`
            bool `[n]`.

        Raises:
            ValueError: a network without quantiser, or no uplink where one is needed.
        """
        self._require_bits()
        return self._decode(list(frames), *self._side(uplink))

    def reconstruct(
        self, h: np.ndarray, uplink: np.ndarray | None = None
    ) -> np.ndarray:
        """CSI as it arrives, through the bits where there are any.

        Args:
            h: CSI.
            uplink: as in `decode`.

        Returns:
            CSI of the same kind: complex64, or float32 with a last axis of 2.
        """
        if self._payload:
            return _like(h, self.decode(self.encode(h), uplink)[0])
        return _like(h, self._receive(self.codeword(h), *self._side(uplink)))

    def _real(self, h) -> np.ndarray:
        """CSI as float32 `[n, N_t, N_a, 2]`."""
        h = np.asarray(h)
        shape = self.csi_shape[: -1 if h.dtype.kind == "c" else None]
        if h.dtype.kind not in "cf" or h.shape[1:] != shape or not len(h):
            size = ", ".join(map(str, self.csi_shape[:-1]))
            raise ValueError(
                f"CSI of dtype {h.dtype} and shape {list(h.shape)}: expected complex "
                f"[n, {size}] or float [n, {size}, 2]"
            )
        h = real_pairs(h) if h.dtype.kind == "c" else h.astype(np.float32)
        if not np.isfinite(h).all():
            raise ValueError(f"CSI has {np.sum(~np.isfinite(h))} NaN or Inf values")
        return h

    def _side(self, uplink) -> list[np.ndarray]:
        if (uplink is not None) != self.about["uplink"]:
            expected = (
                "the uplink's magnitudes" if self.about["uplink"] else "no uplink"
            )
            raise ValueError(f"the decoder of {self.about['model']} takes {expected}")
        return [] if uplink is None else [np.asarray(uplink, np.float32)]

    def _require_bits(self) -> None:
        if not self._payload:
            raise ValueError(
                f"{self.about['model']} was trained without quantiser and has no bits; "
                "codeword() and reconstruct() need none, zoo.export(run, out, "
                "quantizer='uniform', bits=4) fits a quantiser and gives a codec that "
                "has them"
            )


def _like(h, values: np.ndarray) -> np.ndarray:
    """CSI float32 `[n, N_t, N_a, 2]` as complex where `h` is."""
    return accuracy.to_complex(values) if np.asarray(h).dtype.kind == "c" else values


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
        return in_batches(lambda *x: model.receive(*x) - 0.5, arrives, *maps)

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
    """Codec of an export: encoder.tflite and the newest SavedModel of the decoder."""
    ue = UeEncoder(directory / "encoder.tflite")
    versions = [p for p in (directory / "decoder").iterdir() if p.name.isdigit()]
    loaded = tf.saved_model.load(str(max(versions, key=lambda path: int(path.name))))

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
