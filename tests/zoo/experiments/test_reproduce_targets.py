"""Targets of python -m zoo.reproduce: every table and figure, their series and runs."""

from __future__ import annotations

import collections
import re

import pytest

from tests.conftest import ROOT, SHARED
from zoo import reproduce
from zoo.experiments import (
    cllwcsinet_figures,
    cllwcsinet_tables,
    clnet,
    cost2100,
    crnet,
    published,
)
from zoo.experiments.runner import Runner
from zoo.experiments.target import Lab

SPECS = SHARED.parent / "SPECS.md"
PAPERS = ("crnet", "clnet", "cllwcsinet", "lora", "dualnet")
EVERY = {
    "crnet": ("I II III IV", (4, 5)),
    "clnet": ("I II III", ()),
    "cllwcsinet": ("I II III IV V", (2, 3, 7, 8, 9, 10)),
    "lora": ("I II III IV V", range(5, 12)),
    "dualnet": ("", (3, 4)),
}
ROMAN = ("I", "II", "III", "IV", "V")
ITEM = r"(?:[IVX]+|\d+)(?:[–-](?:[IVX]+|\d+))?"
KIND = rf"(Table|Fig)s?\.?\s+({ITEM}(?:(?:, | and ){ITEM}(?![A-Za-z]))*)"
# Without a run.
WITHOUT_RUNS = ("clnet.table3", "cllwcsinet.table1", "cllwcsinet.table2")
WITHOUT_RUNS += ("cllwcsinet.layers", "lora.table4", "lora.table5")


def numbers(text: str) -> list[int]:
    """Numbers of '4–5' or 'I, III-V'."""
    found = []
    for item in re.findall(ITEM, text):
        ends = [
            ROMAN.index(x) + 1 if x in ROMAN else int(x) for x in re.split("[–-]", item)
        ]
        found += range(ends[0], ends[-1] + 1)
    return found


def named_in(text: str) -> set[str]:
    """Targets for the tables and figures that a text names, as 'S2 Table III'."""
    found = set()
    place = rf"\bS([0-4]) (?:text and )?({KIND}(?:, {KIND})*)"
    for source, places, *_ in re.findall(place, text):
        for kind, listed in re.findall(KIND, places):
            word = {"Table": "table", "Fig": "figure"}[kind]
            paper = PAPERS[int(source)]
            found |= {f"{paper}.{word}{n}" for n in numbers(listed)}
    return found


def test_names_are_read_from_a_text():
    text = (
        "| S0 Table I, Figs. 4–5; S2 Tables I, III-V | x [S3 Fig. 7] S2 text and Fig. 8"
    )
    assert named_in(text) == {
        "crnet.table1", "crnet.figure4", "crnet.figure5", "cllwcsinet.table1",
        "cllwcsinet.table3", "cllwcsinet.table4", "cllwcsinet.table5", "lora.figure7",
        "cllwcsinet.figure8",
    }  # fmt: skip


def test_every_table_and_figure_has_a_target():
    wanted = set()
    for paper, (tables, figures) in EVERY.items():
        wanted |= {f"{paper}.table{ROMAN.index(x) + 1}" for x in tables.split()}
        wanted |= {f"{paper}.figure{number}" for number in figures}
    assert wanted <= set(reproduce.TARGETS)
    further = set(reproduce.TARGETS) - wanted
    assert further == {
        "lora.joint", "lora.track", "dualnet.unsent", "dualnet.uplink",
        "zoo.generalisation", "zoo.generalisation_eigenvectors", "zoo.bits",
        "zoo.drop", "clnet.sigmoid", "cllwcsinet.layers",
    }  # fmt: skip
    for name in wanted:
        drawn = reproduce.TARGETS[name].figure is not None
        assert drawn == ("figure" in name)


@pytest.mark.skipif(not SPECS.is_file(), reason="no ../shared/SPECS.md here")
def test_what_the_specification_names_has_a_target():
    wanted = named_in(SPECS.read_text())
    assert len(wanted) > 20
    assert wanted <= set(reproduce.TARGETS)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Function of a target's name and a budget: its lab and entries, untrained."""
    monkeypatch.chdir(ROOT)
    for module in (cllwcsinet_tables, cllwcsinet_figures):
        zeros = collections.defaultdict(int)
        monkeypatch.setattr(module, "counts", lambda *_, zeros=zeros, **__: zeros)

    def make(name: str, budget: str):
        flagfile = reproduce.FLAGFILES[name.partition(".")[0]][budget]
        lab = Lab(Runner(tmp_path, flagfile, pool=published.Listed()), budget, seeds=2)
        return lab, list(reproduce.TARGETS[name].make(lab))

    return make


