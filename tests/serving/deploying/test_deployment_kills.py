"""A deployment that is killed or begun twice: never half, and complete in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving import deployment
from serving.deploying import manifests
from serving.deploying.exports import read_exports
from tests.conftest import ROOT
from tfds_builders import durable, locks

pytest_plugins = ["tests.support.serving_fixtures"]
NAME = "csi_tiny"
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from tfds_builders import durable

replace = durable.replace

def until(written, path):
    if Path(path).name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(written, path)

durable.replace = until
from serving import deployment
from serving.deploying import manifests
from serving.deploying.exports import read_exports
exports = read_exports([sys.argv[2]], ["csi_tiny"])
deployment.write_tree(exports, Path(sys.argv[3]), manifests.Cluster())
"""


def deploy(export: Path, out: Path) -> None:
    tree = read_exports([str(export)], [NAME]), out, manifests.Cluster()
    deployment.write_tree(*tree)


def served(out: Path) -> list[int]:
    text = (out / "config" / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (entry,) = config.model_config_list.config
    for version in entry.model_version_policy.specific.versions:
        assert (out / "models" / NAME / str(version) / "saved_model.pb").is_file()
    return list(entry.model_version_policy.specific.versions)


PLACES = ["2", "routes.json", "docker-compose.yaml", "models.config"]


def check_completed(export: Path, out: Path) -> None:
    """The same command again serves the new version, and nothing is left over."""
    assert served(out) == [1]
    deploy(export, out)
    assert served(out) == [1, 2]
    assert not list(out.rglob(".*"))
    deploy(export, out)
    assert served(out) == [1, 2]


@pytest.mark.parametrize("place", PLACES)
def test_the_same_command_completes_what_was_begun(
    place, exports, tmp_path, monkeypatch
):
    replace = durable.replace

    def until(written, path):
        if Path(path).name == place:
            raise OSError("no more")
        replace(written, path)

    deploy(exports[1], tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "replace", until)
        with pytest.raises(OSError, match="no more"):
            deploy(exports[2], tmp_path)
    check_completed(exports[2], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_so_it_does_after_a_kill(place, exports, tmp_path):
    deploy(exports[1], tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT, place, exports[2], tmp_path], cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    check_completed(exports[2], tmp_path)


def test_a_version_that_was_taken_out_of_service_stays_out(exports, tmp_path):
    deploy(exports[1], tmp_path)
    deploy(exports[2], tmp_path)
    tree = read_exports([str(exports[2])], [NAME]), tmp_path, manifests.Cluster()
    deployment.write_tree(*tree, serve={NAME: [1]})
    deploy(exports[2], tmp_path)
    assert served(tmp_path) == [1]


def test_two_at_once(exports, tmp_path):
    with locks.alone(tmp_path):
        with pytest.raises(OSError, match=f"in use by process {os.getpid()}"):
            deploy(exports[1], tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_of_many_at_once_all_that_end_well_are_served(exports, tmp_path):
    command = [sys.executable, "-m", "serving.deployment", f"--model_name={NAME}"]
    deploy(exports[1], tmp_path)
    processes = [
        subprocess.Popen(
            [*command, f"--export={exports[2]}", f"--out={tmp_path}"],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = [process.communicate()[1] for process in processes]
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0 or "is in use by process" in text
    assert 0 in [process.returncode for process in processes]
    assert served(tmp_path) == [1, 2] and not list(tmp_path.rglob(".*"))
