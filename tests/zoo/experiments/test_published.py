"""What the papers print: judged as ours is, counted as ours is, a training for each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from zoo import published as flagfiles
from zoo import registry, reproduce
from zoo.config import MAY_CHANGE, ExperimentConfig
from zoo.experiments import published
from zoo.experiments.claims import Claim
from zoo.experiments.runner import settings_of
from zoo.experiments.target import Entry
from zoo.experiments.verdicts import judge

# Claims on curves, whose values no paper prints, or about runs that are ours alone.
CURVES = {
    "clnet.sigmoid", "crnet.figure4", "crnet.figure5", "lora.figure6", "lora.figure7",
    "lora.figure8", "lora.figure9", "lora.figure10", "lora.figure11",
    "dualnet.figure3", "dualnet.figure4",
}  # fmt: skip
# Printed counts that are not those of the network, and why.
OTHER_COUNTS = {
    ("crnet.table1", "csinet flops"): "BCsiNet-A2's: one batch norm more",
    ("cllwcsinet.table1", "csinet", "params"): "3K too many",
    ("cllwcsinet.table1", "acrnet", "flops"): "CRNet's",
    ("cllwcsinet.table1", "transnet"): "both FC layers; attention left out",
    ("cllwcsinet.table3", "cl_acrnet params", "1/4"): "a digit lost: 17.12K",
    ("cllwcsinet.table3", "cllwcsinet flops", "1/16"): "the MACs of 1/8",
    ("lora.table4", "csinet_plus"): "one convolution, biases and batch norm left out",
    ("lora.table4", "lora", "1/4 bs"): "a shared MLP once for each block",
    ("lora.table4", "lora", "1/64 bs"): "a shared MLP once for each block",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Gets the flagfiles of all runs at the budget full."""
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="module")
def full(folder) -> dict[str, list[Entry]]:
    """Entries of every target at the budget full, nothing trained."""
    return {
        name: published.listed(
            target, ROOT / reproduce.FLAGFILES[name.partition(".")[0]]["full"], folder
        )
        for name, target in reproduce.TARGETS.items()
    }


def as_ours(entry: Entry, value: float | None) -> dict:
    """An entry as a result keeps it, with a value for ours."""
    return {
        "series": entry.series, "x": entry.x, "ours": value, "ours_by_seed": [value],
        "paper": entry.paper, "value": "measured", "line": entry.line,
        "handicap": "", "runs": [],
    }  # fmt: skip


def test_every_claim_is_made_of_the_target(full):
    """Its series are at the same places; nothing is claimed of what is not there."""
    for name, target in reproduce.TARGETS.items():
        entries = [as_ours(e, 0.0) for e in full[name]]
        result = {"entries": entries, "unit": target.unit, "budget": "full"}
        for claim in target.claims + target.own:
            found = judge(claim, result, "paper")["difference"]
            at = () if Claim(*claim).over else Claim(*claim).at
            assert found and len(found) >= len(at), (name, claim)


def test_the_papers_own_values_confirm_their_claims(full):
    """All of them: the judge finds no more and no less than the papers claim."""
    judged = 0
    for name, target in reproduce.TARGETS.items():
        entries = [as_ours(e, e.paper) for e in full[name] if e.paper is not None]
        result = {"entries": entries, "unit": target.unit, "budget": "full"}
        for claim in target.claims:
            found = judge(claim, result, "paper")
            if name in CURVES:
                assert not entries
                continue
            assert found["verdict"] == "confirmed", (name, found)
            judged += 1
    assert judged > 70


def printed_as(paper: int, ours: float) -> bool:
    """Whether a count is a printed one, which was rounded, up or down.

    Its last digit that is not 0 is the last that was printed, but millions have a
    decimal.
    """
    digits = len(str(paper)) - len(str(paper).rstrip("0"))
    return abs(ours - paper) < min(10**digits, 100_000)


def test_counts_are_the_printed_ones_but_for_those_that_are_named(full):
    differ = set()
    for name, entries in full.items():
        for entry in entries:
            counted = isinstance(entry.value, list) and isinstance(entry.paper, int)
            if counted and not printed_as(entry.paper, *entry.value):
                differ.add((name, entry.series, entry.x))
    unnamed = {x for x in differ if not {x[:2], x} & set(OTHER_COUNTS)}
    assert not unnamed
    for named in OTHER_COUNTS:
        assert any(x[: len(named)] == named for x in differ), named


def training(config: ExperimentConfig) -> str:
    """What a run learns, as text that equal trainings share.

    Without its start, what it continues and the scaling that a fair test needs; with
    the options that the network has by default.
    """
    left_out = {*MAY_CHANGE, "init", "weights", "scaling"}
    if config.schedule == "constant":
        left_out.add("warmup_epochs")
    values = {k: v for k, v in config.to_json().items() if k not in left_out}
    args = registry.get(config.model).options | json.loads(config.model_args)
    return json.dumps({**values, "model_args": args}, sort_keys=True)


def test_every_published_training_has_a_flagfile(full, folder):
    """The targets' own trainings, at the papers' size; not those of drawn curves."""
    there = {training(settings_of(path)) for path in flagfiles.PUBLISHED.glob("*.cfg")}
    asked = 0
    for name, entries in full.items():
        for entry in entries:
            printed = entry.paper is not None and name != "cllwcsinet.figure7"
            for row in entry.rows if printed else ():
                config = settings_of(folder / f"{row.run}.cfg")
                assert training(config) in there, (name, entry.series, entry.x)
                asked += 1
    assert asked > 200


def test_committed_flagfiles_are_those_of_the_published_rows():
    committed = {p.name: p.read_text() for p in flagfiles.PUBLISHED.glob("*.cfg")}
    assert committed == flagfiles.flagfiles()


def test_values_of_places_without_ours():
    """CRNet's slopes at 1/16: the paper's are at 1/4, and at another place outdoors."""
    target = reproduce.TARGETS["crnet.table3"]
    full = ROOT / reproduce.FLAGFILES["crnet"]["full"]
    printed = published.values(target, full)
    assert len(printed) == 10
    ours = [{"series": "0.3", "x": "indoor 1/16", "paper": None}]
    found = published.elsewhere({"entries": ours}, printed)
    assert {"series": "0.3", "x": "indoor 1/4", "paper": -26.99} in found
    assert len(found) == 10
    same = [{"series": "0.3", "x": "indoor 1/4", "paper": -26.99}]
    assert len(published.elsewhere({"entries": same}, printed)) == 9
    fast = [{"series": "0.3", "x": "indoor 1/4", "paper": None}]  # at another ratio
    assert {"series": "0.3", "x": "indoor 1/4, 1/4", "paper": -26.99} in (
        published.elsewhere({"entries": fast}, printed)
    )
    untitled = [{**value, "title": "Slopes"} for value in printed]
    assert {"series": "0.3", "x": "indoor 1/4, full", "paper": -26.99} in (
        published.elsewhere({"entries": fast}, untitled)
    )
