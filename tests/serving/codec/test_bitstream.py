from __future__ import annotations

import numpy as np
import pytest

from serving.codec import bitstream
from serving.codec.bitstream import BitstreamError


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
