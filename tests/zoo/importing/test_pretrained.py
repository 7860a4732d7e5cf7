"""Weights that come with the zoo: shipping, finding, loading, damage."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest

from tests.conftest import ROOT, assert_one_line_error, run_command
from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator
from tfds_builders.cost2100_sim.cost2100_sim_dataset_builder import DATASET_SEED
from zoo import files
from zoo.codeword.network import build_autoencoder
from zoo.exporting import fit_quantizer, weight_cards, weight_sets
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
    return weight_sets.ship([evaluated], "tiny")


def test_shipped_weights_are_a_run_without_paths(shipped, evaluated):
    settings = shipped.config()
    assert settings.data_dir == settings.run_dir == ""
    assert settings.codeword_dim == evaluated.config().codeword_dim
    ours, theirs = shipped.load(), evaluated.load()
    for a, b in zip(ours.autoencoder.weights, theirs.autoencoder.weights, strict=True):
        half = len(b.shape) > 1
        np.testing.assert_array_equal(a, np.float16(b) if half else b)


def test_the_card_has_the_figures_and_names_no_folder(shipped, evaluated):
    card = json.loads((shipped.path / "card.json").read_text())
    text = (shipped.path / "README.md").read_text()
    assert f"**{card['nmse_db']:.2f} dB**" in text and card["weights_sha256"] in text
    assert card["flags_sha256"] == files.sha256(shipped.path / "flags.cfg")
    for path in shipped.path.glob("*.*"):
        assert str(evaluated.path.parent).encode() not in path.read_bytes()
        assert b"--run" not in path.read_bytes() or path.suffix == ".cfg"


NAMES = sorted(path.parent.name for path in (ROOT / "zoo/weights").glob("*/card.json"))


def test_all_sets_are_small_and_are_those_of_their_cards():
    """Together at most 40 MB in the repository."""
    assert len(NAMES) > 1
    files_of = [x for x in (ROOT / "zoo" / "weights").rglob("*") if x.is_file()]
    assert sum(x.stat().st_size for x in files_of) <= 40e6
    for name in NAMES:
        run = RunDirectory(ROOT / "zoo" / "weights" / name)
        weights_by_name.verify(run.path)
        assert run.weights.stat().st_size <= weight_sets.LARGEST_BYTES
        row = json.loads((run.path / "card.json").read_text())
        best = min(record["val_nmse_db"] for record in run.read_metrics())
        assert row["nmse_db"] == pytest.approx(best, abs=0.25)
        assert not row["commit"].endswith("-dirty")
        if "nmse_float32_db" in row:
            text = (run.path / "README.md").read_text()
            assert text == weight_cards.text(name, row)
            assert abs(row["nmse_db"] - row["nmse_float32_db"]) < 0.01
            assert min(row["nmse_db_by_seed"].values()) <= row["nmse_float32_db"]
            assert (
                set(row["grids"])
                == {"4", "6"}
                == set(files.read_json(run.path / "grids.json"))
            )


@pytest.mark.parametrize(
    "name",
    [x if x.endswith("indoor_16") else pytest.param(x, marks=pytest.mark.slow)
     for x in NAMES],
)  # fmt: skip
def test_weights_of_the_zoo_load_and_reach_their_figure(name):
    """On drops of their kind; other ones than the card's, and fewer."""
    run = RunDirectory(ROOT / "zoo" / "weights" / name)
    as_given = {"weights": "pretrained", "init": "paper"}
    settings = dataclasses.replace(run.config(), **as_given)
    assert shipped_weights.find(settings).path == run.path
    model = build_autoencoder(settings, (32, 32, 2))
    assert shipped_weights.load(settings, model) == run.weights
    row = json.loads((run.path / "card.json").read_text())
    scenario = row["dataset_config"].partition(":")[0].partition("_")[0]
    h = simulator.simulate(scenario, 200, DATASET_SEED, 2)
    csi = transforms.to_unit_range(h, transforms.per_sample_scale(h))
    error = model.autoencoder.predict(csi, verbose=0) - csi
    nmse = np.sum(error**2) / np.sum((csi - 0.5) ** 2)
    assert 10 * np.log10(nmse) == pytest.approx(row["nmse_db"], abs=0.9)


def test_training_goes_on_from_them(shipped, tiny_config, tmp_path):
    run = session.train(tiny_config(tmp_path / "run", weights="pretrained", epochs=1))
    best = min(r["val_nmse_db"] for r in shipped.read_metrics())
    assert run.read_metrics()[0]["val_nmse_db"] == pytest.approx(best, abs=1e-2)


