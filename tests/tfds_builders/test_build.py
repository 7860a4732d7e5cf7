"""Building data sets: resuming after kills, workers, Beam, disk, errors."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests.conftest import ROOT, run_command
from tests.support.processes import children, ended, wait_until
from tfds_builders import blocks, build, locks, unfinished
from tfds_builders.cost2100_sim import cost2100_sim_dataset_builder as dataset

# A build of its own process; it ends in the middle of the test split if told to.
BUILD = """
import os, signal, sys
from tests.tfds_builders.test_build import builder_of
from tfds_builders import build, generation
def killed(block, features):
    if features["csi_freq"].shape[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    return keyed(block, features)
keyed = generation.keyed
if sys.argv[2] == "kill while writing":
    generation.keyed = killed
build.prepare(builder_of(sys.argv[1], (2000, 100, 100)), workers=2)
"""


def builder_of(data_dir, sizes=(400, 100, 100)):
    config = dataset.Builder.builder_configs["indoor_tiny"]
    config = dataclasses.replace(config, name="indoor_own", sizes=sizes)
    return dataset.Builder(config=config, data_dir=data_dir)


def staged_blocks(builder) -> list[Path]:
    return sorted(Path(builder.data_path.parent).glob("1.0.0.staging/2100-*/*.npz"))


def digest(builder) -> tuple[str, dict]:
    """Hash over all examples in their order, and the metadata."""
    total = hashlib.sha256()
    for split in blocks.SPLITS:
        for example in tfds.as_numpy(builder.as_dataset(split=split)):
            for name, value in sorted(example.items()):
                total.update(f"{name} {value.dtype} {value.shape} ".encode())
                total.update(np.ascontiguousarray(value).tobytes())
    metadata = json.loads((Path(builder.data_path) / "metadata.json").read_text())
    return total.hexdigest(), metadata


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> tuple[str, dict]:
    """Digest of the tiny data set as plain TFDS builds it, in one process."""
    builder = builder_of(tmp_path_factory.mktemp("plain"))
    builder.download_and_prepare()
    return digest(builder)


def run_build(data_dir, how) -> subprocess.Popen:
    command = [sys.executable, "-c", BUILD, str(data_dir), how]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_a_build_killed_twice_equals_one_in_one_go(tmp_path, capfd):
    one_go = builder_of(tmp_path / "one_go", (2000, 100, 100))
    build.prepare(one_go)
    builder = builder_of(tmp_path / "killed", (2000, 100, 100))
    with run_build(tmp_path / "killed", "kill while simulating") as first:
        wait_until(lambda: len(staged_blocks(builder)) >= 4)
        workers = children("tfds_builders.staging", first.pid)
        first.kill()
    assert len(workers) == 2
    wait_until(lambda: all(map(ended, workers)))
    assert 4 <= len(staged_blocks(builder)) < 22 and not builder.data_path.exists()
    staged_blocks(builder)[0].write_bytes(b"damaged")
    with run_build(tmp_path / "killed", "kill while writing") as second:
        assert second.wait() == -signal.SIGKILL
        (found,) = re.findall(r"(\d+) found", second.stderr.read())
        assert 300 <= int(found) < 2200
    folder = Path(builder.data_path.parent)
    (left,) = folder.glob("incomplete.*")
    assert list(left.glob("*train*"))
    (folder / "incomplete.EMPTY1_1.0.0").mkdir()  # killed before it was on record
    (folder / "incomplete.OTHER1_2.0.0").mkdir()  # of another version
    (folder / "incomplete.ANOTHR_1.0.0").mkdir()  # of somebody who writes
    (folder / "incomplete.ANOTHR_1.0.0" / "train").touch()
    build.prepare(builder, workers=2)
    shown = capfd.readouterr().err
    assert "2200 of 2200 examples (100 %)" in shown and "2200 found" in shown
    names = sorted(path.name for path in folder.iterdir())
    left = ["incomplete.ANOTHR_1.0.0", "incomplete.OTHER1_2.0.0"]
    assert names == ["1.0.0", *left]
    assert digest(builder) == digest(one_go)


@pytest.mark.parametrize("workers", [1, 2])
def test_examples_do_not_depend_on_the_workers(tmp_path, plain, workers):
    builder = builder_of(tmp_path)
    build.prepare(builder, workers)
    assert digest(builder) == plain
    assert not list(tmp_path.rglob("*.staging"))
    build.prepare(late := builder_of(tmp_path))  # nothing to do
    assert late.info.splits["train"].num_examples == 400


def test_beam_builds_the_same(tmp_path, plain):
    pytest.importorskip(
        "apache_beam", reason="apache_beam, extra `beam`: not installed"
    )
    builder = builder_of(tmp_path)
    build.prepare(builder, beam_options=["runner=DirectRunner"])
    assert digest(builder) == plain
    assert not list(Path(builder.data_path).glob("*.txt"))


def test_beam_missing_is_said_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.delitem(sys.modules, "tfds_builders.beam_pipeline", raising=False)
    with pytest.raises(ModuleNotFoundError, match="pip install 'apache-beam"):
        build.prepare(builder_of(tmp_path), beam_options=[])


def test_too_little_disk_is_refused_before_starting(tmp_path, monkeypatch, plain):
    usage = namedtuple("usage", "total used free")
    csi, freq = 600 * 32 * 32 * 8, 100 * 32 * 125 * 8
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1e9, 1e9, 16e6))
    assert 16e6 < 2 * (csi + freq) < 17e6
    with pytest.raises(OSError, match=r"needs 0\.016\d GB more in .*, where 0\.016 GB"):
        build.prepare(builder := builder_of(tmp_path))
    assert not staged_blocks(builder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1e9, 1e9, 17e6))
    build.prepare(builder)
    assert digest(builder) == plain


def test_an_empty_record_removes_nothing(tmp_path):
    builder = builder_of(tmp_path)
    staged = Path(builder.data_path.parent) / "1.0.0.staging"
    (staged.parent / "0.9.0").mkdir(parents=True)
    staged.mkdir()
    (staged / unfinished.RECORD).touch()  # the disk was full
    build.prepare(builder)
    assert {path.name for path in staged.parent.iterdir()} == {"0.9.0", "1.0.0"}


@pytest.mark.parametrize(
    "name",
    ["incomplete.x/../../precious_1.0.0", "incomplete.x_2.0.0", "incomplete.\0_1.0.0",
     "incomplete.\udcff_1.0.0"],
)  # fmt: skip
def test_a_damaged_record_removes_nothing_else(name, tmp_path):
    data, folder = tmp_path / "data" / "1.0.0", tmp_path / "folder"
    kept = [tmp_path / "precious_1.0.0", data.parent / "incomplete.x_2.0.0"]
    for path in (folder, data.parent / "incomplete.x", *kept):
        path.mkdir(parents=True)
        (path / "file").touch()
    record = folder / unfinished.RECORD
    record.write_bytes(name.encode("utf-8", "surrogateescape"))
    unfinished.remove(data, folder)
    assert all((path / "file").exists() for path in kept) and not record.exists()


def test_disk_full_while_writing_keeps_what_is_simulated(tmp_path, monkeypatch, capfd):
    def full(self, **settings):
        raise RuntimeError("TFDS") from tf.errors.ResourceExhaustedError(
            None, None, "/data/train; No space left on device"
        )

    builder = builder_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(dataset.Builder, "download_and_prepare", full)
        with pytest.raises(OSError, match="No space left on device; what is staged"):
            build.prepare(builder)
    assert len(staged_blocks(builder)) == 6
    build.prepare(builder)
    assert "600 found" in capfd.readouterr().err and not staged_blocks(builder)


def test_a_second_build_waits_for_the_first(tmp_path, plain, capfd):
    first, second = builder_of(tmp_path), builder_of(tmp_path)
    staged = Path(first.data_path.parent) / "1.0.0.staging"
    thread = threading.Thread(target=build.prepare, args=(second,))
    with locks.alone(staged):
        thread.start()
        wait_until(
            lambda: f"waiting for process {os.getpid()} (" in capfd.readouterr().out
        )
        first.download_and_prepare()
        shutil.rmtree(staged)
    thread.join()
    assert digest(second) == plain and not staged.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cost2100_sim/indor", "'cost2100_sim' has no configuration 'indor'.*indoor_q"),
        ("cost21/indoor", "unknown dataset 'cost21', expected one of cost2100, "),
        (
            "data/h.npy",
            "a file becomes own/NAME with .* --source=data/h.npy --name=NAME",
        ),
        ("cost2100_sim", "no configuration ''; write cost2100_sim/CONFIG"),
    ],
)
def test_unknown_names(name, words):
    with pytest.raises(ValueError, match=words):
        build.find_builder(name)


def test_wrong_uses_name_the_value(tmp_path):
    with pytest.raises(ValueError, match="workers=0"):
        build.prepare(builder_of(tmp_path), workers=0)
    with pytest.raises(FileNotFoundError, match="DATA_Htrainin.mat"):
        build.prepare(build.find_builder("cost2100/indoor", str(tmp_path)))
    with pytest.raises(ValueError, match="'cost2100' is not simulated"):
        blocks.simulator_of("cost2100")


def test_command(tmp_path):
    flags = ["cost2100_sim/indoor_tiny", "--workers=2", f"--data_dir={tmp_path}"]
    done = run_command("tfds_builders.build", *flags)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "600 of 600 examples (100 %), " in done.stderr
    assert "400 train, 100 validation, 100 test in " in done.stdout


def test_the_command_takes_one_data_set():
    with pytest.raises(ValueError, match="got no data set; usage: .*NAME/CONFIG"):
        build.main(["build"])
