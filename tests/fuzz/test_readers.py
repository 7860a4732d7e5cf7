"""Readers on whole inputs, on those that broke them once, and on damaged ones."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.fuzz import readers, seeds
from tests.serving.api.test_serving_fuzz import mutated

NUM_MUTATIONS = 150
SLOWEST = 1.0  # s of the processor for one input


@pytest.fixture(params=readers.TARGETS)
def target(request, tmp_path, monkeypatch):
    """Name of a reader whose files are in a folder of the test."""
    monkeypatch.setattr(readers, "FOLDER", tmp_path)
    return request.param


def test_damaged_inputs(target):
    _damaged(target, NUM_MUTATIONS, seed=0)


@pytest.mark.slow
def test_many_damaged_inputs(target):
    _damaged(target, 3000, seed=1)


def _damaged(target: str, num: int, seed: int) -> None:
    rng, run = np.random.default_rng(seed), readers.TARGETS[target]
    inputs = [content for content in seeds.of(target) if content]
    damaged = [mutated(inputs[i % len(inputs)], rng) for i in range(num)]
    for content in [b"", *inputs, *damaged]:
        began = time.process_time()
        run(content)
        assert time.process_time() - began < SLOWEST, content[:200]


def test_every_target_has_seeds():
    assert all(seeds.of(target) for target in readers.TARGETS)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="no atheris here")
def test_the_command(tmp_path):
    """Two seconds of guided fuzzing find nothing, and leave a corpus behind."""
    command = [sys.executable, "-m", "tests.fuzz", "frame", "--seconds=2"]
    done = subprocess.run(
        [*command, f"--corpus={tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "stat::number_of_executed_units" in done.stderr
    assert list((tmp_path / "frame").iterdir())
