"""No command writes where another is at work: one line that says who is."""

from __future__ import annotations

import json
import os

import pytest

from tests.conftest import ROOT, TINY, assert_one_line_error, run_command
from tests.support.tiny_export import save_encoder
from tfds_builders import locks
from zoo.__main__ import COMMANDS
from zoo.config import ExperimentConfig
from zoo.importing import weights_by_name

DATA = "--dataset={dataset} --data_dir={folder}/data"
# Command line, and the folder ('d') or file ('f') that it writes.
WRITERS = """
zoo.train --run_dir={folder}/run : d {folder}/run
zoo.train_stages --stage=--epochs=1 --run_dir={folder}/run : d {folder}/run
zoo.evaluate --run={run} --json={folder}/row.json : f {folder}/row.json
zoo.evaluate --run={run} : f {run}/evaluation.json
zoo.export --run={run} --out={folder}/export : f {folder}/export
zoo.export --codec=pursuit --report_bits=64 --out={folder}/export {data} \
: f {folder}/export
zoo.baseline --method=klt {data} --json={folder}/row.json : f {folder}/row.json
zoo.rate --codecs=dft {data} --json={folder}/rate.json : f {folder}/rate.json
zoo.compare --models=crnet --epochs=1 {data} --directory={folder}/all : d {folder}/all
zoo.reproduce lora.table4 --directory={folder}/all : d {folder}/all
zoo.reproduce --rejudge={folder}/all : d {folder}/all
zoo.reproduce lora.table4 --directory={folder}/all --json={folder}/x : f {folder}/x
zoo.report --run={run} : f {run}/report.html
zoo.report --results={folder} --output={folder}/page : f {folder}/page
zoo.report --comparison={folder}/c.json --output={folder}/page : f {folder}/page
zoo.report --network_pages={folder}/pages : d {folder}/pages
zoo.report --readme={folder}/README.md : f {folder}/README.md
zoo.quickstart --directory={folder}/quick : f {folder}/quick
zoo.convert_weights --model=csinet --source=x --out={folder}/in : f {folder}/in
zoo.pretrained --run={run} --name={shipped} : f {weights}/{shipped}
zoo.published : d {flagfiles}/published
tfds_builders.inspect {dataset} --out={folder}/page.html : f {folder}/page.html
serving.deployment --export={folder}/tiny --out={folder}/deploy : d {folder}/deploy
serving.capacity --doc={folder}/README.md : f {folder}/README.md
"""
# They wait for the other, in tests/tfds_builders/test_build.py and own/test_adding.py.
WAITING = {"tfds_builders.build", "tfds_builders.add"}
# They write at most one JSON file, in one step.
SINGLE = {
    "serving.server", "serving.client", "serving.ue", "serving.golden",
    "serving.conformance",
}  # fmt: skip
SLOW = {  # they import TensorFlow first
    "zoo.baseline", "zoo.rate", "zoo.compare", "zoo.reproduce", "zoo.published",
    "zoo.convert_weights", "serving.deployment", "serving.capacity",
}  # fmt: skip
LINES = [
    pytest.param(line, marks=pytest.mark.slow if line.split()[0] in SLOW else ())
    for line in WRITERS.replace("\\\n", "").strip().splitlines()
]


@pytest.fixture
def places(tmp_path):
    """What stands in the braces of the lines, there as far as a command asks."""
    run = tmp_path / "trained"
    run.mkdir()
    settings = ExperimentConfig(**TINY)
    (run / "config.json").write_text(json.dumps(settings.to_json()))
    for name in ("evaluation.json", "c.json"):
        (run / name).write_text("{}")
        (tmp_path / name).write_text('{"comparison": {}}')
    (tmp_path / "README.md").write_text("nothing")
    return {
        "folder": tmp_path,
        "run": run,
        "dataset": TINY["dataset"],
        "data": DATA.format(dataset=TINY["dataset"], folder=tmp_path),
        "weights": weights_by_name.SHIPPED,
        "shipped": min(weights_by_name.shipped()),
        "flagfiles": ROOT / "zoo" / "flagfiles",
    }


@pytest.mark.parametrize("line", LINES)
def test_the_second_of_two_is_refused_at_once(line, places, tmp_path):
    words, _, held = line.format_map(places).partition(" : ")
    kind, place = held.split()
    if "deployment" in line:
        save_encoder(tmp_path / "tiny")
        (tmp_path / "tiny" / "decoder" / "1").mkdir(parents=True)
    hold = locks.alone if kind == "d" else locks.alone_for
    with hold(place):
        before = sorted(tmp_path.rglob("*"))
        done = run_command(*words.split())
        assert_one_line_error(done, f"{place} is in use by process {os.getpid()} (")
        assert sorted(tmp_path.rglob("*")) == before


def test_every_command_that_writes_is_among_them():
    tested = {line.split()[0] for line in WRITERS.splitlines() if line}
    every = {module for module, _ in COMMANDS.values()}
    assert every == (tested & every) | WAITING | SINGLE
