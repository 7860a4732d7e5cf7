"""JSON of other types than were written: one line that names the file, no traceback."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from serving.codec import csi_scale
from serving.codec.ue_encoder import UeEncoder, read_codec
from serving.deploying.exports import check_names, read_exports, routes
from serving.deploying.warmup import warmup_inputs
from serving.ue_side.router import read_routes
from tests.support.mutations import check_reader
from tests.support.tiny_export import save_decoder, save_encoder
from tfds_builders.untrusted import json_files
from zoo import files
from zoo.importing import weights_by_name
from zoo.metrics import row_schema
from zoo.reporting import run_page
from zoo.run_directory import RunDirectory
from zoo.training import run_row


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory) -> RunDirectory:
    """A run with everything that is read back of one."""
    path = tmp_path_factory.mktemp("mutated") / "run"
    shutil.copytree(tiny_run.path, path)
    files.write_json(path / "source.json", {"origin": "ours", "url": "x"})
    row = {
        "model": "crnet", "dataset": "a", "dataset_config": "b", "nmse_db": -3.0,
        "nmse_float_db": -4.0, "nmse_pca_db": -2.0, "feedback_bits": 192,
        "versions": {"numpy": "2"},
    }  # fmt: skip
    files.write_json(path / "evaluation.json", row)
    arrays = {"h": np.ones((2, 32, 32, 2)), "h_hat": np.ones((2, 32, 32, 2))}
    np.savez(path / "evaluation_figures.npz", **arrays, ratios=np.full(50, 0.1))
    return RunDirectory(path)


def test_config(run):
    def read():
        run.csi_shape()
        run.trained_on()

    number, refused = check_reader(run.path / "config.json", read)
    assert number > 473 and refused > number / 2


@pytest.mark.slow
def test_networks_of_a_config(run):
    number, refused = check_reader(run.path / "config.json", run.load)
    assert number > 473 and refused > number / 2


@pytest.mark.parametrize("name", ["model_args", "codeword_dim", "quantizer_args"])
def test_networks_of_a_config_in_brief(run, name):
    """Values that only the network refuses."""
    path = run.path / "config.json"
    whole = path.read_text()
    for value in ('{"head": 3}', "[1]", "{}}", '{"x": {}}', '{"head": []}', 10**9):
        path.write_text(json.dumps({**json.loads(whole), name: value}))
        with pytest.raises(ValueError):
            run.load()
    path.write_text(whole)


def test_records_of_a_run(run):
    settings = run.config()
    readers = {
        "network.json": run.csi_shape,
        "data.json": run.trained_on,
        "source.json": lambda: (run.origin, run.trained_on()),
        "env.json": lambda: run_row._training(run, settings),
    }
    for name, read in readers.items():
        number, refused = check_reader(run.path / name, read)
        assert refused > number / 5, name


def test_metrics(run):
    whole = run.metrics.read_text()
    for line in ("3", "[]", '{"epoch": "1"}', '{"epoch": 1, "seconds": []}', "{", '"'):
        run.metrics.write_text(f"{whole}{line}\n")
        with pytest.raises(ValueError, match=r"metrics\.jsonl"):
            run.read_metrics()
    run.metrics.write_text(whole)


def test_page_of_a_run(run, tmp_path):
    """The page of every row that is not refused is written."""
    evaluation = run.path / "evaluation.json"

    def read():
        rows = files.read_json(evaluation, row_schema.ROW)
        run_page.write(tmp_path / "x.html", evaluation, run.path, rows)

    number, refused = check_reader(evaluation, read, every=40)
    assert number > 3 and refused


def test_card(monkeypatch, tmp_path):
    name = next(iter(weights_by_name.shipped()))
    shutil.copytree(weights_by_name.SHIPPED / name, tmp_path / name)
    monkeypatch.setattr(weights_by_name, "SHIPPED", tmp_path)

    def read():
        list(map(weights_by_name.line, weights_by_name.cards()))
        weights_by_name.locate(name)

    number, refused = check_reader(tmp_path / name / "card.json", read, every=3)
    assert number > 100 and refused


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    save_encoder(folder)
    save_decoder(folder / "decoder" / "1")
    codec = json.loads((folder / "codec.json").read_text())
    codec |= {"norms": [0.5, 2.0], "normalisation": {"scale": "norm", "says": "x"}}
    codec |= {"uplink": False, "model_args": {"head": "3x3"}, "frame_version": 1}
    (folder / "codec.json").write_text(json.dumps(codec))
    return folder


def test_codec(export):
    h = np.random.default_rng(0).standard_normal((1, 32, 32, 2)).astype(np.float32)
    h /= np.linalg.norm(h)

    def read():
        codec = read_codec(export)
        ue = UeEncoder(export / "encoder.tflite")
        csi_scale.check(h, ue.codec, "here")
        ue.encode_bits(h[0])
        routes(read_exports([str(export)], []))
        warmup_inputs(codec, 2)

    number, refused = check_reader(export / "codec.json", read)
    assert number > 400 and refused > number / 2


def test_routes(export, tmp_path):
    table = routes(read_exports([str(export)], []))
    files.write_json(tmp_path / "routes.json", table)

    def read():
        read_routes(tmp_path / "routes.json")
        check_names(tmp_path, table)

    number, refused = check_reader(tmp_path / "routes.json", read)
    assert number > 100 and refused > number / 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"n": "4"}', 'n is "4", expected integer'),
        ('{"n": 4.0}', "n is 4.0, expected integer"),
        ('{"n": true}', "n is true, expected integer"),
        ('{"n": -1}', "n is -1, expected at least 0"),
        ("{}", "expected an object with n"),
        ("[]", r"the whole is \[\], expected object"),
        ("[" * 100_000, "not a JSON file"),
        ('{"n": ' + "9" * 5000 + "}", "not a JSON file"),
        ("{", "not a JSON file"),
        ("\udcff", "not a JSON file"),
    ],
)
def test_messages(tmp_path, text, said):
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=rf"x\.json: .*{said}") as caught:
        json_files.read(path, json_files.record({"n": json_files.COUNT}))
    assert len(str(caught.value).splitlines()) == 1


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(json_files.LARGEST + 1)
    with pytest.raises(ValueError, match="expected at most"):
        json_files.read(path)
