"""The page about own channels as it stands: every data set, and what comes of it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.support import own_channels as made
from tfds_builders import build
from zoo import steps

PAGE = (ROOT / "docs" / "channels" / "own.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()
]
ADDED = {
    re.search(r"--name=(\w+)", line)[1]: line for line in COMMANDS if ".add " in line
}
SHAPES = {"mine": (64, 52), "sionna": (32, 32), "quadriga": (32, 32)}
SHAPES["deepmimo"] = (32, 32)
SMALL = {"zoo.train": "--epochs=1 --batch_size=20"}  # the last setting wins
CHAIN = [line for line in COMMANDS if re.search(r"zoo\.|serving\.", line)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run: the files that the page speaks of."""
    path = tmp_path_factory.mktemp("own")
    np.save(path / "h.npy", made.responses(200, 64))
    made.write_sionna(path / "cir.npz", 100, antennas=32)
    for track in range(1, 5):
        made.write_quadriga(path / f"track{track}.mat", 40, antennas=32)
    made.write_deepmimo(path / "city", 200)
    return path


def run(folder, command: str, name: str = "mine") -> str:
    """Run a command of the page for a data set, which lies where TFDS_DATA_DIR says."""
    command = command.replace("mine", name).replace("h_test", f"h_{name}")
    words = shlex.split(command)
    assert words[:2] == ["python", "-m"]
    words += SMALL.get(words[2], "").split()
    places = {"PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": str(folder / "tfds")}
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=folder,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"[-3000:]
    return done.stdout


def test_the_page_has_a_recipe_for_every_source():
    assert ADDED.keys() == SHAPES.keys()
    words = [line.split()[2] for line in CHAIN]
    assert words[:3] == ["zoo.train", "zoo.evaluate", "zoo.export"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_from_the_files_to_an_evaluated_network(folder, name):
    run(folder, ADDED[name])
    builder = build.find_builder(f"own/{name}", str(folder / "tfds"))
    assert builder.info.features["csi"].shape == (*SHAPES[name], 2)
    for line in CHAIN[:2]:
        out = run(folder, line, name)
    assert '"nmse_db"' in out and '"rho"' in out


@pytest.mark.slow
@pytest.mark.serving
@pytest.mark.parametrize("name", SHAPES)
def test_from_the_run_to_the_served_matrix(folder, name):
    if not (folder / "runs" / name).is_dir():
        pytest.skip("the test before has made no run")
    run(folder, CHAIN[2], name)
    with steps.server(folder / "export" / name / "decoder") as running:
        client = f"{CHAIN[4]} --endpoint={running.endpoint}"
        assert " CSI: NMSE" in (out := run(folder, client, name))
        assert " 0 invalid; 768 payload bits" in out
