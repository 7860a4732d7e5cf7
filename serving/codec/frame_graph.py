"""The receiving side of `serving.codec.framing` as TensorFlow graph operations.

The checks run inside the exported decoder, so any server that loads it refuses damaged
frames, and one bad frame never spoils the other rows of a batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from serving.codec import bitstream, framing


def unpack_bits(octets: tf.Tensor) -> tf.Tensor:
    """Bytes uint8 `[n, K]` -> bits float32 `[n, 8 K]`, most significant bit first.

    In float32, which is exact here and has the faster kernels in LiteRT.
    """
    places = tf.constant(0.5 ** np.arange(7, -1, -1), tf.float32)
    shifted = tf.floor(tf.cast(octets, tf.float32)[:, :, None] * places)
    return tf.reshape(_odd(shifted), [-1, 8 * octets.shape[1]])


def _odd(x: tf.Tensor) -> tf.Tensor:
    """1 where a whole number is odd, else 0."""
    return x - 2 * tf.floor(x / 2)


def unpack_indices(payload: tf.Tensor, num_indices: int, bits: int) -> tf.Tensor:
    """Payload uint8 `[n, P]` -> indices int32 `[n, M]`, as `bitstream.unpack`.

    Padding bits are ignored: their value cannot be refused for one row of a batch.

    Raises:
        BitstreamError: `bits` outside 1 to 16.
        InvalidArgumentError: at run time, where P is not ceil(M * B / 8); without this
            check a wrong P would change the number of rows.
    """
    size = bitstream.payload_size(num_indices, bits)
    payload = tf.ensure_shape(payload, [None, size])
    message = tf.reshape(unpack_bits(payload)[:, : num_indices * bits], [-1, bits])
    weights = tf.constant(2.0 ** np.arange(bits - 1, -1, -1)[:, None], tf.float32)
    return tf.cast(tf.reshape(message @ weights, [-1, num_indices]), tf.int32)


def unpack_sections(payload: tf.Tensor, sections) -> tuple[tf.Tensor, tf.Tensor]:
    """Payload uint8 `[n, P]` of `bitstream.pack_sections`.

    Returns:
        Indices int32 `[n, sum of M]`, and whether a row's padding is 0, bool `[n]`.
    """
    sizes = [bitstream.payload_size(*section) for section in sections]
    indices, clean = [], True
    parts = tf.split(tf.ensure_shape(payload, [None, sum(sizes)]), sizes, axis=1)
    for part, (num_indices, bits) in zip(parts, sections, strict=True):
        padding = unpack_bits(part)[:, num_indices * bits :]
        clean &= tf.reduce_all(padding == 0, axis=1)
        indices.append(unpack_indices(part, num_indices, bits))
    return tf.concat(indices, axis=1), clean


class Parsed(NamedTuple):
    """What `parse_frames` found.

    Attributes:
        payload: uint8 `[n, P]`, meaningless where not valid.
        valid: bool `[n]`: length, version, model id, declared length and CRC are right.
        sequence: int64 `[n]`, meaningless where not valid; None: frames of version 1.
    """

    payload: tf.Tensor
    valid: tf.Tensor
    sequence: tf.Tensor | None


def parse_frames(
    feedback_bytes: tf.Tensor, payload_bytes: int, model_id: bytes, version: int = 1
) -> Parsed:
    """Check frames and cut out their payloads.

    Args:
        feedback_bytes: string `[n]`, one received frame each, of any length.
        payload_bytes: P of this decoder.
        model_id: 4 bytes that every frame must carry.
        version: of the frames.
    """
    form = framing.FORMATS[version]
    feedback_bytes = tf.ensure_shape(feedback_bytes, [None])
    frame_bytes = payload_bytes + form.overhead_bytes
    # fixed_length pads or cuts silently, hence the separate length check; without it
    # one frame of another length fails the whole batch.
    octets = tf.io.decode_raw(feedback_bytes, tf.uint8, fixed_length=frame_bytes)
    octets = tf.reshape(octets, [-1, frame_bytes])
    found = check_frames(octets, payload_bytes, model_id, version)
    right_length = tf.strings.length(feedback_bytes) == frame_bytes
    return found._replace(valid=found.valid & right_length)


def check_frames(
    octets: tf.Tensor, payload_bytes: int, model_id: bytes, version: int = 1
) -> Parsed:
    """As `parse_frames`, of frames that have the right length.

    Made of what TFLite has kernels for: none for strings, for a bitwise and, or to
    compare bytes.

    Args:
        octets: uint8 `[n, F]`.
        payload_bytes: P of this decoder.
        model_id: 4 bytes that every frame must carry.
        version: of the frames.
    """
    form = framing.FORMATS[version]
    prefix = framing.prefix(payload_bytes, model_id, version)
    prefix = np.frombuffer(prefix, np.uint8).astype(np.int32)
    found = tf.cast(octets[:, : framing.PREFIX_BYTES], tf.int32)
    right = tf.reduce_all(found == prefix, axis=1)
    payload = octets[:, form.header_bytes : -form.crc_bytes]
    return Parsed(payload, right & _crc_matches(octets, form), _sequence(octets, form))


def _sequence(octets: tf.Tensor, form: framing.Format) -> tf.Tensor | None:
    if not form.sequence_bytes:
        return None
    number = octets[:, framing.PREFIX_BYTES : form.header_bytes]
    number = tf.cast(tf.cast(number, tf.int32), tf.int64)
    weights = 256 ** np.arange(form.sequence_bytes - 1, -1, -1, dtype=np.int64)
    return tf.reduce_sum(number * weights, axis=1)


def _crc_matches(octets: tf.Tensor, form: framing.Format) -> tf.Tensor:
    matrix, constant = framing.crc_affine(octets.shape[1] - form.crc_bytes, form)
    bits = unpack_bits(octets)
    message, crc = bits[:, : len(matrix)], bits[:, len(matrix) :]
    # Exact: at most 8 * 65546 ones.
    ones = message @ tf.cast(matrix, tf.float32) + constant.astype(np.float32)
    return tf.reduce_all(_odd(ones) == crc, axis=1)
