"""Killed, failing and distributed training runs."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import ROOT, run_command, tiny_flags
from zoo import files
from zoo.codeword import weights_file
from zoo.data import splits
from zoo.run_directory import RunDirectory
from zoo.training import session


def test_nan_loss_stops_with_an_error(tiny_config, tmp_path, monkeypatch):
    config = tiny_config(tmp_path / "run")
    good = splits.load_split(config, "train")
    bad = good.csi.copy()
    bad[50] = np.nan
    loaded = {"train": splits.Split(bad, bad, None, 1024), "validation": good}
    monkeypatch.setattr(splits, "load_split", lambda config, split, *_: loaded[split])
    with pytest.raises(ValueError, match="loss became nan at epoch 1"):
        session.train(config)


def _flip_middle(data: bytes) -> bytes:
    """Flip bits inside the largest array; zip headers are not all covered by CRCs."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def test_damaged_checkpoint_is_refused(tiny_config, tmp_path):
    config = tiny_config(tmp_path / "run", epochs=1)
    run = session.train(config)
    content = run.checkpoint.read_bytes()
    for damaged in (content[:-200], _flip_middle(content)):
        run.checkpoint.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged checkpoint"):
            session.train(config)


def test_full_disk_keeps_the_last_checkpoint(tiny_config, tmp_path, monkeypatch):
    config = tiny_config(tmp_path / "run", epochs=2)
    run = RunDirectory(tmp_path / "run")
    write, calls = np.savez, []

    def full_disk(file, **arrays):
        calls.append(1)
        if len(calls) == 2:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, **arrays)

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left .*last.npz"):
        session.train(config)
    monkeypatch.undo()
    assert [p.name for p in run.checkpoint.parent.iterdir()] == ["last.npz"]
    session.train(config)
    assert [r["epoch"] for r in run.read_metrics()] == [1, 2]


def test_no_room_for_weights_is_said_before_writing(tiny_run, tmp_path, monkeypatch):
    path, asked, require = tmp_path / "x.weights.h5", [], files.require_room
    with pytest.raises(OSError, match=r"MB needed; make room .*x\.weights\.h5"):
        require(path, 10**18)
    require(path, 1000)
    assert not path.exists()
    monkeypatch.setattr(files, "require_room", lambda path, size: asked.append(size))
    weights_file.save(tiny_run.load().autoencoder, path)
    size = path.stat().st_size
    assert size <= asked[0] < 1.2 * size + 10**6


def _values(run):
    return [
        (r["epoch"], r["loss"], r["val_nmse_db"], r["lr"]) for r in run.read_metrics()
    ]


def test_killed_run_resumes_to_the_same_metrics(data_dir, tmp_path):
    changes = {
        "model": "csinet", "epochs": 6, "num_train": 200, "batch_size": 10,
        "deterministic": "true",
    }  # fmt: skip
    whole = tiny_flags(data_dir, tmp_path / "whole", **changes)
    done = run_command("zoo.train", *whole)
    assert done.returncode == 0, done.stderr[-2000:]
    killed = tiny_flags(data_dir, tmp_path / "killed", **changes)
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo.train", *killed],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    run = RunDirectory(tmp_path / "killed")
    try:
        deadline = time.monotonic() + 150
        while len(run.read_metrics()) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # into the next epoch
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 2 <= len(run.read_metrics()) < 6
    done = run_command("zoo.train", *killed)
    assert done.returncode == 0 and "resuming" in done.stdout, done.stderr[-2000:]
    expected = _values(RunDirectory(tmp_path / "whole"))
    assert len(expected) == 6
    np.testing.assert_allclose(_values(run), expected, rtol=1e-5, atol=1e-5)


def _workers(data_dir, run_dir, ports, **changes):
    workers = [f"127.0.0.1:{port}" for port in ports]
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        env = {
            **os.environ,
            "TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task}),
        }
        flags = tiny_flags(data_dir, run_dir, strategy="multi_worker", **changes)
        command = [sys.executable, "-m", "zoo.train", *flags]
        processes.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )  # fmt: skip
        )
    return processes


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _outputs(processes):
    try:
        return [process.communicate(timeout=200) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.slow
def test_two_workers_end_with_the_same_weights(data_dir, tmp_path, tiny_run):
    processes = _workers(data_dir, tmp_path / "run", _free_ports(2))
    outputs = _outputs(processes)
    for process, (_, err) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, err[-2000:]
    hashes = {
        line.split()[-1]
        for out, _ in outputs
        for line in out.splitlines()
        if line.startswith("weights sha256")
    }
    assert len(hashes) == 1
    chief, worker = (tmp_path / "run", tmp_path / "run" / "worker1")
    assert _values(RunDirectory(chief)) == _values(RunDirectory(worker))
    assert not (worker / "ckpt").exists()
    # Half batches per replica normalise over fewer examples, hence the tolerance.
    one = [r["loss"] for r in tiny_run.read_metrics()]
    two = [r["loss"] for r in RunDirectory(chief).read_metrics()]
    np.testing.assert_allclose(two, one, rtol=0.2)
    assert (chief / "best.weights.h5").exists() and not list(worker.glob("*.h5"))


@pytest.mark.parametrize(
    "cluster",
    [
        "",
        "[]",
        '{"cluster": {"worker": ["127.0.0.1:1"]}}',
        '{"cluster": {"ps": ["127.0.0.1:1"], "worker": ["127.0.0.1:2"]}, '
        '"task": {"type": "worker", "index": 0}}',
    ],
)
def test_unusable_cluster_is_refused(tiny_config, tmp_path, monkeypatch, cluster):
    monkeypatch.setenv("TF_CONFIG", cluster)
    with pytest.raises(ValueError, match="TF_CONFIG is"):
        session.train(tiny_config(tmp_path / "run", strategy="multi_worker"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_mirrored_over_logical_devices(data_dir, tmp_path):
    changes = {"strategy": "mirrored", "logical_cpus": 2, "epochs": 1, "num_train": 40}
    flags = tiny_flags(data_dir, tmp_path, **changes, adam_epsilon=1e-2)
    done = run_command("zoo.train", *flags)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("near --adam_epsilon=0.01") == 1
    assert math.isfinite(RunDirectory(tmp_path).read_metrics()[0]["val_nmse_db"])