def test_none_fits(shipped, tiny_config, tmp_path):
    settings = tiny_config(tmp_path, weights="pretrained", codeword_dim=8)
    with pytest.raises(ValueError, match="0 fit .*codeword_dim=8.*there are: tiny"):
        shipped_weights.find(settings)


def test_several_fit_and_the_data_set_decides(shipped, evaluated, tiny_config):
    weight_sets.ship([evaluated], "second")
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
        weight_sets.ship([shipped], "again")
    row = files.read_json(evaluated.path / "evaluation.json")
    files.write_json(shipped.path / "evaluation.json", row | {"weights_sha256": "0"})
    with pytest.raises(ValueError, match="of other weights"):
        weight_sets.ship([shipped], "again")


def test_weights_of_others_are_not_shipped(shipped):
    files.write_json(shipped.path / "source.json", {"origin": "published_checkpoint"})
    with pytest.raises(ValueError, match="converted weights of others"):
        weight_sets.ship([shipped], "again")


@pytest.fixture
def copied(evaluated, tmp_path, monkeypatch) -> RunDirectory:
    monkeypatch.setattr(weights_by_name, "SHIPPED", tmp_path / "weights")
    run = RunDirectory(tmp_path / "run")
    shutil.copytree(evaluated.path, run.path)
    return run


def test_the_size_of_the_csi_is_shipped(copied):
    record = files.read_json(copied.path / "network.json") | {"csi_shape": [64, 32, 2]}
    files.write_json(copied.path / "network.json", record)
    wide = RunDirectory(copied.path.with_name("wide"))
    weight_sets._copy(copied, wide)
    assert wide.csi_shape() == (64, 32, 2)


@pytest.mark.parametrize(
    "change",
    [{"model": "/mine/net.py:SPEC"}, {"model": "mine"},
     {"quantizer": "pkg.q:Q", "bits": 2}],
)  # fmt: skip
def test_code_of_ones_own_is_not_shipped(copied, change, tmp_path):
    config = files.read_json(copied.path / "config.json") | change
    files.write_json(copied.path / "config.json", config)
    with pytest.raises(ValueError, match="is code of your own"):
        weight_sets.ship([copied], "mine")
    assert not (tmp_path / "weights").exists()


def test_weights_without_nmse_are_not_shipped(copied):
    config = files.read_json(copied.path / "config.json")
    config |= {"target": "eigenvectors", "loss": "sgcs", "init": "paper"}
    files.write_json(copied.path / "config.json", config)
    with pytest.raises(ValueError, match="--loss=sgcs, and cards .* are of NMSE"):
        weight_sets.ship([copied], "mine")


@pytest.fixture(scope="module")
def seeds(tiny_config, tmp_path_factory) -> list[RunDirectory]:
    """Two evaluated seeds of a training without bits."""
    runs = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("seeds") / f"s{seed}"
        plain = {"quantizer": "none", "bits": 0, "seed": seed, "epochs": 1}
        run = session.train(tiny_config(folder, **plain))
        row, _, _ = evaluation.evaluate(run)
        files.write_json(run.path / "evaluation.json", row)
        runs.append(run)
    return runs


@pytest.fixture(scope="module")
def first_set(seeds, tmp_path_factory) -> RunDirectory:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("sets")
        patch.setattr(weights_by_name, "SHIPPED", folder)
        patch.setattr(fit_quantizer, "WIDTHS", (3.0, math.inf))
        return weight_sets.ship(seeds, "both", lambda data, bits: -bits / 100)


@pytest.fixture
def a_set(first_set, tmp_path, monkeypatch) -> RunDirectory:
    monkeypatch.setattr(weights_by_name, "SHIPPED", tmp_path / "weights")
    monkeypatch.setattr(fit_quantizer, "WIDTHS", (3.0, math.inf))
    copy = RunDirectory(tmp_path / "weights" / "both")
    shutil.copytree(first_set.path, copy.path)
    return copy


def test_the_best_seed_by_validation_is_taken(a_set, seeds):
    card = files.read_json(a_set.path / "card.json")
    rows = [files.read_json(run.path / "evaluation.json") for run in seeds]
    reached = [min(r["val_nmse_db"] for r in run.read_metrics()) for run in seeds]
    assert card["seed"] == int(np.argmin(reached))
    assert card["nmse_db_by_seed"] == {
        str(i): row["nmse_db"] for i, row in enumerate(rows)
    }
    assert card["nmse_float32_db"] == rows[card["seed"]]["nmse_db"]
    assert not list(a_set.path.parent.glob(".partial*"))


