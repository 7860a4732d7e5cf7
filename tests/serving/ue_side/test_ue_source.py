"""A directory as the source of a UE's CSI, while others write into it."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from serving.ue_side import csi_source
from serving.ue_side.csi_source import DirectorySource, open_source
from serving.ue_side.daemon import Link, Schedule, UeDaemon
from tests.support.tiny_export import MODEL_ID, samples

H = samples(3)


def test_directory_source_gives_the_newest(tmp_path):
    source = open_source(tmp_path)
    assert isinstance(source, DirectorySource) and source.read() is None
    for number in range(3):
        path = tmp_path / f"{number}.npy"
        np.save(path, H[number])
        os.utime(path, ns=(number + 1, number + 1))
    np.testing.assert_array_equal(source.read().h, H[2])
    assert source.superseded == 2 and source.read() is None
    (tmp_path / "3.npy").write_bytes(b"half")
    with pytest.raises(ValueError, match="3.npy is no whole .npy"):
        source.read()
    assert source.read() is None
    os.utime(path, ns=(0, 0))  # before all others: a clock that was set back
    np.testing.assert_array_equal(source.read().h, H[2])
    np.savez(tmp_path / "4.npz", h=H)
    (tmp_path / "4.npz").rename(tmp_path / "4.npy")
    with pytest.raises(ValueError, match="4.npy is an archive"):
        source.read()
    for option in ("uplink", "repeat"):
        with pytest.raises(ValueError, match=f"a directory has .*{option}"):
            open_source(tmp_path, **{option: True})


def test_a_fifo_or_a_device_is_refused(tmp_path):
    """Either would be read without an end."""
    os.mkfifo(tmp_path / "0.npy")
    for path in (tmp_path / "0.npy", "/dev/zero"):
        with pytest.raises(OSError, match=f"{path} is no regular file"):
            open_source(path)
    with pytest.raises(ValueError, match="0.npy is no regular file"):
        open_source(tmp_path).read()


def test_directory_changes_while_it_is_looked_at(tmp_path, monkeypatch):
    """A file is renamed, as writers do, and one deleted, between listing and stat."""
    for name in ("old.npy", "next.tmp"):
        with open(tmp_path / name, "wb") as file:
            np.save(file, H[0])
    scandir = os.scandir

    @contextmanager
    def race(path):
        with scandir(path) as found:
            entries = list(found)
        (tmp_path / "next.tmp").replace(tmp_path / "next.npy")
        (tmp_path / "old.npy").unlink()
        yield entries

    source = DirectorySource(tmp_path)
    monkeypatch.setattr(csi_source.os, "scandir", race)
    assert source.read() is None
    monkeypatch.undo()
    np.testing.assert_array_equal(source.read().h, H[0])
    assert source.superseded == 0


def test_directory_that_fills_up_or_goes_is_counted(tmp_path):
    directory = tmp_path / "csi"
    directory.mkdir()
    for number in range(csi_source.MAX_FILES + 1):
        (directory / f"{number}.npy").touch()
    decoder = SimpleNamespace(decode=lambda *_: (H[:1], np.array([True])))
    codec = {"model_id": MODEL_ID.hex()}
    encoder = SimpleNamespace(codec=codec, encode_bits=lambda h: b"payload")
    source, link = DirectorySource(directory), Link(lambda: decoder)
    daemon = UeDaemon(encoder, source, link, Schedule(0.001))
    stop = threading.Event()
    daemon.run(stop, 1, lambda: None)
    assert "holds more than 1,000 .npy" in daemon.last_error
    shutil.rmtree(directory)
    daemon.run(stop, daemon.periods + 1, lambda: None)
    assert "csi cannot be read" in daemon.last_error
    directory.mkdir()
    np.save(directory / "h.npy", H[0])
    daemon.run(stop, daemon.periods + 1, lambda: None)
    assert (daemon.counts["bad_csi"], daemon.counts["valid"]) == (2, 1)
    assert daemon.periods == 3
