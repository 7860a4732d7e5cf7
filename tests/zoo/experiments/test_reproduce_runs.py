"""Targets of python -m zoo.reproduce end to end, trained at a size of seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from absl import flags

from tests.conftest import ROOT
from zoo import config_flags, files, reproduce, steps
from zoo.experiments import (
    bits,
    cllwcsinet_figures,
    cllwcsinet_tables,
    cost2100,
    crnet,
    crnet_figures,
    generalisation,
    jobs,
    lora,
    lora_tables,
)
from zoo.experiments.runner import Runner
from zoo.experiments.target import Lab
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

TINY = (
    "--init=paper --num_train=400 --num_validation=50 --num_test=50 --epochs=1 "
    "--batch_size=100 --cpu_step=native"
)
CHANNELS = {
    "indoor": "cost2100_sim/indoor_tiny",
    "outdoor": "cost2100_sim/outdoor_tiny",
    "uma 28 GHz": "tr38901/cllw_uma_nlos_28ghz_tiny",
    "uma 300 MHz": "tr38901/cllw_uma_nlos_300mhz_tiny",
}
pytestmark = pytest.mark.slow


def in_process(module: str, *args, log=None) -> None:
    """What `zoo.train` and `zoo.evaluate` do, without a process for each."""
    if module == "zoo.train":
        values = flags.FlagValues()
        config_flags.define_flags(values)
        values(["train", *args])
        session.train(config_flags.from_flags(values))
        return
    if module == "zoo.baseline":
        steps.step(module, *args)
        return
    run, target = (Path(word.partition("=")[2]) for word in args)
    files.write_json(target, evaluation.evaluate(RunDirectory(run))[0])


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    """Where the runs are: the targets share them."""
    return tmp_path_factory.mktemp("reproduce")


@pytest.fixture
def made(directory, data_dir, monkeypatch):
    """Function that makes a target at a size of seconds and draws it."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(jobs, "step", in_process)
    tiny = {name: (dataset, None) for name, dataset in CHANNELS.items()}
    monkeypatch.setattr(cost2100, "CHANNELS", tiny)
    for module in (crnet, crnet_figures, cllwcsinet_tables):
        name = "latent_ratios" if module is cllwcsinet_tables else "ratios"
        monkeypatch.setattr(module, name, lambda _: ("1/16",))
    monkeypatch.setattr(generalisation, "CHANNELS", ("indoor", "outdoor"))
    monkeypatch.setattr(generalisation, "FEW", 200)
    monkeypatch.setattr(bits, "BITS", (1, 8))
    monkeypatch.setattr(cllwcsinet_figures, "WITHOUT_NOISE", ("csinet", "crnet"))
    for module in (lora, lora_tables):
        monkeypatch.setattr(module, "data_set", lambda *_: CHANNELS["indoor"])

    def make(name: str) -> dict:
        paper = name.partition(".")[0]
        extra = f"{TINY} --data_dir={data_dir}"
        if paper == "lora":
            extra += f" --dataset={CHANNELS['indoor']}"
        flagfile = reproduce.FLAGFILES[paper]["fast"]
        lab = Lab(Runner(directory, flagfile, extra), "fast")
        result = reproduce.make(name, lab)
        reproduce.write(name, lab, result, directory / f"{name}.json")
        drawn = (directory / f"{name}.png").is_file()
        assert drawn == (reproduce.TARGETS[name].figure is not None)
        return result

    return make


def values(result: dict) -> dict[tuple, float]:
    return {(e["series"], e["x"]): e["ours"] for e in result["entries"]}


@pytest.mark.parametrize(
    "name",
    ["crnet.figure4", "crnet.figure5", "zoo.drop", "lora.figure5", "clnet.sigmoid"],
)
def test_figures_without_published_values(name, made):
    result = made(name)
    assert len(result["entries"]) >= 2
    assert all(e["paper"] is None for e in result["entries"])


def test_last_validation_is_that_of_the_run(made, directory):
    (entry, *_) = made("crnet.figure5")["entries"]
    run = RunDirectory(directory / entry["runs"][0]["run"])
    assert entry["x"] == 1 and entry["ours"] == run.read_metrics()[-1]["val_nmse_db"]