def test_kernels_are_halved_where_that_costs_nothing(a_set, seeds, monkeypatch):
    card = files.read_json(a_set.path / "card.json")
    assert 0 < abs(card["nmse_db"] - card["nmse_float32_db"]) < 0.01
    assert card["weights_sha256"] == files.sha256(a_set.weights)
    assert a_set.weights.stat().st_size < 0.7 * seeds[0].weights.stat().st_size
    monkeypatch.setattr(weight_sets, "HALF_COST_DB", 0.0)
    monkeypatch.setattr(weight_sets, "BITS", ())
    whole = weight_sets.ship(seeds, "whole")
    card = files.read_json(whole.path / "card.json")
    assert card["nmse_db"] == card["nmse_float32_db"]
    best = seeds[card["seed"]].weights.read_bytes()
    assert whole.weights.read_bytes() == best


def test_grids_come_without_the_data(a_set, monkeypatch):
    """They are those of the set, and the card says what they reach."""
    monkeypatch.setattr(fit_quantizer.splits, "load_fine_tuning", None)
    card = files.read_json(a_set.path / "card.json")
    text = (a_set.path / "README.md").read_text()
    for bits in (4, 6):
        found = card["grids"][str(bits)]
        assert found["classic_db"] == -found["feedback_bits"] / 100
        assert f"{found['nmse_db']:.2f} dB; best codec without a network" in text
        with fit_quantizer.with_bits(a_set, "uniform", bits) as sends:
            model = sends.load()
        grid = files.read_json(a_set.path / "grids.json")[str(bits)]
        np.testing.assert_allclose(model.quantizer.weights[0], grid["scale"])
        np.testing.assert_allclose(model.quantizer.weights[1], grid["zero"])


@pytest.mark.slow
def test_grids_are_the_fitted_ones(a_set, seeds):
    card = files.read_json(a_set.path / "card.json")
    grid = files.read_json(a_set.path / "grids.json")["6"]
    (a_set.path / "grids.json").unlink()
    settings = seeds[card["seed"]].config()
    wanted = fit_quantizer.quantised(settings, "uniform", 6)
    model, _ = fit_quantizer.fitted_model(a_set, wanted)
    np.testing.assert_allclose(model.quantizer.weights[0], grid["scale"], rtol=1e-4)
    reached = fit_quantizer.tested_nmse_db(model, wanted)
    assert card["grids"]["6"]["nmse_db"] == pytest.approx(reached, abs=0.001)


def test_grids_of_another_network_are_refused(a_set):
    path = a_set.path / "grids.json"
    grids = files.read_json(path)
    scale = grids["4"]["scale"]
    for wrong in (scale[:-1], [*scale[:-1], math.nan]):
        grids["4"]["scale"] = wrong
        path.write_text(json.dumps(grids), "utf-8")
        with pytest.raises(ValueError, match="grids.json: no grids of this network"):
            with fit_quantizer.with_bits(a_set, "uniform", 4):
                pass
    path.write_text("[]", "utf-8")
    with pytest.raises(ValueError, match="grids.json: the whole is .*expected object"):
        with fit_quantizer.with_bits(a_set, "uniform", 4):
            pass


def test_runs_of_a_set_differ_in_their_seed_alone(a_set, seeds, evaluated):
    for runs in ([*seeds, evaluated], [seeds[0], seeds[0]]):
        with pytest.raises(ValueError, match="differ in their seed alone"):
            weight_sets.ship(runs, "again")


def test_only_clean_checkouts_make_sets(copied):
    environment = files.read_json(copied.path / "env.json")
    files.write_json(copied.path / "env.json", environment | {"commit": "a" * 40})
    weight_sets.check_clean([copied])
    for commit in ("a" * 40 + "-dirty", None):
        files.write_json(copied.path / "env.json", environment | {"commit": commit})
        with pytest.raises(ValueError, match="expected a clean checkout"):
            weight_sets.check_clean([copied])


def test_commands(tmp_path):
    listed = run_command("zoo.pretrained", "list")
    assert listed.returncode == 0 and "crnet_indoor_16: M 128, -13.74" in listed.stdout
    told = run_command("zoo.pretrained", "info", "crnet_indoor_16")
    assert told.stdout.startswith("# crnet_indoor_16\n")
    assert_one_line_error(run_command("zoo.pretrained", "info", "none"), "there are")
    assert_one_line_error(run_command("zoo.pretrained", "show"), "got 'show'")
    asked = run_command("zoo.pretrained", "export", "none", "--bits=4", "--out=x")
    assert_one_line_error(asked, "there are")


def test_command_line():
    assert_one_line_error(run_command("zoo.pretrained"), "--run=RUN", "--name=NAME")
