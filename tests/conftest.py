"""Shared fixtures: tiny data sets and tiny training runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the tests are written for the CPU
if "PYTEST_XDIST_WORKER" in os.environ:  # or the threads of two wait for each other
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

# A shell's background job ignores Ctrl-C, and so would every process that is tested.
with contextlib.suppress(ValueError):  # not the main thread
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"  # reference data, beside the checkout

TINY = {
    "model": "crnet",
    "codeword_dim": 32,
    "quantizer": "uniform",
    "bits": 6,
    "dataset": "cost2100_sim/indoor_tiny",
    "num_train": 160,
    "num_validation": 50,
    "num_test": 50,
    "epochs": 2,
    "batch_size": 20,
    "warmup_epochs": 0.5,
    "image_every": 1,
    "cpu_step": "native",  # nothing to compile
}


def tiny_flags(data_dir, run_dir, **changes) -> list[str]:
    """Command-line flags of a training that takes seconds."""
    values = {**TINY, "data_dir": data_dir, "run_dir": run_dir, **changes}
    return [f"--{name}={value}" for name, value in values.items()]


def run_command(module: str, *args, env=None, timeout=180):
    """Run `python -m module args` in the repository root; returns the process."""
    command = [sys.executable, "-m", module, *map(str, args)]
    merged = {**os.environ, **(env or {})}
    return subprocess.run(
        command, cwd=ROOT, env=merged, capture_output=True, text=True, timeout=timeout
    )


def assert_one_line_error(done, *words, code=1) -> None:
    """The process failed with one `error: ...` line that holds the words."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == code, done.stderr[-2000:]
    assert len(lines) == 1, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """TFDS directory with cost2100_sim/indoor_tiny prepared."""
    from zoo.data import splits

    path = tmp_path_factory.mktemp("tfds")
    splits.open_builder(TINY["dataset"], str(path))
    return path


@pytest.fixture(scope="session")
def eigen_config(tmp_path_factory):
    """Configuration of drops that have eigenvectors of 13 subbands in two layers."""
    from zoo.config import ExperimentConfig

    path, name = tmp_path_factory.mktemp("eigen"), "tr38901/r18_dense_urban_2ghz_tiny"
    return ExperimentConfig(dataset=name, data_dir=str(path), num_test=20)


@pytest.fixture(scope="session")
def tiny_config(data_dir):
    """Function that makes the configuration of a tiny run."""
    from zoo.config import ExperimentConfig

    def make(run_dir, **changes):
        values = {**TINY, "data_dir": str(data_dir), "run_dir": str(run_dir)}
        return ExperimentConfig(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def tiny_run(tiny_config, tmp_path_factory):
    """A finished tiny training run."""
    from zoo.training import session

    return session.train(tiny_config(tmp_path_factory.mktemp("runs") / "tiny"))
