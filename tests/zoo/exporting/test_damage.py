"""One bit of an artefact flips on its way: it is refused, never taken for another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from serving.codec.coded_atoms import CodedEncoder
from serving.codec.ue_encoder import UeEncoder
from serving.models.servable import Servable
from zoo.api import loading
from zoo.codeword import weights_file
from zoo.exporting import exporter
from zoo.run_directory import RunDirectory

pytest_plugins = ["tests.support.pursuit_export"]
NUM_FLIPS = 40
READERS = {  # of the files of an export
    "encoder.tflite": lambda out: UeEncoder(out / "encoder.tflite"),
    "codec.json": lambda out: UeEncoder(out / "encoder.tflite"),
    "checksums.sha256": lambda out: loading.of_export(out),
    "golden.npz": lambda out: loading.of_export(out),
    "decoder/1/saved_model.pb": lambda out: Servable(out / "decoder" / "1"),
    "decoder/1/checksums.sha256": lambda out: Servable(out / "decoder" / "1"),
}


def flipped(path: Path, num: int = NUM_FLIPS):
    """Flip one bit after the other of a seeded sample, in place."""
    content = path.read_bytes()
    for place in np.random.default_rng(0).choice(8 * len(content), num, replace=False):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        yield place
    path.write_bytes(content)


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("damage") / "export"
    exporter.export(tiny_run, out)
    return out


@pytest.mark.serving
@pytest.mark.parametrize("name", READERS)
def test_each_flip_in_an_export_is_refused(exported, name):
    for place in flipped(exported / name):
        with pytest.raises(ValueError, match="sha256"):
            READERS[name](exported)
            pytest.fail(f"bit {place} of {name} was not noticed")
    READERS[name](exported)


def test_each_flip_in_the_weights_of_a_run_is_refused(tiny_run, tmp_path):
    run = RunDirectory(Path(shutil.copytree(tiny_run.path, tmp_path / "run")))
    network = run.load().trained
    for name in ("best.weights.h5", "best.weights.h5.sha256"):
        for place in flipped(run.path / name):
            with pytest.raises(ValueError, match=r"best\.weights\.h5"):
                weights_file.load(network, run.weights)
                pytest.fail(f"bit {place} of {name} was not noticed")
    weights_file.load(network, run.weights)


def test_each_flip_in_the_tables_is_refused(pursuit_files):
    out = pursuit_files.path
    for place in flipped(out / "tables.npz"):
        with pytest.raises(ValueError, match="sha256"):
            CodedEncoder(out / "encoder.tflite")
            pytest.fail(f"bit {place} was not noticed")
