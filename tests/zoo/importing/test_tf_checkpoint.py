"""TensorFlow checkpoints: against TensorFlow's reader; hostile and damaged ones."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from tests.support.public_fista import save
from zoo.importing import tf_checkpoint


@pytest.fixture
def prefix(tmp_path):
    """One tensor of each kind, and so many others that the index has many blocks."""
    rng = np.random.default_rng(0)
    values = {f"layer_{i:04d}/a/long/name": rng.normal(size=3) for i in range(600)}
    values |= {"w": rng.normal(size=(3, 5)).astype("f4"), "half": np.ones(4, "f2")}
    values |= {"empty": np.zeros((0, 4), "f4"), "scalar": np.float32(2.5)}
    values |= {"steps": np.array(7), "name": np.array("x"), "on": np.array(True)}
    return save(tmp_path / "whole", values | {"w/Adam": np.ones((3, 5), "f4")})


def test_as_tensorflow_reads_it(prefix):
    tensors, ignored = tf_checkpoint.read(prefix)
    reader = tf.train.load_checkpoint(str(prefix))
    names = set(reader.get_variable_to_shape_map())
    assert ignored == ["name", "on", "steps", "w/Adam"]
    assert set(tensors) == names - set(ignored) and len(tensors) == 604
    for name, value in tensors.items():
        np.testing.assert_array_equal(value, reader.get_tensor(name), strict=True)


def index_of(entries: dict[str, bytes], magic=tf_checkpoint.MAGIC) -> bytes:
    """An index of one block, its checksums left out."""

    def varint(value: int) -> bytes:
        low, rest = value & 127, value >> 7
        return bytes([low | 128]) + varint(rest) if rest else bytes([low])

    def block(pairs) -> bytes:
        parts, last = [], b""
        for key, value in pairs:
            same, last = len(os.path.commonprefix([last, key])), key
            sizes = varint(same) + varint(len(key) - same) + varint(len(value))
            parts.append(sizes + key[same:] + value)
        return b"".join(parts) + struct.pack("<II", 0, 1)

    data = block([(name.encode(), value) for name, value in entries.items()])
    index = block([(b"~", varint(0) + varint(len(data)))])
    place = varint(0) * 2 + varint(len(data) + 5) + varint(len(index))
    footer = place.ljust(40, b"\0") + magic
    return data + bytes(5) + index + bytes(5) + footer


def entry(shape, size=None, dtype=tf.float32, **more) -> bytes:
    message = tensor_bundle_pb2.BundleEntryProto(dtype=dtype.as_datatype_enum, **more)
    for length in shape:
        message.shape.dim.add(size=length)
    message.size = int(np.prod(shape, dtype=object)) * 4 if size is None else size
    return message.SerializeToString()


HEADER = tensor_bundle_pb2.BundleHeaderProto(num_shards=1).SerializeToString()
BIG = tensor_bundle_pb2.BundleHeaderProto(num_shards=1, endianness=1)


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        (
            {"w": entry([-2, -3])},
            r"w has shape \[-2, -3\]",
        ),  # ends TensorFlow's process
        ({"w": entry([1 << 62, 4], 64)}, "w: 64 bytes for float32"),
        ({"w": entry([1 << 20])}, "w: truncated, ends behind 64 bytes"),
        ({"w": entry([4], offset=60)}, "w: truncated"),
        ({"w": entry([4], offset=-8)}, "w: in file 0 of 1"),
        ({"w": entry([4], shard_id=1)}, "w: in file 1 of 1"),
        ({"w": entry([3], 16)}, r"w: 16 bytes for float32 \[3\]"),
        ({k: entry([16]) for k in "abc"}, "192 bytes of tensors in files of 64"),
        ({"w": b"\xff"}, "parsing"),
        ({"w": entry([1 << 62] * 300, 64)}, "w has 300 axes"),
        ({"w" * 5000: entry([4])}, "a name of 5,000 letters"),
        ({"": BIG.SerializeToString()}, "big-endian"),
    ],
)
def test_hostile_index(tmp_path, entries, text):
    (tmp_path / "net.index").write_bytes(index_of({"": HEADER, **entries}))
    (tmp_path / "net.data-00000-of-00001").write_bytes(bytes(64))
    with pytest.raises(ValueError, match=f"net.index: not a usable .*{text}"):
        tf_checkpoint.read(tmp_path / "net")


def test_names_that_fill_the_memory(tmp_path, monkeypatch):
    """Each is one letter more than the last: some kB that unfold to MBs."""
    monkeypatch.setattr(tf_checkpoint, "MOST_LETTERS", 1 << 20)
    names = {"b" * i: entry([]) for i in range(1, 2000)}
    content = index_of({"": HEADER, **names})
    assert len(content) < 40_000
    (tmp_path / "net.index").write_bytes(content)
    (tmp_path / "net.data-00000-of-00001").write_bytes(bytes(64))
    with pytest.raises(ValueError, match=r"or names of 1,0\d\d,\d\d\d letters"):
        tf_checkpoint.read(tmp_path / "net")


def test_the_written_index_is_one(tmp_path):
    """Otherwise the refusals above would say nothing."""
    good = {"": HEADER, "w": entry([4], crc32c=0)}
    (tmp_path / "net.index").write_bytes(index_of(good))
    (tmp_path / "net.data-00000-of-00001").write_bytes(bytes(64))
    found = tf_checkpoint._entries(tmp_path / "net.index")
    assert list(found) == ["w"] and found["w"].size == 16
    with pytest.raises(ValueError, match="(?i)checksum|crc"):
        tf_checkpoint.read(tmp_path / "net")


def test_damaged_index(prefix):
    """Every cut and every changed byte is refused, or harmless: no other exception."""
    index = prefix.with_name(prefix.name + ".index")
    content, rng = index.read_bytes(), np.random.default_rng(0)
    damaged = [content[:n] for n in rng.integers(0, len(content), 20)]
    for position in rng.integers(0, len(content), 60):
        flipped = bytearray(content)
        flipped[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    refused = 0
    for version in damaged:
        index.write_bytes(version)
        try:
            tf_checkpoint.read(prefix)
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused >= 40


def test_damaged_numbers(prefix):
    path = prefix.with_name(prefix.name + ".data-00000-of-00001")
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="(?i)checksum"):
        tf_checkpoint.read(prefix)
    path.write_bytes(content[:100])
    with pytest.raises(ValueError, match="truncated, ends behind 100 bytes"):
        tf_checkpoint.read(prefix)


def test_missing_files(prefix, tmp_path):
    with pytest.raises(
        FileNotFoundError, match="expected PREFIX.index and PREFIX.data"
    ):
        tf_checkpoint.find(tmp_path)
    save(prefix.parent, {"w": np.ones(3, "f4")})
    prefix.with_name("other.index").write_bytes(b"")
    with pytest.raises(
        ValueError, match="holds 2 checkpoints: CS_Saved_Model_300.cpkt"
    ):
        tf_checkpoint.find(prefix.parent)
    part = prefix.with_name(prefix.name + ".data-00000-of-00001")
    part.rename(prefix.with_name(prefix.name + ".data-00001-of-00002"))
    with pytest.raises(FileNotFoundError, match="expected .*data-00000-of-00001"):
        tf_checkpoint.find(prefix)
