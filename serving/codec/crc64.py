"""CRC-64 of the XZ format: ECMA-182's polynomial, reflected (standard library only)."""

from __future__ import annotations

POLYNOMIAL = 0xC96C5795D7870F42
_ONES = (1 << 64) - 1


def _entry(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (POLYNOMIAL if octet & 1 else 0)
    return octet


_TABLE = [_entry(octet) for octet in range(256)]


def crc64(data: bytes, value: int = 0) -> int:
    """CRC-64 of bytes, as `zlib.crc32` has its 32 bits.

    Args:
        data: the bytes.
        value: CRC of what comes before them.
    """
    value ^= _ONES
    for octet in data:
        value = value >> 8 ^ _TABLE[(value ^ octet) & 0xFF]
    return value ^ _ONES
