"""Encoder and decoder of a run or an export: channels to frames, frames to channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from serving.codec.framing import Framer
from tfds_builders import transforms
from tfds_builders.csi_examples import PER_SAMPLE, real_pairs
from zoo.metrics import accuracy
from zoo.models.autoencoder import CsiAutoencoder


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
        self._framed = Framer(about) if payload else None  # one: it counts

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
        return [self._framed(row.tobytes()) for row in self._payload(self._real(h))]

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