@pytest.mark.parametrize("budget", ["fast", "full"])
def test_every_target_is_complete(budget, listed):
    for name, target in reproduce.TARGETS.items():
        if name in WITHOUT_RUNS:
            continue
        _, entries = listed(name, budget)
        assert all(len(entry.rows) in (0, 1, 2) for entry in entries)
        assert target.title and target.unit and target.x
        if "NMSE" in target.unit and "table" in name:
            assert "klt" in {entry.series for entry in entries}, name


@pytest.mark.parametrize("budget", ["fast", "full"])
def test_entries_of_crnet_and_clnet(budget, listed, tmp_path):
    papers, runs = {}, set()
    for name in (*crnet.TARGETS, *clnet.TARGETS):
        if name in WITHOUT_RUNS:
            continue
        _, entries = listed(name, budget)
        assert all(len(e.rows) == 2 for e in entries if "flops" not in e.series)
        papers |= {(name, e.series, e.x): e.paper for e in entries}
        runs |= {row.run for e in entries for row in e.rows}
    assert papers["crnet.table1", "crnet cosine", "indoor 1/4"] == -26.99
    assert papers["crnet.table1", "crnet const", "indoor 1/64"] == -6.14
    assert papers["clnet.table1", "crnet", "indoor 1/16"] == -10.52
    assert papers["clnet.table2", "cbam", "1/64"] == -6.086
    assert papers["clnet.table2", "crnet", "1/64"] == -6.023
    if budget == "fast":
        assert papers["crnet.table3", "0.3", "indoor 1/16"] is None
        assert papers["crnet.table4", "7x7", "indoor 1/16"] is None
    else:
        assert papers["crnet.table3", "0.3", "indoor 1/4"] == -26.99
        assert papers["crnet.table4", "7x7", "indoor 1/4"] == -26.31
        assert papers["crnet.table2", "const", 2500] == -22.94
        assert papers["clnet.table1", "clnet", "outdoor 1/4"] == -12.88
        assert ("crnet.figure4", "crnet cosine, validation", 2500) in papers
        assert ("crnet.figure5", "crnet cosine", 2500) in papers
        assert ("crnet.figure5", "crnet const", 2500) not in papers
        assert papers["clnet.table1", "csinet_plus", "indoor 1/64"] is None
    settings = {path.stem: path.read_text() for path in tmp_path.glob("*.cfg")}
    assert settings.keys() == runs
    assert papers["crnet.table1", "csinet flops", "1/4"] == 7_800_000
    assert papers["clnet.table1", "clnet flops", "1/64"] == 2_090_000
    constant = [text for name, text in settings.items() if "const" in name]
    assert constant and all("--schedule=constant\n" in x for x in constant)


def test_operations_are_the_printed_ones(listed):
    """But for CsiNet's in CRNet's table, which are of another network."""
    for name in ("crnet.table1", "crnet.table4", "clnet.table1"):
        _, entries = listed(name, "fast")
        counted = [e for e in entries if "flops" in e.series]
        assert len(counted) >= 5
        for entry in counted:
            if (name, entry.series) != ("crnet.table1", "csinet flops"):
                (ours,) = entry.value
                assert abs(ours - entry.paper) < 10_000, entry  # two decimals of 1M


def test_costs_of_csinets_layers():
    found = {(e.series, e.x): e for e in cllwcsinet_tables.layers(None)}
    for (series, unit), entry in found.items():
        (ours,) = entry.value
        if entry.paper:  # two digits
            assert ours == pytest.approx(entry.paper, rel=0.02), (series, unit)
    wide, plain = (found[x, "params"].value[0] for x in ("csinet 7x7", "csinet"))
    assert wide / plain == pytest.approx(1.0068, abs=1e-4)


def test_papers_epochs_of_crnet_in_clnet_table1(listed, tmp_path):
    _, entries = listed("clnet.table1", "full")
    runs = {e.series: e.rows[0].run for e in entries if e.rows}
    for series in ("crnet", "clnet"):
        assert "--epochs=1000\n" in (tmp_path / f"{runs[series]}.cfg").read_text()


