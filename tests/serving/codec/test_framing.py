from __future__ import annotations

import lzma
import zlib

import numpy as np
import pytest

from serving.codec import frame_graph, framing
from serving.codec.bitstream import BitstreamError
from serving.codec.crc64 import crc64
from tests.serving.api.test_serving_fuzz import mutated

MODEL_ID = b"\x12\x34\x56\x78"
SEQUENCES = {1: None, 2: 0xFFFF_FFFE}


def crc_of_xz(message: bytes) -> bytes:
    """CRC-64 as liblzma writes it: last of the block, before index and footer."""
    stream = lzma.compress(message, lzma.FORMAT_XZ, lzma.CHECK_CRC64)
    index = 4 * (int.from_bytes(stream[-8:-4], "little") + 1)
    end = len(stream) - 12 - index
    return stream[end - 8 : end][::-1]


CHECKS = {1: lambda m: zlib.crc32(m).to_bytes(4, "big"), 2: crc_of_xz}


def refused(call, *args, match: str):
    with pytest.raises(BitstreamError, match=match):
        call(*args)


def flipped(frame: bytes, bit: int) -> bytes:
    damaged = bytearray(frame)
    damaged[bit // 8] ^= 0x80 >> bit % 8
    return bytes(damaged)


def test_crc64_equals_liblzma_and_its_published_check():
    assert crc64(b"123456789") == 0x995DC9BBDF1939FA
    rng = np.random.default_rng(0)
    for size in (1, 7, 100, 3000):
        message = rng.bytes(size)
        assert crc64(message).to_bytes(8, "big") == crc_of_xz(message)
        assert crc64(message[3:], crc64(message[:3])) == crc64(message)


@pytest.mark.parametrize("version", [1, 2])
def test_frame_layout(version):
    payload, number = bytes(range(200)) * 2, SEQUENCES[version]
    form = framing.FORMATS[version]
    frame = framing.frame(payload, MODEL_ID, number)
    assert len(frame) == len(payload) + form.overhead_bytes
    assert form.overhead_bytes == {1: 11, 2: 19}[version]
    head = bytes([version]) + MODEL_ID + b"\x01\x90"
    head += b"\xff\xff\xff\xfe" if version == 2 else b""
    assert frame[: form.header_bytes] == head
    assert frame[form.header_bytes : -form.crc_bytes] == payload
    assert frame[-form.crc_bytes :] == CHECKS[version](frame[: -form.crc_bytes])
    assert framing.unframe(frame, MODEL_ID, version) == payload
    assert framing.unframe(frame, version=version) == payload
    assert framing.sequence(frame) == number


@pytest.mark.parametrize("version", [1, 2])
def test_every_single_bit_flip_is_refused_by_both_ends(version):
    payload = np.random.default_rng(0).bytes(37)
    frame = framing.frame(payload, MODEL_ID, SEQUENCES[version])
    damaged = [flipped(frame, bit) for bit in range(8 * len(frame))]
    for one in damaged:
        refused(framing.unframe, one, None, version, match="version|length|CRC")
    sent = [frame, *damaged, frame[:-1], frame + b"x", b"", frame]
    found = frame_graph.parse_frames(sent, 37, MODEL_ID, version)
    valid = found.valid.numpy()
    assert valid[0] and valid[-1] and not valid[1:-1].any()
    assert found.payload.numpy()[0].tobytes() == payload
    if version == 2:
        numbers = found.sequence.numpy()
        assert numbers[0] == numbers[-1] == SEQUENCES[2]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "number", [2000, pytest.param(354_000, marks=pytest.mark.slow)]
)
def test_damaged_frames_are_refused_by_both_ends(version, number):
    """A frame that is accepted, by chance 1 in 2^32, would be one that was sent."""
    rng, size, batch = np.random.default_rng(version), 37, 1000
    for _ in range(number // batch):
        frame = framing.frame(rng.bytes(size), MODEL_ID, SEQUENCES[version])
        damaged = [mutated(frame, rng) for _ in range(batch)]
        valid = frame_graph.parse_frames(damaged, size, MODEL_ID, version).valid.numpy()
        for one, accepted in zip(damaged, valid, strict=True):
            try:
                framing.unframe(one, MODEL_ID, version)
            except BitstreamError:
                assert not accepted
            else:
                assert one == frame and accepted


def test_a_receiver_takes_its_own_version_only():
    payload = b"payload"
    frames = [framing.frame(payload, MODEL_ID, SEQUENCES[v]) for v in (1, 2)]
    for version, other in ((1, frames[1]), (2, frames[0])):
        refused(framing.unframe, other, None, version, match="version|expected more")
        found = frame_graph.parse_frames(frames, 7, MODEL_ID, version)
        assert found.valid.numpy().tolist() == [version == 1, version == 2]


@pytest.mark.parametrize("version", [1, 2])
def test_unframe_names_what_is_wrong(version):
    frame = framing.frame(b"payload", MODEL_ID, SEQUENCES[version])
    size = len(frame)
    for cut in range(size):
        text = "length|bytes: expected more"
        refused(framing.unframe, frame[:cut], None, version, match=text)
    text = f"length {size + 1} bytes: expected {size}"
    refused(framing.unframe, frame + b"\0", None, version, match=text)
    damaged = flipped(frame, 8 * size - 1)
    refused(framing.unframe, damaged, None, version, match="CRC")
    text = "model id 12345678: expected 61626364"
    refused(framing.unframe, frame, b"abcd", version, match=text)


def test_frame_refuses_what_the_header_cannot_hold():
    refused(framing.frame, b"x", b"abc", match="model id of 3 bytes")
    refused(framing.frame, b"", MODEL_ID, match="payload of 0 bytes")
    refused(framing.frame, bytes(65536), MODEL_ID, match="payload of 65536 bytes")
    refused(framing.frame, b"x", MODEL_ID, 1 << 32, match="sequence number 4294967296")
    assert len(framing.frame(bytes(65535), MODEL_ID)) == 65546


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 4, 7, 21, 263, 1031])
def test_crc_affine_equals_the_crc(size, version):
    form = framing.FORMATS[version]
    matrix, constant = framing.crc_affine(size, form)
    bits = 8 * form.crc_bytes
    assert matrix.shape == (8 * size, bits) and constant.shape == (bits,)
    assert matrix.dtype == constant.dtype == np.uint8
    rng = np.random.default_rng(size)
    for message in (bytes(size), b"\xff" * size, *(rng.bytes(size) for _ in range(20))):
        row = np.unpackbits(np.frombuffer(message, np.uint8)).astype(int)
        crc = np.packbits((row @ matrix + constant) % 2).tobytes()
        assert crc == CHECKS[version](message)