def test_losses_are_those_of_the_run(made, directory):
    training, validation, *_ = made("crnet.figure4")["entries"]
    assert training["series"] == "csinet, training"
    run = RunDirectory(directory / training["runs"][0]["run"])
    (record,) = [r for r in run.read_metrics() if r["epoch"] == 1]
    assert training["ours"] == pytest.approx(10 * np.log10(record["loss"]))
    assert validation["ours"] == pytest.approx(10 * np.log10(record["val_loss"]))


@pytest.mark.parametrize("number", [2, 3, 8, 9, 10])
def test_figures_of_cllwcsinet(number, made):
    result = made(f"cllwcsinet.figure{number}")
    found = values(result)
    if number > 3:
        assert len(found) == 3 and all(3 < share < 100 for share in found.values())
    else:
        assert {type(x) for _, x in found} == {int}


def test_noise_on_codewords(made):
    found = values(made("cllwcsinet.figure7"))
    for series in ("crnet", "cllwcsinet", "cllwcsinet, bypass", "csinet+dnnnet, noise"):
        over = [found[series, snr_db] for snr_db in cllwcsinet_figures.SNR_DB]
        assert max(over) > min(over)


def test_counts_of_cllwcsinet(made):
    found = {(e["series"], e["x"]): e for e in made("cllwcsinet.table1")["entries"]}
    for place in (("acrnet", "params"), ("crnet", "flops"), ("csinet", "flops")):
        assert found[place]["ours"] == pytest.approx(found[place]["paper"], abs=1000)
    for e in made("cllwcsinet.table2")["entries"]:
        assert e["ours"] == e["paper"]


def test_latent_networks(made):
    result = made("cllwcsinet.table3")
    found = {(e["series"], e["x"]): e for e in result["entries"]}
    for ratio in ("1/4", "1/8", "1/16"):
        counted = found["cl_crnet params", ratio]
        assert counted["ours"] == pytest.approx(counted["paper"], abs=10)
    assert found["cllwcsinet", "1/16"]["runs"][0]["codeword_dim"] == 128
    assert len(result["claims"]) == 6


def test_other_channels(made):
    found = values(made("cllwcsinet.table4"))
    assert found["zero output", "uma 28 GHz"] == 0
    assert found["crnet", "uma 28 GHz"] != found["crnet", "uma 300 MHz"]


def test_quantised_weights(made):
    found = {e["series"]: e["ours"] for e in made("cllwcsinet.table5")["entries"]}
    assert found["qacrnet-1x"] == 2632 and found["qacrnet-10x"] == 22_792


def test_generalisation(made):
    result = made("zoo.generalisation")
    found = values(result)
    for source in generalisation.CHANNELS:
        for target in set(generalisation.CHANNELS) - {source}:
            assert f"from {source}, tuned", target in found
            assert found["zero output", target] == 0
            assert found[f"klt of {source}", target] > found["klt", target]
    assert len(result["claims"]) == 12


def test_generalisation_of_eigenvectors(made, directory, monkeypatch):
    """Cases 1, 2, 2A and 3, all beside a codebook that no training moves."""
    names = ("r18_dense_urban_2ghz_tiny", "r18_dense_urban_4ghz_tiny")
    tiny = {name: (name, name) for name in names}
    monkeypatch.setattr(generalisation, "EIGEN_CHANNELS", tiny)
    small = {"codeword_dim": 8, "model": "crnet"}
    monkeypatch.setattr(generalisation, "EIGEN", generalisation.EIGEN | small)
    result = made("zoo.generalisation_eigenvectors")
    found = values(result)
    for target, source in (names, names[::-1]):
        for series in ("own channels", "mix of all", "the little alone"):
            assert 0 < found[series, target] < 100
        own = next(e for e in result["entries"] if e["x"] == target)
        row = files.read_json(directory / own["runs"][0]["run"] / "evaluation.json")
        assert own["ours"] == pytest.approx(100 * (1 - row["sgcs"]))
        codebook = found["enhanced Type II", target]
        assert 0 < codebook < found[f"from {source}", target]
        assert found[f"from {source}, tuned", target] != found[f"from {source}", target]


def test_bits(made):
    result = made("zoo.bits")
    found = values(result)
    assert found["after training", 8] == pytest.approx(found["float", 8], abs=0.5)
    runs = {(e["series"], e["x"]): e["runs"][0] for e in result["entries"]}
    assert runs["in the loop", 8]["feedback_bits"] == 8 * 128
    assert runs["after training", 8]["feedback_bits"] is None
