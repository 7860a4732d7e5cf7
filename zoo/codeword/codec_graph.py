"""TensorFlow graphs that leave the building: UE encoder and BS decoder signatures."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from serving.codec import bitstream, frame_graph, framing
from zoo.models.autoencoder import CsiAutoencoder


def freeze(function) -> tf.types.experimental.ConcreteFunction:
    """Concrete function with its variables turned into constants (SERVING 0)."""
    from tensorflow.python.framework import convert_to_constants

    concrete = function.get_concrete_function()
    return convert_to_constants.convert_variables_to_constants_v2(concrete)


class EncoderGraph:
    """UE side, batch 1: zero-centred CSI to codeword, or to packed payload bytes.

    Args:
        model: trained network with a quantiser.
        codec: content of codec.json.
        encoder: zero-centred CSI to codeword instead of the model's own encoder.
    """

    def __init__(self, model: CsiAutoencoder, codec: dict, encoder=None):
        self.codec = codec
        self.quantizer = model.quantizer.frozen()
        encoder = encoder or model.encode
        self.spec = tf.TensorSpec([1, *codec["csi_shape"]], tf.float32, name="h")

        @tf.function(input_signature=[self.spec])
        def encode(h):
            return encoder(h)

        self.encode = encode

    def signatures(self, encode) -> dict:
        """Signatures `encode` and `encode_bits` around a frozen `encode` function."""

        @tf.function(input_signature=[self.spec])
        def encode_codeword(h):
            return {"codeword": encode(h)}

        @tf.function(input_signature=[self.spec])
        def encode_bits(h):
            return self._packed(encode(h))

        return {"encode": encode_codeword, "encode_bits": encode_bits}

    def tail(self):
        """Signature of what `encode_bits` does with the codeword alone."""
        m = self.codec["codeword_dim"]

        @tf.function(input_signature=[tf.TensorSpec([1, m], tf.float32, "codeword")])
        def encode_bits(codeword):
            return self._packed(codeword)

        return encode_bits

    def _packed(self, codeword) -> dict:
        indices = self.quantizer.indices(codeword)
        return {"packed": pack_sections(indices, self.codec["sections"])}


def pack_sections(indices: tf.Tensor, sections) -> tf.Tensor:
    """Indices int32 `[1, n]` to payload, as `bitstream.pack_sections`."""
    parts = tf.split(indices, [count for count, _ in sections], axis=1)
    packed = [pack(x, bits) for x, (_, bits) in zip(parts, sections, strict=True)]
    return tf.concat(packed, axis=1)


def pack(indices: tf.Tensor, bits: int) -> tf.Tensor:
    """Indices int32 `[1, M]` to payload uint8 `[1, P]`, as `bitstream.pack`.

    Only operations that TFLite has as builtins.
    """
    num_indices = indices.shape[1]
    size = bitstream.payload_size(num_indices, bits)
    place = tf.constant(2 ** np.arange(bits - 1, -1, -1), tf.int32)
    message = tf.reshape((indices[:, :, None] // place) % 2, [1, num_indices * bits])
    message = tf.pad(message, [[0, 0], [0, 8 * size - num_indices * bits]])
    octet = tf.constant(2 ** np.arange(7, -1, -1), tf.int32)
    octets = tf.reduce_sum(tf.reshape(message, [1, size, 8]) * octet, axis=2)
    return tf.cast(octets, tf.uint8)


class DecoderGraph:
    """BS side, any batch: feedback to zero-centred CSI and a validity mask.

    A row that is not valid is NaN, never a plausible matrix, and leaves the other rows
    of its batch alone; one that is not finite is not valid. Where the network's decoder
    takes the uplink, so does every signature: magnitudes float32 `[n, N_t, N_a]` as the
    input `uplink`.

    Args:
        model: trained network with a quantiser, or what has the same `quantizer` and
            `recover`.
        codec: content of codec.json.
    """

    def __init__(self, model, codec: dict):
        self.codec = codec
        self.quantizer = model.quantizer.frozen()
        m = codec["codeword_dim"]
        shape = [None, *codec["csi_shape"][:2]]
        self.side = [tf.TensorSpec(shape, tf.float32, "uplink")] * codec["uplink"]

        @tf.function(input_signature=[tf.TensorSpec([None, m], tf.float32), *self.side])
        def decode(codeword, *uplink):
            return model.recover(codeword, *(x[..., None] for x in uplink))

        self.decode = decode

    def signatures(self, decode) -> dict:
        """The four named signatures around a frozen `decode` function."""
        codec, m = self.codec, self.codec["codeword_dim"]
        sections, size = codec["sections"], codec["payload_bytes"]
        model_id = bytes.fromhex(codec["model_id"])
        version = framing.format_of(codec).version
        num_indices = sum(count for count, _ in sections)
        # NumPy: an eager tensor would be captured, a second input to other converters.
        counts, widths = np.transpose(sections)
        levels = np.repeat(2**widths, counts).astype(np.int32)

        def decode_frames(feedback_bytes, *uplink):
            return self._from_frames(
                decode,
                frame_graph.parse_frames(feedback_bytes, size, model_id, version),
                *uplink,
            )

        def decode_u8(packed, *uplink):
            packed = tf.ensure_shape(packed, [None, size])
            every = tf.ones(tf.shape(packed)[:1], tf.bool)
            return self._from_payload(decode, packed, every, *uplink)

        def decode_indices(indices, *uplink):
            indices = tf.ensure_shape(indices, [None, num_indices])
            inside = tf.reduce_all((indices >= 0) & (indices < levels), axis=1)
            codeword = self.quantizer.dequantize(indices)
            return self._rows(decode, codeword, inside, *uplink)

        def decode_float(codeword, *uplink):
            codeword = tf.ensure_shape(codeword, [None, m])
            every = tf.ones(tf.shape(codeword)[:1], tf.bool)
            return self._rows(decode, codeword, every, *uplink)

        inputs = {
            "serving_default": (decode_frames, [None], tf.string, "feedback_bytes"),
            "decode_u8": (decode_u8, [None, size], tf.uint8, "packed"),
            "decode_indices": (
                decode_indices,
                [None, num_indices],
                tf.int32,
                "indices",
            ),
            "decode_float": (decode_float, [None, m], tf.float32, "codeword"),
        }
        return {
            name: tf.function(
                function, input_signature=[tf.TensorSpec(*spec), *self.side]
            )
            for name, (function, *spec) in inputs.items()
        }

    def lite_signature(self, decode):
        """`serving_default` of what has no strings, such as TFLite.

        Its `feedback_bytes` are uint8 `[n, F]`, a frame each; one of another length
        has no place there.
        """
        codec = self.codec
        model_id = bytes.fromhex(codec["model_id"])
        version = framing.format_of(codec).version
        shape = [None, codec["frame_bytes"]]
        spec = tf.TensorSpec(shape, tf.uint8, "feedback_bytes")

        @tf.function(input_signature=[spec, *self.side])
        def decode_octets(feedback_bytes, *uplink):
            size = codec["payload_bytes"]
            found = frame_graph.check_frames(feedback_bytes, size, model_id, version)
            return self._from_frames(decode, found, *uplink)

        return decode_octets

    def _from_frames(self, decode, found: frame_graph.Parsed, *uplink) -> dict:
        answer = self._from_payload(decode, found.payload, found.valid, *uplink)
        if found.sequence is not None:
            none = tf.constant(-1, tf.int64)
            answer["sequence"] = tf.where(answer["valid"], found.sequence, none)
        return answer

    def _from_payload(self, decode, payload, valid, *uplink) -> dict:
        sections = self.codec["sections"]
        indices, clean = frame_graph.unpack_sections(payload, sections)
        codeword = self.quantizer.dequantize(indices)
        return self._rows(decode, codeword, valid & clean, *uplink)

    def _rows(self, decode, codeword, valid, *uplink) -> dict:
        """Answer of every signature; NaN where not valid."""
        valid &= _finite(codeword, [1])
        for x in uplink:
            valid &= _finite(x, [1, 2])
        m = self.codec["codeword_dim"]
        h = decode(tf.ensure_shape(codeword, [None, m]), *uplink)
        valid &= _finite(h, [1, 2, 3])  # float32 may overflow
        nan = tf.constant(np.nan, tf.float32)
        return {"h": tf.where(valid[:, None, None, None], h, nan), "valid": valid}


def _finite(x: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Whether all entries along some axes are finite, without `is_finite` of TFLite."""
    return tf.reduce_all(tf.abs(x) <= tf.float32.max, axis=axes)
