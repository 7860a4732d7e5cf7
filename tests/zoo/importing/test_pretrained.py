"""Weights that come with the zoo: shipping, finding, loading, damage."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.conftest import ROOT, assert_one_line_error, run_command
from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator
from tfds_builders.cost2100_sim.cost2100_sim_dataset_builder import DATASET_SEED
from zoo import files
from zoo.codeword.network import build_autoencoder
from zoo.importing import shipped_weights, weights_by_name
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory) -> RunDirectory:
    run = RunDirectory(tmp_path_factory.mktemp("evaluated") / "run")
    shutil.copytree(tiny_run.path, run.path)
    row, _, _ = evaluation.evaluate(run)
    files.write_json(run.path / "evaluation.json", row)
    return run


@pytest.fixture
def shipped(evaluated, tmp_path, monkeypatch) -> RunDirectory:
    monkeypatch.setattr(weights_by_name, "SHIPPED", tmp_path / "weights")
    return shipped_weights.ship(evaluated, "tiny")


def test_shipped_weights_are_a_run_without_paths(shipped, evaluated):
    settings = shipped.config()
    assert settings.data_dir == settings.run_dir == ""
    assert settings.codeword_dim == evaluated.config().codeword_dim
    ours, theirs = shipped.load(), evaluated.load()
    for a, b in zip(ours.autoencoder.weights, theirs.autoencoder.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_card_has_the_figures_and_names_no_folder(shipped, evaluated):
    card = json.loads((shipped.path / "card.json").read_text())
    text = (shipped.path / "README.md").read_text()
    assert f"**{card['nmse_db']:.2f} dB**" in text and card["weights_sha256"] in text
    assert card["flags_sha256"] == files.sha256(shipped.path / "flags.cfg")
    for path in shipped.path.glob("*.*"):
        assert str(evaluated.path.parent).encode() not in path.read_bytes()
        assert b"--run" not in path.read_bytes() or path.suffix == ".cfg"


def test_weights_of_the_zoo_load_and_are_those_of_their_cards():
    cards = sorted((ROOT / "zoo" / "weights").glob("*/card.json"))
    assert [card.parent.name for card in cards] == ["crnet_indoor_16"]
    for card in cards:
        run = RunDirectory(card.parent)
        as_given = {"weights": "pretrained", "init": "paper"}
        settings = dataclasses.replace(run.config(), **as_given)
        assert shipped_weights.find(settings).path == run.path
        assert run.weights.stat().st_size <= shipped_weights.LARGEST_BYTES
        model = build_autoencoder(settings, (32, 32, 2))
        assert shipped_weights.load(settings, model) == run.weights
        best = min(record["val_nmse_db"] for record in run.read_metrics())
        row = json.loads(card.read_text())
        assert row["nmse_db"] == pytest.approx(best, abs=0.2)
        h = simulator.simulate("indoor", 200, DATASET_SEED, 2)
        csi = transforms.to_unit_range(h, transforms.per_sample_scale(h))
        error = model.autoencoder.predict(csi, verbose=0) - csi
        nmse = np.sum(error**2) / np.sum((csi - 0.5) ** 2)
        assert 10 * np.log10(nmse) == pytest.approx(row["nmse_db"], abs=0.7)


def test_training_goes_on_from_them(shipped, tiny_config, tmp_path):
    run = session.train(tiny_config(tmp_path / "run", weights="pretrained", epochs=1))
    best = min(r["val_nmse_db"] for r in shipped.read_metrics())
    assert run.read_metrics()[0]["val_nmse_db"] == pytest.approx(best, abs=1e-3)


def test_none_fits(shipped, tiny_config, tmp_path):
    settings = tiny_config(tmp_path, weights="pretrained", codeword_dim=8)
    with pytest.raises(ValueError, match="0 fit .*codeword_dim=8.*there are: tiny"):
        shipped_weights.find(settings)


def test_several_fit_and_the_data_set_decides(shipped, evaluated, tiny_config):
    shipped_weights.ship(evaluated, "second")
    with pytest.raises(ValueError, match="2 fit .*second, tiny"):
        shipped_weights.find(evaluated.config())
    config = json.loads((shipped.path / "config.json").read_text())
    config["dataset"] = "cost2100_sim/outdoor_tiny"
    (shipped.path / "config.json").write_text(json.dumps(config))
    assert shipped_weights.find(evaluated.config()).path.name == "second"


def test_damaged_weights(shipped, tiny_config, tmp_path):
    content = bytearray(shipped.weights.read_bytes())
    content[len(content) // 2] ^= 1
    shipped.weights.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or of another"):
        session.train(tiny_config(tmp_path / "run", weights="pretrained"))


def test_a_file_instead(evaluated, tiny_config, tmp_path):
    settings = tiny_config(tmp_path / "a", weights=str(evaluated.weights), epochs=1)
    assert session.train(settings).read_metrics()[0]["epoch"] == 0
    with pytest.raises(FileNotFoundError, match="no.weights.h5"):
        session.train(tiny_config(tmp_path / "b", weights="no.weights.h5"))
    with pytest.raises(ValueError, match="--init=klt both set"):
        tiny_config(tmp_path / "c", weights="pretrained", init="klt")


def test_shipping_needs_an_evaluation_of_these_weights(shipped, evaluated):
    with pytest.raises(FileNotFoundError, match="evaluation.json"):
        shipped_weights.ship(shipped, "again")
    row = files.read_json(evaluated.path / "evaluation.json")
    files.write_json(shipped.path / "evaluation.json", row | {"weights_sha256": "0"})
    with pytest.raises(ValueError, match="of other weights"):
        shipped_weights.ship(shipped, "again")


def test_weights_of_others_are_not_shipped(shipped):
    files.write_json(shipped.path / "source.json", {"origin": "published_checkpoint"})
    with pytest.raises(ValueError, match="converted weights of others"):
        shipped_weights.ship(shipped, "again")


@pytest.fixture
def copied(evaluated, tmp_path, monkeypatch) -> RunDirectory:
    monkeypatch.setattr(weights_by_name, "SHIPPED", tmp_path / "weights")
    run = RunDirectory(tmp_path / "run")
    shutil.copytree(evaluated.path, run.path)
    return run


def test_the_size_of_the_csi_is_shipped(copied):
    record = files.read_json(copied.path / "network.json") | {"csi_shape": [64, 32, 2]}
    files.write_json(copied.path / "network.json", record)
    assert shipped_weights.ship(copied, "wide").csi_shape() == (64, 32, 2)


@pytest.mark.parametrize(
    "change",
    [{"model": "/mine/net.py:SPEC"}, {"model": "mine"},
     {"quantizer": "pkg.q:Q", "bits": 2}],
)  # fmt: skip
def test_code_of_ones_own_is_not_shipped(copied, change, tmp_path):
    config = files.read_json(copied.path / "config.json") | change
    files.write_json(copied.path / "config.json", config)
    with pytest.raises(ValueError, match="is code of your own"):
        shipped_weights.ship(copied, "mine")
    assert not (tmp_path / "weights").exists()


def test_command_line():
    assert_one_line_error(run_command("zoo.pretrained"), "--run=RUN", "--name=NAME")
