from __future__ import annotations

import zlib

import numpy as np
import pytest

from serving.codec import bitstream
from serving.codec.bitstream import BitstreamError

MODEL_ID = b"\x12\x34\x56\x78"


def as_bit_string(indices, bits: int) -> bytes:
    text = "".join(format(index, f"0{bits}b") for index in indices)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def refused(call, *args, match: str):
    with pytest.raises(BitstreamError, match=match):
        call(*args)


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("num", [1, 7, 32, 51])
def test_pack_is_the_bit_string_and_unpack_its_inverse(bits, num):
    rng = np.random.default_rng(bits)
    indices = rng.integers(0, 1 << bits, num)
    indices[0] = (1 << bits) - 1
    payload = bitstream.pack(indices, bits)
    assert payload.dtype == np.uint8
    assert payload.tobytes() == as_bit_string(indices.tolist(), bits)
    for received in (payload, payload.tobytes()):
        back = bitstream.unpack(received, num, bits)
        assert back.dtype == np.int32
        np.testing.assert_array_equal(back, indices)


def test_leading_axes_are_kept():
    indices = np.random.default_rng(0).integers(0, 8, (2, 3, 25), dtype=np.uint8)
    payload = bitstream.pack(indices, 3)
    assert payload.shape == (2, 3, 10)
    np.testing.assert_array_equal(bitstream.unpack(payload, 25, 3), indices)
    assert payload[1, 2].tobytes() == as_bit_string(indices[1, 2].tolist(), 3)


@pytest.mark.parametrize(
    ("indices", "bits", "match"),
    [
        ([8, 0], 3, "0 to 8: expected 0 to 7"),
        ([-1, 0], 3, "-1 to 0: expected 0 to 7"),
        (np.array([2**64 - 1], np.uint64), 16, "expected 0 to 65535"),
        ([1.0, 2.0], 3, "dtype float64"),
        ([True, False], 3, "dtype bool"),
        (3, 3, r"shape \[\]"),
        (np.zeros((2, 0), int), 3, "0 indices"),
        ([1], 0, "bits=0"),
        ([1], 17, "bits=17"),
    ],
)
def test_pack_refuses(indices, bits, match):
    refused(bitstream.pack, indices, bits, match=match)


def test_unpack_refuses_length_dtype_and_padding():
    payload = bitstream.pack(np.arange(5), 3)
    refused(bitstream.unpack, payload[:-1], 5, 3, match=r"expected uint8 \[..., 2\]")
    refused(bitstream.unpack, payload.tobytes() + b"\0", 5, 3, match="shape")
    refused(bitstream.unpack, payload.astype(int), 5, 3, match="dtype int64")
    payload[-1] |= 1
    refused(bitstream.unpack, payload, 5, 3, match="non-zero padding")


def test_frame_layout():
    payload = bytes(range(200)) * 2
    frame = bitstream.frame(payload, MODEL_ID)
    assert len(frame) == len(payload) + bitstream.FRAME_OVERHEAD_BYTES
    assert frame[:7] == b"\x01" + MODEL_ID + b"\x01\x90"
    assert frame[7:-4] == payload
    assert frame[-4:] == zlib.crc32(frame[:-4]).to_bytes(4, "big")
    assert bitstream.unframe(frame, MODEL_ID) == payload
    assert bitstream.unframe(frame) == payload


def test_every_single_bit_flip_is_refused():
    frame = bitstream.frame(np.random.default_rng(0).bytes(37), MODEL_ID)
    for bit in range(8 * len(frame)):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        refused(bitstream.unframe, bytes(damaged), match="version|length|CRC")


def test_unframe_names_what_is_wrong():
    frame = bitstream.frame(b"payload", MODEL_ID)
    for size in range(len(frame)):
        refused(bitstream.unframe, frame[:size], match="length|bytes: expected more")
    refused(bitstream.unframe, frame + b"\0", match="length 19 bytes: expected 18")
    other_version = b"\x02" + frame[1:-4]
    other_version += zlib.crc32(other_version).to_bytes(4, "big")
    refused(bitstream.unframe, other_version, match="version 2: expected 1")
    damaged = frame[:-1] + bytes([frame[-1] ^ 1])
    refused(bitstream.unframe, damaged, match="CRC")
    refused(
        bitstream.unframe, frame, b"abcd", match="model id 12345678: expected 61626364"
    )


def test_frame_refuses_what_the_header_cannot_hold():
    refused(bitstream.frame, b"x", b"abc", match="model id of 3 bytes")
    refused(bitstream.frame, b"", MODEL_ID, match="payload of 0 bytes")
    refused(bitstream.frame, bytes(65536), MODEL_ID, match="payload of 65536 bytes")
    assert len(bitstream.frame(bytes(65535), MODEL_ID)) == 65546


@pytest.mark.parametrize("size", [1, 2, 4, 7, 21, 263, 1031])
def test_crc32_affine_equals_zlib(size):
    matrix, constant = bitstream.crc32_affine(size)
    assert matrix.shape == (8 * size, 32) and constant.shape == (32,)
    assert matrix.dtype == constant.dtype == np.uint8
    rng = np.random.default_rng(size)
    for message in (bytes(size), b"\xff" * size, *(rng.bytes(size) for _ in range(20))):
        bits = np.unpackbits(np.frombuffer(message, np.uint8)).astype(int)
        crc = np.packbits((bits @ matrix + constant) % 2).tobytes()
        assert crc == zlib.crc32(message).to_bytes(4, "big")


def test_crc32_affine_refuses_an_empty_message():
    with pytest.raises(ValueError, match="num_bytes=0"):
        bitstream.crc32_affine(0)