def independent(rows: list[int]) -> bool:
    """Whether no sum of some rows, in GF(2), is 0."""
    basis = {}
    for row in rows:
        while row and row.bit_length() in basis:
            row ^= basis[row.bit_length()]
        if not row:
            return False
        basis[row.bit_length()] = row
    return True


@pytest.mark.parametrize(("version", "longest"), [(1, 29), (2, 59)])
def test_every_burst_of_so_many_bits_is_found(version, longest):
    """Wherever it begins, also where it goes on into the CRC; not of one bit more."""
    form = framing.FORMATS[version]
    matrix, _ = framing.crc_affine(form.header_bytes + 9, form)
    rows = [int("".join(map(str, row)), 2) for row in matrix]
    rows += [1 << bit for bit in range(8 * form.crc_bytes - 1, -1, -1)]
    for size in (longest, longest + 1):
        starts = range(len(rows) - size + 1)
        found = all(independent(rows[i : i + size]) for i in starts)
        assert found == (size == longest)


def test_crc_affine_refuses_an_empty_message():
    with pytest.raises(ValueError, match="num_bytes=0"):
        framing.crc_affine(0, framing.FORMATS[1])


def test_framer_counts_where_the_export_asks_for_it():
    codec = {"model_id": MODEL_ID.hex()}
    assert framing.Framer(codec)(b"x") == framing.frame(b"x", MODEL_ID)
    framed = framing.Framer({**codec, "frame_version": 2}, start=(1 << 32) - 2)
    numbers = [framing.sequence(framed(b"x")) for _ in range(4)]
    assert numbers == [(1 << 32) - 2, (1 << 32) - 1, 0, 1]
    with pytest.raises(ValueError, match="frame_version is 3"):
        framing.Framer({**codec, "frame_version": 3})


def test_a_ue_that_starts_anew_is_ahead_of_itself(monkeypatch):
    codec = {"model_id": MODEL_ID.hex(), "frame_version": 2}
    monkeypatch.setattr(framing.time, "time", lambda: 1e9)
    before = framing.Framer(codec)
    last = [framing.sequence(before(b"x")) for _ in range(framing.TICKS * 5)][-1]
    monkeypatch.setattr(framing.time, "time", lambda: 1e9 + 5)
    again = framing.sequence(framing.Framer(codec)(b"x"))
    assert framing.is_newer(again, last)


def test_replay_guard():
    guard, codec = framing.ReplayGuard(), {"model_id": "0" * 8, "frame_version": 2}
    framed = framing.Framer(codec, start=(1 << 32) - 2)
    frames = [framed(b"x") for _ in range(4)]
    assert [guard.is_new("ue 1", frame) for frame in frames[:3]] == [True] * 3
    assert not guard.is_new("ue 1", frames[2]), "sent twice"
    assert not guard.is_new("ue 1", frames[0]), "of before"
    assert guard.is_new("ue 2", frames[0]), "another sender"
    assert guard.is_new("ue 1", frames[3])
    guard.forget("ue 1")
    assert guard.is_new("ue 1", frames[0])
    old = framing.frame(b"x", MODEL_ID)
    assert guard.is_new("ue 1", old) and guard.is_new("ue 1", old)
