"""Weights and the hash beside them: written together, verified, finite."""

from __future__ import annotations

import hashlib
import os
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import assert_one_line_error, run_command
from tfds_builders.untrusted import sizes
from zoo import files
from zoo.codeword import weights_file
from zoo.keras_compat import Model, layers
from zoo.run_directory import RunDirectory


def network(value: float = 0.0):
    inputs = layers.Input((2,))
    model = Model(inputs, layers.Dense(3, name="d")(inputs))
    for variable in model.variables:
        variable.assign(np.full(variable.shape, value))
    return model


def weights_of(path) -> float:
    model = network(-1)
    weights_file.load(model, path)
    (value,) = {float(x) for v in model.variables for x in np.ravel(v.numpy())}
    return value


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "best.weights.h5"
    weights_file.save(network(1), path)
    return path


def test_the_hash_is_what_sha256sum_reads(path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    record = weights_file.hash_file(path)
    assert record.read_text() == f"{digest}  {path.name}\n"
    subprocess.run(["sha256sum", "-c", record.name], cwd=path.parent, check=True)


def test_other_bytes_are_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"best\.weights\.h5: its sha256 is .*remove"):
        weights_of(path)
    weights_file.hash_file(path).unlink()  # as the message says
    assert weights_of(path) == 1


@pytest.mark.parametrize("renamed", [0, 1])
@pytest.mark.parametrize("older", [False, True])
def test_a_kill_between_the_renames_leaves_a_pair(path, monkeypatch, renamed, older):
    """Weights and hash are two files: whichever is there first, they load."""
    if older:
        weights_file.hash_file(path).unlink()
    replace, done = os.replace, []

    def killed(source, target):
        if len(done) > renamed:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        weights_file.save(network(2), path)
    monkeypatch.undo()
    assert weights_of(path) == (1, 2)[renamed]
    weights_file.save(network(3), path)
    assert weights_of(path) == 3
    assert len(weights_file.hash_file(path).read_text().splitlines()) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(path, value):
    weights_file.save(network(value), path)
    with pytest.raises(ValueError, match="NaN or Inf in 6 of 6 places"):
        weights_of(path)


def test_the_commands_refuse_damaged_weights(tiny_run, tmp_path):
    content = bytearray(tiny_run.weights.read_bytes())
    content[len(content) // 2] ^= 16
    try:
        whole = tiny_run.weights.read_bytes()
        tiny_run.weights.write_bytes(content)
        done = run_command(
            "zoo.export", f"--run={tiny_run.path}", f"--out={tmp_path}/x"
        )
    finally:
        tiny_run.weights.write_bytes(whole)
    assert_one_line_error(done, "best.weights.h5: its sha256 is")
    assert not (tmp_path / "x").exists()


def checkpoint(folder, values) -> RunDirectory:
    run = RunDirectory(folder)
    run.checkpoint.parent.mkdir(exist_ok=True)
    run.save_checkpoint([np.asarray(values, np.float32)], {"epoch": 3})
    return run


def test_a_flipped_bit_of_a_checkpoint_changes_nothing_unseen(tmp_path):
    """It is refused, or it was of the archive's own and the numbers are the same."""
    run = checkpoint(tmp_path, np.arange(100))
    content, refused = run.checkpoint.read_bytes(), 0
    for place in np.random.default_rng(0).choice(8 * len(content), 300, replace=False):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        run.checkpoint.write_bytes(damaged)
        variable = tf.Variable(tf.zeros(100))
        try:
            assert run.restore_checkpoint([variable]) == {"epoch": 3}
        except ValueError:
            refused += 1
        else:
            np.testing.assert_array_equal(variable, np.arange(100))
    assert refused > 100


def test_checkpoints_that_are_not_taken_up(tmp_path, monkeypatch):
    variable = tf.Variable(tf.zeros(1000))
    run = checkpoint(tmp_path, np.full(1000, np.nan))
    with pytest.raises(ValueError, match=r"last\.npz: v0 holds NaN or Inf"):
        run.restore_checkpoint([variable])
    monkeypatch.setattr(sizes, "LARGEST", 1000)
    np.savez_compressed(run.checkpoint, v0=np.zeros(1000, "f4"), progress="{}")
    with pytest.raises(ValueError, match=r"damaged checkpoint .*unfold to"):
        run.restore_checkpoint([variable])
