"""Codeword indices <-> payload bytes (NumPy only).

A *payload* is the codeword of one CSI report: M indices of B bits, most significant bit
first, followed by zero bits up to the next byte. A frame (`serving.codec.framing`)
carries one payload over the air.
"""

from __future__ import annotations

import numpy as np

MAX_BITS = 16


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