def test_published_values_of_cllwcsinet(listed):
    papers = {}
    for name in ("table3", "table4", "table5", "figure2", "figure7"):
        _, entries = listed(f"cllwcsinet.{name}", "full")
        papers |= {(name, e.series, e.x): e.paper for e in entries}
    assert papers["table3", "cl_acrnet", "1/16"] == -6.038
    assert papers["table3", "cllwcsinet", "1/8"] == -11.11
    assert papers["table3", "cllwcsinet params", "1/4"] == 70_260
    assert papers["table4", "crnet", "uma 300 MHz"] == 1.31
    assert papers["table4", "cllwcsinet, own channels", "outdoor"] == -7.89
    assert papers["table5", "qacrnet-10x", "outdoor 1/8"] == -8.57
    assert papers["table5", "bacrnet-1x", "indoor 1/16"] is None
    assert papers["table5", "qacrnet-1x", "params without fc"] == 2632
    assert papers["table5", "bacrnet-10x params", "1/16"] == 42_000
    curves = {key: value for key, value in papers.items() if key[0] == "figure7"}
    assert curves["figure7", "acrnet", -5] == 15.87
    for series in ("cllwcsinet", "cllwcsinet, bypass"):
        assert curves["figure7", series, 40] == -12.11
    assert curves["figure7", "csinet_plus", -5] is None
    assert curves["figure7", "cllwcsinet, noise", 10] is None
    assert {x for _, series, x in curves if series == "klt"} == {*range(-5, 41, 5)}


def test_runs_are_shared(listed):
    runs = {}
    for name in reproduce.TARGETS:
        if name in WITHOUT_RUNS or name.startswith(("lora", "dualnet")):
            continue
        _, entries = listed(name, "fast")
        runs[name] = {row.run for e in entries for row in e.rows}
    tables = runs["crnet.table1"]
    for name in ("crnet.figure4", "crnet.figure5", "zoo.drop"):
        assert runs[name] <= tables
    assert runs["cllwcsinet.figure2"] == runs["cllwcsinet.figure3"]
    for name in ("cllwcsinet.table3", "cllwcsinet.figure7", "zoo.generalisation"):
        assert runs[name] & tables
    assert runs["zoo.generalisation"] & runs["cllwcsinet.table4"]
    assert runs["cllwcsinet.table5"] & runs["cllwcsinet.figure7"]


def test_noise_and_stages_of_figure7(listed, tmp_path):
    _, entries = listed("cllwcsinet.figure7", "fast")
    runs = {e.series: e.rows[0].run for e in entries}
    text = {name: (tmp_path / f"{run}.cfg").read_text() for name, run in runs.items()}
    assert "--feedback_snr_db=inf\n" in text["crnet"]
    assert "--feedback_snr_db=40.0\n" in text["cllwcsinet"]
    assert "--feedback_snr_low_db=inf\n" in text["cllwcsinet"]
    for name in ("crnet, noise", "cllwcsinet, noise", "csinet+dnnnet, noise"):
        assert "--feedback_snr_low_db=-5.0\n" in text[name]
    bypass = text["cllwcsinet, bypass"]  # its noise is inside the network
    assert "bypass_low_db" in bypass and "--feedback_snr_db=inf\n" in bypass
    joint = text["csinet+dnnnet, noise"]
    assert "--receiver=dnnnet\n" in joint and "--train_part=all\n" in joint
    (denoiser,) = re.findall(r"--weights=.*/(\S+)\n", joint)
    alone = (tmp_path / f"{denoiser}.cfg").read_text()
    assert "--train_part=receiver\n" in alone and "--loss=codeword\n" in alone
    assert f"/{runs['csinet']}\n" in alone


def test_few_examples_of_the_new_channels(listed, tmp_path):
    _, entries = listed("zoo.generalisation", "full")
    runs = {(e.series, e.x): e.rows[0].run for e in entries}
    name = runs["from indoor, tuned", "outdoor"]
    text = (tmp_path / f"{name}.cfg").read_text()
    assert "--num_train=1000\n" in text and "--dataset=cost2100/outdoor\n" in text
    assert f"/{runs['own channels', 'indoor']}\n" in text
    assert all(
        "--scaling=per_sample\n" in (tmp_path / f"{run}.cfg").read_text()
        for run in runs.values()
    )


def test_fast_trainings_are_streams(listed, tmp_path):
    _, entries = listed("zoo.generalisation", "fast")
    for entry in entries:
        if entry.series == "own channels":
            text = (tmp_path / f"{entry.rows[0].run}.cfg").read_text()
            assert f"--dataset={cost2100.CHANNELS[entry.x][0]}\n" in text


def test_parameters_of_clnet_table3(listed):
    _, entries = listed("clnet.table3", "fast")
    found = {(e.series, e.x): e for e in entries}
    for (model, x), entry in found.items():
        (ours,) = entry.value
        if "flops" not in model:
            assert ours == pytest.approx(entry.paper, abs=500)
            assert ours == entry.paper or not x.startswith("1/64")
        else:
            assert abs(ours - entry.paper) < 10_000  # two decimals of 1M
