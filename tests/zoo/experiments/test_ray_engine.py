"""Trainings on a Ray cluster, of which a node is lost in the middle."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, assert_one_line_error, run_command
from zoo import files

pytest.importorskip("ray", reason="needs pip install 'csi-feedback-zoo[ray]'")
from tests.support import ray_nodes  # noqa: E402

pytestmark = pytest.mark.slow
TINY = (
    "--num_train=400 --num_validation=50 --num_test=50 --batch_size=20 "
    "--cpu_step=native --deterministic"
)
UNEQUAL = (  # what depends on machine, folder and time
    "train_seconds", "train_cpu_seconds", "seconds_per_csi", "date", "command",
    "device", "train_device", "flags_sha256",
)  # fmt: skip


def command(data_dir, directory, *more) -> list[str]:
    return [
        sys.executable, "-m", "zoo.compare", "--dataset=cost2100_sim/indoor_tiny",
        f"--data_dir={data_dir}", "--models=crnet,csinet", "--codeword_dims=32",
        "--bits=4", "--seeds=2", "--epochs=2", "--baselines=klt",
        f"--flags={TINY}", f"--directory={directory}", *more,
    ]  # fmt: skip


def rows(directory) -> list[dict]:
    """Rows of a comparison without what machines and times change."""
    content = files.read_json(directory / "comparison.json")
    assert not content["failures"]
    found = [*content["rows"], *content["baselines"]]
    return [{k: v for k, v in r.items() if k not in UNEQUAL} for r in found]


@pytest.fixture(scope="module")
def here(data_dir, tmp_path_factory):
    """The same comparison without Ray, on one core as each of its tasks."""
    folder, core = tmp_path_factory.mktemp("here"), min(os.sched_getaffinity(0))
    pinned = functools.partial(os.sched_setaffinity, 0, {core})
    subprocess.run(command(data_dir, folder), cwd=ROOT, check=True, preexec_fn=pinned)
    return rows(folder)


def test_a_lost_node_changes_no_table(here, data_dir, tmp_path):
    folder = tmp_path / "there"
    with ray_nodes.cluster(tmp_path) as (address, (_, worker)):
        engine = ("--engine=ray", f"--address={address}")
        call = command(data_dir, folder, *engine)
        with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
            ray_nodes.until(lambda: ray_nodes.processes(worker, "zoo.train"))
            ray_nodes.kill(worker)
            said, _ = run.communicate(timeout=600)
        assert run.returncode == 0, said
    assert rows(folder) == here
    assert (folder / "leaderboard.csv").is_file()
    assert len(list(folder.glob("*/best.weights.h5"))) == 4  # the files came back


def test_failures_come_back(data_dir, tmp_path):
    with ray_nodes.cluster(tmp_path) as (address, _):
        engine = ("--engine=ray", f"--address={address}", "--models=csinet_lstm")
        call = command(data_dir, tmp_path / "there", *engine, "--seeds=1")
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "1 of 1 rows failed" in done.stderr
    (failure,) = files.read_json(tmp_path / "there" / "comparison.json")["failures"]
    assert "has single snapshots" in failure["error"]
    assert list((tmp_path / "there").glob("csinet_lstm*.log"))


def test_no_cluster_is_one_line(data_dir, tmp_path):
    call = command(data_dir, tmp_path)[2:]
    done = run_command(*call[:1], *call[1:], "--engine=ray", "--address=127.0.0.1:1")
    assert_one_line_error(done, "127.0.0.1:1")
