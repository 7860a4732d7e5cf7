"""Codeword indices <-> the bytes a UE sends (NumPy and the standard library only).

A *payload* is the codeword of one CSI report: M indices of B bits, most significant bit
first, followed by zero bits up to the next byte. A *frame* carries one payload:

    offset  bytes  field
    0       1      version, 1
    1       4      model id (names the encoder/decoder pair)
    5       2      payload length P, big-endian
    7       P      payload
    7 + P   4      CRC-32 of everything before it, big-endian
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

VERSION = 1
MAX_BITS = 16
MODEL_ID_BYTES = 4
CRC_BYTES = 4
MAX_PAYLOAD_BYTES = 0xFFFF
_HEADER = struct.Struct(f">B{MODEL_ID_BYTES}sH")
HEADER_BYTES = _HEADER.size
FRAME_OVERHEAD_BYTES = HEADER_BYTES + CRC_BYTES


class BitstreamError(ValueError):
    """A payload or frame that cannot be written, or must not be decoded."""


def payload_size(num_indices: int, bits: int) -> int:
    """Return P, the payload bytes of `num_indices` indices of `bits` bits each."""
    if not 1 <= bits <= MAX_BITS:
        raise BitstreamError(f"bits={bits}: expected 1 to {MAX_BITS} per index")
    if num_indices < 1:
        raise BitstreamError(f"{num_indices} indices: expected at least one")
    return -(-num_indices * bits // 8)


def pack(indices: np.ndarray, bits: int) -> np.ndarray:
    """Pack quantiser indices into payload bytes.

    Args:
        indices: `[..., M]`, any integer dtype, values 0 to 2**bits - 1.
        bits: B, bits per index, 1 to 16.

    Returns:
        Payload `[..., ceil(M * B / 8)]`, uint8, most significant bit first.

    Raises:
        BitstreamError: not integers, out of range, or `bits` outside 1 to 16.
    """
    indices = np.asarray(indices)
    if indices.ndim == 0 or not np.issubdtype(indices.dtype, np.integer):
        raise BitstreamError(
            f"indices of dtype {indices.dtype} and shape {list(indices.shape)}: "
            "expected integers [..., M]"
        )
    payload_size(indices.shape[-1], bits)
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < 1 << bits:
        raise BitstreamError(
            f"indices from {indices.min()} to {indices.max()}: "
            f"expected 0 to {(1 << bits) - 1} for bits={bits}"
        )
    shifts = np.arange(bits - 1, -1, -1)
    message = (indices.astype(np.int32)[..., None] >> shifts) & 1
    message = message.reshape(*indices.shape[:-1], indices.shape[-1] * bits)
    return np.packbits(message.astype(np.uint8), axis=-1)


def unpack(payload: bytes | np.ndarray, num_indices: int, bits: int) -> np.ndarray:
    """Unpack payload bytes, the exact inverse of `pack`.

    Args:
        payload: bytes, or uint8 `[..., P]`.
        num_indices: M, indices per report.
        bits: B, bits per index, 1 to 16.

    Returns:
        Indices `[..., M]`, int32.

    Raises:
        BitstreamError: P is not ceil(M * B / 8), or a padding bit is set.
    """
    payload = _octets(payload)
    size = payload_size(num_indices, bits)
    if payload.dtype != np.uint8 or payload.ndim == 0 or payload.shape[-1] != size:
        raise BitstreamError(
            f"payload of dtype {payload.dtype} and shape {list(payload.shape)}: "
            f"expected uint8 [..., {size}] for {num_indices} indices of {bits} bits"
        )
    message = np.unpackbits(payload, axis=-1)
    if message[..., num_indices * bits :].any():
        raise BitstreamError(
            f"payload has non-zero padding after {num_indices} indices of {bits} bits: "
            "damaged, or packed with another M or B"
        )
    message = message[..., : num_indices * bits].astype(np.int32)
    message = message.reshape(*payload.shape[:-1], num_indices, bits)
    return message @ (1 << np.arange(bits - 1, -1, -1, dtype=np.int32))


def _octets(payload: bytes | np.ndarray) -> np.ndarray:
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return np.frombuffer(payload, np.uint8)
    return np.asarray(payload)


def pack_sections(indices: np.ndarray, sections) -> np.ndarray:
    """Pack indices of several widths, each section filled up to a byte of its own.

    Args:
        indices: `[..., sum of M]`, one section behind the other.
        sections: (M, bits) of each.

    Returns:
        Payload uint8 `[..., P]`, the sections' payloads one behind the other.

    Raises:
        BitstreamError: as `pack`, or another number of indices.
    """
    indices = np.asarray(indices)
    ends = np.cumsum([num for num, _ in sections])
    if indices.ndim == 0 or indices.shape[-1] != ends[-1]:
        raise BitstreamError(
            f"indices of shape {list(indices.shape)}: expected [..., {ends[-1]}], "
            f"sections of {[num for num, _ in sections]}"
        )
    parts = np.split(indices, ends[:-1], axis=-1)
    packed = [pack(x, bits) for x, (_, bits) in zip(parts, sections, strict=True)]
    return np.concatenate(packed, axis=-1)


def unpack_sections(payload: bytes | np.ndarray, sections) -> np.ndarray:
    """Unpack payload bytes, the exact inverse of `pack_sections`.

    Raises:
        BitstreamError: P is not that of the sections, or a padding bit is set.
    """
    payload = _octets(payload)
    ends = np.cumsum([payload_size(*section) for section in sections])
    if payload.ndim == 0 or payload.shape[-1] != ends[-1]:
        raise BitstreamError(
            f"payload of shape {list(payload.shape)}: expected [..., {ends[-1]}] for "
            f"sections of {[num for num, _ in sections]} indices"
        )
    parts = np.split(payload, ends[:-1], axis=-1)
    pairs = zip(parts, sections, strict=True)
    return np.concatenate([unpack(x, *section) for x, section in pairs], axis=-1)


def header(payload_bytes: int, model_id: bytes) -> bytes:
    """Return the first `HEADER_BYTES` of every frame of one encoder/decoder pair."""
    if len(model_id) != MODEL_ID_BYTES:
        raise BitstreamError(
            f"model id of {len(model_id)} bytes: expected {MODEL_ID_BYTES}"
        )
    if not 1 <= payload_bytes <= MAX_PAYLOAD_BYTES:
        raise BitstreamError(
            f"payload of {payload_bytes} bytes: expected 1 to {MAX_PAYLOAD_BYTES}"
        )
    return _HEADER.pack(VERSION, bytes(model_id), payload_bytes)


def frame(payload: bytes, model_id: bytes) -> bytes:
    """Wrap one payload into a frame of `len(payload) + FRAME_OVERHEAD_BYTES` bytes."""
    message = header(len(payload), model_id) + bytes(payload)
    return message + zlib.crc32(message).to_bytes(CRC_BYTES, "big")


def unframe(frame: bytes, model_id: bytes | None = None) -> bytes:
    """Check one frame and return its payload.

    Args:
        frame: the received bytes, exactly one frame.
        model_id: 4 bytes the frame must carry; None accepts every model.

    Raises:
        BitstreamError: wrong version, length, CRC or model id.
    """
    if len(frame) <= FRAME_OVERHEAD_BYTES:
        raise BitstreamError(
            f"frame of {len(frame)} bytes: expected more than {FRAME_OVERHEAD_BYTES}"
        )
    version, received_id, length = _HEADER.unpack_from(frame)
    if version != VERSION:
        raise BitstreamError(f"frame version {version}: expected {VERSION}")
    if len(frame) != length + FRAME_OVERHEAD_BYTES:
        raise BitstreamError(
            f"frame length {len(frame)} bytes: "
            f"expected {length + FRAME_OVERHEAD_BYTES} by its header"
        )
    message, crc = frame[:-CRC_BYTES], int.from_bytes(frame[-CRC_BYTES:], "big")
    if zlib.crc32(message) != crc:
        raise BitstreamError(
            f"frame CRC {crc:08x}: expected {zlib.crc32(message):08x}, frame is damaged"
        )
    if model_id is not None and received_id != model_id:
        raise BitstreamError(
            f"frame model id {received_id.hex()}: expected {bytes(model_id).hex()}, "
            "use the encoder and decoder of one export"
        )
    return bytes(message[HEADER_BYTES:])


def crc32_affine(num_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """CRC-32 of a fixed-length message as an affine map over GF(2).

    `crc bits = (message bits @ matrix + constant) mod 2`, most significant bit first on
    both sides, so a matrix product checks a CRC where only tensor operations exist.

    Args:
        num_bytes: message length, at least 1.

    Returns:
        `matrix` uint8 `[8 * num_bytes, 32]` and `constant` uint8 `[32]`.
    """
    if num_bytes < 1:
        raise ValueError(f"num_bytes={num_bytes}: expected at least 1")
    zero_byte = zlib.crc32(b"\0")
    # What one set bit adds depends only on the bytes after it: start with none and
    # append a zero byte per step.
    row = [zlib.crc32(bytes([0x80 >> bit])) ^ zero_byte for bit in range(8)]
    rows = [row]
    for _ in range(num_bytes - 1):
        row = [zlib.crc32(b"\0", crc) ^ zero_byte for crc in row]
        rows.append(row)
    matrix = _crc_bits(np.array(rows[::-1]).reshape(-1))
    return matrix, _crc_bits(np.array([zlib.crc32(bytes(num_bytes))]))[0]


def _crc_bits(crc: np.ndarray) -> np.ndarray:
    octets = crc.astype(">u4").view(np.uint8).reshape(-1, CRC_BYTES)
    return np.unpackbits(octets, axis=-1)
