"""Damaged TFRecords: the message names the file, and no room is made for a length."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from tests.conftest import TINY, assert_one_line_error, run_command, tiny_flags
from tfds_builders.untrusted import records


def write(path: Path, sizes) -> Path:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in sizes:
            writer.write(bytes(size))
    return path


def read(path: Path) -> int:
    with records.named([path]):
        return sum(1 for _ in tf.data.TFRecordDataset(str(path)))


def test_whole_files(tmp_path):
    assert read(write(tmp_path / "a", [0, 1, 1000])) == 3
    assert read(write(tmp_path / "b", [])) == 0


@pytest.mark.parametrize("cut", [1, 5, 12, 15, 20, 1000])
def test_a_file_that_is_cut_short(tmp_path, cut):
    path = write(tmp_path / "a", [30, 2000])
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"/a: record 1 ends .* behind the file"):
        read(path)


def test_a_length_beyond_the_file(tmp_path):
    """6.4 GB, by a checksum that is right."""
    path = write(tmp_path / "a", [30])
    path.write_bytes((6_400_000_000).to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(ValueError, match="record 0 ends"):
        read(path)


def test_a_flipped_bit(tmp_path):
    path = write(tmp_path / "a", [30, 40, 50])
    content = bytearray(path.read_bytes())
    content[70] ^= 4
    path.write_bytes(content)
    whole = write(tmp_path / "b", [3])
    with pytest.raises(
        ValueError, match=r"/a: record 1 is damaged \(corrupted .* 58\)"
    ):
        with records.named([whole, path]):
            for name in (whole, path):
                list(tf.data.TFRecordDataset(str(name)))


def test_a_training_names_the_file(data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "data")
    (path,) = (tmp_path / "data" / TINY["dataset"]).rglob("*-train.tfrecord*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = run_command("zoo.train", *tiny_flags(tmp_path / "data", tmp_path / "run"))
    assert_one_line_error(done, f"{path}: record ")
    assert TINY["dataset"] in str(path)
