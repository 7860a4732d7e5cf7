"""TensorFlow graphs that leave the building: UE encoder and BS decoder signatures."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from serving import bitstream, frame_graph
from zoo.models.autoencoder import CsiAutoencoder


class EncoderGraph:
    """UE side, batch 1: zero-centred CSI to codeword, or to packed payload bytes.

    Args:
        model: trained network with a quantiser.
        codec: content of codec.json.
    """

    def __init__(self, model: CsiAutoencoder, codec: dict):
        self.codec = codec
        self.quantizer = model.quantizer.frozen()
        self.spec = tf.TensorSpec([1, *codec["csi_shape"]], tf.float32, name="h")

        @tf.function(input_signature=[self.spec])
        def encode(h):
            return model.encoder(h + 0.5, training=False)

        self.encode = encode

    def signatures(self, encode) -> dict:
        """Signatures `encode` and `encode_bits` around a frozen `encode` function."""

        @tf.function(input_signature=[self.spec])
        def encode_codeword(h):
            return {"codeword": encode(h)}

        @tf.function(input_signature=[self.spec])
        def encode_bits(h):
            indices = self.quantizer.indices(encode(h))
            return {"packed": pack(indices, self.codec["bits"])}

        return {"encode": encode_codeword, "encode_bits": encode_bits}


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
    of its batch alone.

    Args:
        model: trained network with a quantiser.
        codec: content of codec.json.
    """

    def __init__(self, model: CsiAutoencoder, codec: dict):
        self.codec = codec
        self.quantizer = model.quantizer.frozen()
        m = codec["codeword_dim"]

        @tf.function(input_signature=[tf.TensorSpec([None, m], tf.float32)])
        def decode(codeword):
            return model.receive(codeword) - 0.5

        self.decode = decode

    def signatures(self, decode) -> dict:
        """The four named signatures around a frozen `decode` function."""
        codec, m = self.codec, self.codec["codeword_dim"]
        bits, size = codec["bits"], codec["payload_bytes"]
        model_id = bytes.fromhex(codec["model_id"])

        def rows(codeword, valid):
            h = decode(tf.ensure_shape(codeword, [None, m]))
            nan = tf.constant(np.nan, tf.float32)
            return {"h": tf.where(valid[:, None, None, None], h, nan), "valid": valid}

        def from_indices(indices, valid):
            return rows(self.quantizer.dequantize(indices), valid)

        def from_payload(payload, valid):
            indices = frame_graph.unpack_indices(payload, m, bits)
            padding = frame_graph.unpack_bits(payload)[:, m * bits :]
            return from_indices(indices, valid & tf.reduce_all(padding == 0, axis=1))

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string, "feedback_bytes")]
        )
        def decode_frames(feedback_bytes):
            payload, valid = frame_graph.parse_frames(feedback_bytes, size, model_id)
            return from_payload(payload, valid)

        @tf.function(input_signature=[tf.TensorSpec([None, size], tf.uint8, "packed")])
        def decode_u8(packed):
            packed = tf.ensure_shape(packed, [None, size])
            return from_payload(packed, tf.ones(tf.shape(packed)[:1], tf.bool))

        @tf.function(input_signature=[tf.TensorSpec([None, m], tf.int32, "indices")])
        def decode_indices(indices):
            indices = tf.ensure_shape(indices, [None, m])
            inside = (indices >= 0) & (indices < 2**bits)
            return from_indices(indices, tf.reduce_all(inside, axis=1))

        @tf.function(input_signature=[tf.TensorSpec([None, m], tf.float32, "codeword")])
        def decode_float(codeword):
            codeword = tf.ensure_shape(codeword, [None, m])
            return rows(codeword, tf.reduce_all(tf.math.is_finite(codeword), axis=1))

        return {
            "serving_default": decode_frames,
            "decode_u8": decode_u8,
            "decode_indices": decode_indices,
            "decode_float": decode_float,
        }
