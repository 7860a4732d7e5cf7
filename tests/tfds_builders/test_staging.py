"""Staged blocks and the progress of staging them (no TensorFlow)."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import tqdm

from tests.support.processes import children
from tfds_builders import progress, staging

NAME = "cost2100_sim"
SETTINGS = (NAME, {"scenario": "indoor"}, 2100)


def damaged(content: bytes) -> dict[str, bytes]:
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return {"flipped": bytes(flipped), "cut": content[:-9], "empty": b""}


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
def test_damaged_blocks_are_simulated_again(tmp_path, how):
    blocks = staging.Staging(str(tmp_path), *SETTINGS)
    assert blocks.load(0, 0) is None and blocks.stage(0, 0)
    expected, content = blocks.load(0, 0), blocks.path(0, 0).read_bytes()
    blocks.path(0, 0).write_bytes(damaged(content)[how])
    blocks.path(0, 1).with_suffix(".123.tmp").write_bytes(content[:9])
    assert blocks.load(0, 0) is None
    np.testing.assert_equal(blocks.read(0, 0), expected)
    fresh = []
    blocks.stage_all([(0, 0), (0, 1)], 2, fresh.append)
    blocks.stage_all([(0, 0), (0, 1)], 2, fresh.append)
    assert fresh == [True, True, False, False]
    np.testing.assert_equal(blocks.load(0, 0), expected)
    assert len(list(tmp_path.iterdir())) == 2


def test_fingerprint_is_that_of_settings():
    others = [(NAME, {"scenario": "outdoor"}, 2100), (NAME, SETTINGS[1], 7)]
    names = {staging.fingerprint(*settings) for settings in (*others, SETTINGS)}
    assert len(names) == 3 and staging.fingerprint(*SETTINGS) in names
    assert staging.fingerprint(*SETTINGS).startswith("2100-")


@pytest.mark.parametrize("workers", [1, 2])
def test_failing_worker_is_one_clear_error(tmp_path, workers):
    blocked = staging.Staging(str(tmp_path), *SETTINGS)
    blocked.path(0, 2).mkdir()  # cannot be replaced by a file
    with pytest.raises(ChildProcessError, match="status 1: .*0-000002.npz: ") as caught:
        blocked.stage_all(
            [(0, block) for block in range(4)], workers, lambda fresh: None
        )
    assert "Is a directory; other blocks are kept" in str(caught.value)
    assert "\n" not in str(caught.value) and not children("tfds_builders.staging")
    staged = [blocked.load(0, block) is not None for block in (0, 1)]
    if workers == 1:
        assert all(staged) and not list(tmp_path.glob("*.tmp"))
    assert any(staged)  # the other of two is killed at whatever it does
    unknown = staging.Staging(str(tmp_path), NAME, {"scenario": "attic"}, 0)
    with pytest.raises(ChildProcessError, match="unknown COST2100 scenario 'attic'"):
        unknown.stage_all([(1, 0)], 1, lambda fresh: None)


@pytest.mark.parametrize("tty", [False, True])
def test_progress_tells_rate_and_time_left(monkeypatch, capsys, tty):
    now = [0.0]
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: tty)
    with progress.Progress("name", 100_000) as shown:
        for _ in range(20):
            shown.add(1000, fresh=False)
        for _ in range(10):
            now[0] += 12
            shown.add(600, fresh=True)
    written = capsys.readouterr().err
    if tty:
        assert "26000/100000" in written and "50.00 examples/s" in written
        return
    lines = written.splitlines()
    assert "\r" not in written and 2 <= len(lines) <= 3  # two minutes
    assert lines[0] == (
        "name: 23000 of 100000 examples (23 %), 50.00 examples/s, ETA 25:40, "
        "20000 found"
    )


def test_what_is_done_soon_says_nothing_in_a_log(capsys):
    assert list(progress.track(range(3), "name")) == [0, 1, 2]
    assert not capsys.readouterr().err
