"""A tiny export directory: a linear encoder and decoder, for tests.

The codec projects zero-centred CSI on M orthonormal directions, quantises each
coordinate with B bits on [-1, 1], and projects back: `decode` below is the whole
decoder in NumPy, the reference that served answers are compared with.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from serving.codec import bitstream, frame_graph, framing
from zoo.quantization.tflite_slim import slim

CSI_SHAPE = (32, 32, 2)
NUM_INDICES, BITS = 25, 3
PAYLOAD_BYTES = bitstream.payload_size(NUM_INDICES, BITS)
FRAME_BYTES = PAYLOAD_BYTES + framing.FORMATS[1].overhead_bytes
MODEL_ID = bytes.fromhex("0badcafe")
DIRECTIONS = np.linalg.qr(
    np.random.default_rng(7).standard_normal((np.prod(CSI_SHAPE), NUM_INDICES))
)[0].astype(np.float32)


def samples(num: int, seed: int = 0) -> np.ndarray:
    """CSI [num, 32, 32, 2] near the span of the codec, coordinates in [-0.9, 0.9]."""
    rng = np.random.default_rng(seed)
    codeword = rng.uniform(-0.9, 0.9, (num, NUM_INDICES))
    h = codeword @ DIRECTIONS.T + 1e-3 * rng.standard_normal((num, 2048))
    return h.reshape(num, *CSI_SHAPE).astype(np.float32)


def random_indices(num: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << BITS, (num, NUM_INDICES)).astype(np.int32)


def frames(indices: np.ndarray) -> list[bytes]:
    payloads = bitstream.pack(indices, BITS)
    return [framing.frame(p.tobytes(), MODEL_ID) for p in payloads]


def decode(indices: np.ndarray) -> np.ndarray:
    codeword = (indices.astype(np.float32) + 0.5) / (1 << (BITS - 1)) - 1
    return (codeword @ DIRECTIONS.T).reshape(-1, *CSI_SHAPE)


def _signature(*specs):
    return tf.function(input_signature=[tf.TensorSpec(*spec) for spec in specs])


def _answer(codeword, valid):
    h = tf.reshape(codeword @ DIRECTIONS.T, [-1, *CSI_SHAPE])
    return {"h": tf.where(valid[:, None, None, None], h, np.nan), "valid": valid}


def _dequantise(indices):
    return (tf.cast(indices, tf.float32) + 0.5) / (1 << (BITS - 1)) - 1


def _of_frames(found: frame_graph.Parsed):
    indices = frame_graph.unpack_indices(found.payload, NUM_INDICES, BITS)
    return _answer(_dequantise(indices), found.valid)


class _Decoder(tf.Module):
    """Weights are constants of the graph: nothing for a server to restore."""

    @_signature(([None], tf.string, "feedback_bytes"))
    def serving_default(self, feedback_bytes):
        return _of_frames(
            frame_graph.parse_frames(feedback_bytes, PAYLOAD_BYTES, MODEL_ID)
        )

    @_signature(([None, FRAME_BYTES], tf.uint8, "feedback_bytes"))
    def decode_octets(self, feedback_bytes):
        return _of_frames(
            frame_graph.check_frames(feedback_bytes, PAYLOAD_BYTES, MODEL_ID)
        )

    @_signature(([None, PAYLOAD_BYTES], tf.uint8, "packed"))
    def decode_u8(self, packed):
        indices = frame_graph.unpack_indices(packed, NUM_INDICES, BITS)
        return _answer(_dequantise(indices), tf.fill(tf.shape(indices)[:1], True))

    @_signature(([None, NUM_INDICES], tf.int32, "indices"))
    def decode_indices(self, indices):
        valid = tf.reduce_all((indices >= 0) & (indices < 1 << BITS), axis=1)
        return _answer(_dequantise(indices), valid)

    @_signature(([None, NUM_INDICES], tf.float32, "codeword"))
    def decode_float(self, codeword):
        finite = tf.reduce_all(tf.math.is_finite(codeword), axis=1)
        return _answer(codeword, finite)


class _Encoder(tf.Module):
    @_signature(([1, *CSI_SHAPE], tf.float32, "h"))
    def encode(self, h):
        return {"codeword": tf.reshape(h, [1, -1]) @ DIRECTIONS}

    @_signature(([1, *CSI_SHAPE], tf.float32, "h"))
    def encode_bits(self, h):
        codeword = tf.reshape(h, [1, -1]) @ DIRECTIONS
        levels = tf.floor((codeword + 1) * (1 << (BITS - 1)))
        indices = tf.cast(tf.clip_by_value(levels, 0, (1 << BITS) - 1), tf.int32)
        weights = 1 << np.arange(BITS - 1, -1, -1)
        bits = tf.reshape(indices[:, :, None] // weights % 2, [1, -1])
        bits = tf.pad(bits, [[0, 0], [0, 8 * PAYLOAD_BYTES - NUM_INDICES * BITS]])
        octets = tf.reshape(bits, [1, -1, 8]) * (1 << np.arange(7, -1, -1))
        return {"packed": tf.cast(tf.reduce_sum(octets, axis=2), tf.uint8)}


def save_decoder(directory: Path) -> None:
    """Write one version directory `directory` of the decoder."""
    module = _Decoder()
    names = ("serving_default", "decode_u8", "decode_indices", "decode_float")
    signatures = {name: getattr(module, name) for name in names}
    tf.saved_model.save(module, str(directory), signatures=signatures)


def save_lite_decoder(directory: Path) -> None:
    """Write model.tflite into a version directory."""
    function = _Decoder().decode_octets.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    (directory / "model.tflite").write_bytes(slim(converter.convert()))


def save_encoder(directory: Path) -> None:
    """Write encoder.tflite and codec.json into `directory`."""
    module = _Encoder()
    saved = directory / "encoder_saved_model"
    signatures = {"encode": module.encode, "encode_bits": module.encode_bits}
    tf.saved_model.save(module, str(saved), signatures=signatures)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved), signature_keys=list(signatures)
    )
    model = converter.convert()
    (directory / "encoder.tflite").write_bytes(model)
    codec = {
        "format": 1,
        "model": "tiny",
        "model_id": MODEL_ID.hex(),
        "csi_shape": list(CSI_SHAPE),
        "codeword_dim": NUM_INDICES,
        "bits": BITS,
        "sections": [[NUM_INDICES, BITS]],
        "payload_bytes": PAYLOAD_BYTES,
        "frame_bytes": FRAME_BYTES,
        "normalisation": {},
        "quantizer": {},
        "files": {"encoder.tflite": hashlib.sha256(model).hexdigest()},
    }
    (directory / "codec.json").write_text(json.dumps(codec))
