"""Claims of the papers, judged by mean, spread and what was learned at all."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.experiments.claims import Claim, beats, chain, change, setback, spread
from zoo.experiments.handicaps import BEHIND, SEEDS, remarks
from zoo.experiments.verdicts import judge

UNDECIDED = "not decidable at this budget"
TRAINED = {"init": "klt", "epochs": 5, "best_epoch": 5}
AT_START = {"init": "klt", "epochs": 5, "best_epoch": 0}


def entry(series, x, seeds, run=None, value="nmse_db"):
    """An entry of several seeds; of a single value: all have it."""
    seeds = seeds * SEEDS if len(seeds) == 1 else seeds
    return {
        "series": series, "x": x, "ours": sum(seeds) / len(seeds), "value": value,
        "ours_by_seed": seeds, "paper": None, "line": False, "handicap": "",
        "runs": [{"model": series, "model_args": {}, **(run or TRAINED)}] * len(seeds),
    }  # fmt: skip


def result(*entries, unit="NMSE [dB]", budget="fast") -> dict:
    return {"entries": list(entries), "unit": unit, "budget": budget}


def judged(better: dict, worse: dict, **of_worse) -> dict:
    entries = [entry("a", x, seeds) for x, seeds in better.items()]
    entries += [entry("b", x, seeds, **of_worse) for x, seeds in worse.items()]
    return judge(("a better than b", "a", "b"), result(*entries), "paper")


def verdict(better: dict, worse: dict, **of_worse) -> str:
    return judged(better, worse, **of_worse)["verdict"]


def test_difference_is_weighed_against_the_spread():
    better, worse = [-9.0, -9.1, -9.0], [-8.0, -8.2, -8.1]
    assert verdict({4: better}, {4: worse}) == "confirmed"
    assert verdict({4: worse}, {4: better}) == "not confirmed"
    found = judged({4: [-8.0, -9.0, -8.5]}, {4: [-7.9, -8.5, -8.0]})
    assert found["verdict"] == UNDECIDED
    assert found["open"] == {"4": "within the margin"}
    assert verdict({4: [-8.15]}, {4: [-8.0]}) == "confirmed"  # three equal seeds
    assert verdict({4: [-8.05]}, {4: [-8.0]}) == UNDECIDED


def test_a_training_decides_with_three_seeds():
    two = judged({4: [-9.0] * 2}, {4: [-5.0] * 2})
    assert two["verdict"] == UNDECIDED and two["seeds"] == 2
    assert two["open"] == {"4": "fewer than 3 seeds"}
    assert verdict({4: [-9.0] * 3}, {4: [-5.0] * 3}) == "confirmed"
    better, line = entry("a", 4, [-9.0]), entry("b", 4, [-5.0] * 2)
    found = judge(beats("a", "b")[0], result(better, {**line, "line": True}), "paper")
    assert found["verdict"] == "confirmed"  # a line is of no training
    full = result(better, line, budget="full")
    assert judge(beats("a", "b")[0], full, "paper")["verdict"] == UNDECIDED


def of_run(last_gain_db=0.0, start_nmse_db=None, **changes) -> dict:
    """A training that is known to have begun and ended so."""
    known = {"last_gain_db": last_gain_db, "start_nmse_db": start_nmse_db}
    return {"init": "paper", "epochs": 5, "best_epoch": 5, **known, **changes}


def compared(low: dict, high: dict, budget="fast", values=(-9.0, -8.0), unit="[dB]"):
    pair = [
        entry(name, 4, list(np.atleast_1d(value)), {"model": name, **run})
        for name, value, run in zip("ab", values, (low, high), strict=True)
    ]
    return judge(beats("a", "b")[0], result(*pair, unit=unit, budget=budget), "paper")


@pytest.mark.parametrize("which", [0, 1])
def test_what_still_improves_decides_nothing(which):
    """By 0.12 dB in the last fifth, where margins are 0.1 dB and more."""
    pair = [of_run(0.05), of_run(0.05)]
    assert compared(*pair)["verdict"] == "confirmed"
    pair[which] = of_run(0.12)
    found = compared(*pair)
    assert found["verdict"] == UNDECIDED and not found["unrecorded"]
    assert found["open"] == {
        "4": "still improving: 0.12 dB in the last fifth of the epochs"
    }
    assert compared(*pair, budget="full")["verdict"] == "confirmed"
    spread_out = [-9.0, -9.1, -9.2], [-8.0, -8.1, -8.2]  # a margin of 0.2 dB
    assert compared(*pair, values=spread_out)["verdict"] == "confirmed"
    seconds = compared(*pair, values=spread_out, unit="seconds")
    assert seconds["verdict"] == UNDECIDED  # no spread of these is one of dB
    same = [entry(name, 4, [v], pair[which]) for name, v in (("a", -9.0), ("b", -8.0))]
    same[1]["runs"] = same[0]["runs"]
    found = judge(beats("a", "b")[0], result(*same), "paper")
    assert found["verdict"] == "confirmed"  # two values of one run


def test_what_began_ahead_has_not_won():
    random, near, far = (
        of_run(),
        of_run(0, -4.0, init="klt"),
        of_run(0, -26.8, init="klt"),
    )
    assert compared(near, random)["verdict"] == "confirmed"
    found = compared(far, random)
    assert found["verdict"] == UNDECIDED
    assert found["open"] == {
        "4": "the better one began 26.8 dB ahead at its fitted start"
    }
    assert compared(far, near)["verdict"] == UNDECIDED
    assert compared(far, far)["verdict"] == "confirmed"
    assert compared(random, far)["verdict"] == "confirmed"  # it has caught up
    assert compared(far, random, budget="full")["verdict"] == "confirmed"
    bad = of_run(0, 20.0, init="klt_exact")  # no worse than the estimate 0
    assert compared(near, bad)["verdict"] == "confirmed"


def test_results_of_before_say_that_they_are():
    old = {"init": "klt", "epochs": 5, "best_epoch": 5}
    for pair in ((of_run(), old), (old, of_run())):
        found = compared(*pair)
        assert found["verdict"] == "confirmed" and found["unrecorded"]
    assert compared(of_run(0.5), old)["verdict"] == UNDECIDED


def test_half_of_the_places_decide():
    confirmed = judged({1: [-3.0], 2: [-5.0]}, {1: [-3.0], 2: [-4.0]})
    assert confirmed["verdict"] == "confirmed"
    assert (confirmed["decided"], confirmed["seeds"]) == (1, 3)
    assert confirmed["difference"] == {"1": 0.0, "2": -1.0}
    same = {1: [-3.0], 2: [-3.0]}
    assert verdict(same | {3: [-5.0]}, same | {3: [-4.0]}) == UNDECIDED
    against = verdict({4: [-9.0], 8: [-3.0]}, {4: [-8.0], 8: [-5.0]})
    assert against == "not confirmed"


def test_what_learned_nothing_decides_nothing():
    better, worse = {4: [-9.0]}, {4: [-5.0]}
    assert verdict(better, worse) == "confirmed"
    assert verdict(better, worse, run=AT_START) == UNDECIDED
    assert verdict(better, worse, run={"init": "paper", "best_epoch": 0}) == "confirmed"
    same = {"model": "a", **AT_START}  # one network, trained in two ways
    assert verdict(better, worse, run=same) == "confirmed"
    assert verdict(better, {4: [0.05]}) == UNDECIDED
    assert verdict(better, {4: [0.05]}, value="nmse_freq_db") == UNDECIDED
    assert verdict(better, {4: [0.05]}, value="measured") == "confirmed"
    spoilt = {"run": AT_START, "value": "measured"}
    assert verdict(better, worse, **spoilt) == UNDECIDED


def test_lines_and_handicaps():
    better, worse = entry("a", 4, [-9.0]), entry("b", 4, [-5.0], run=AT_START)
    claim, _ = beats("a", "b", "c")

    def found(*entries):
        return judge(claim, result(*entries), "paper")["verdict"]

    assert found(better, worse) == UNDECIDED
    assert found(better, {**worse, "line": True}) == "confirmed"
    worse = entry("b", 4, [-5.0])
    assert found(better, worse) == "confirmed"
    assert found({**better, "handicap": "it begins at random"}, worse) == UNDECIDED


def test_what_is_no_decibel_is_weighed_by_its_size():
    def found(low, high):
        entries = [entry("a", 1, [low]), entry("b", 1, [high])]
        entries = [{**e, "value": "measured"} for e in entries]
        own = result(*entries, unit="seconds")
        return judge(beats("a", "b")[0], own, "paper")["verdict"]

    assert found(0.050, 0.052) == "confirmed"
    assert found(5.00, 5.05) == UNDECIDED


def test_places_of_every_trained_series_and_the_papers_values():
    entries = [entry("a", x, [ours]) for x, ours in ((4, -5.0), (7, -6.0))]
    entries += [entry("b", x, [ours]) for x, ours in ((4, -5.0), (7, -4.0))]
    entries += [{**entry("klt", x, [-7.0]), "line": True} for x in (4, 7)]
    entries[0]["paper"], entries[1]["paper"] = -8.0, -8.5
    found = judge(("seven blocks", 7, 4), result(*entries), "ours")
    assert found["difference"] == {"a": -1.0, "b": 1.0}
    assert found["paper"] == {"a": -0.5}
    assert found["verdict"] == "not confirmed" and found["origin"] == "ours"


def test_places_in_common_only():
    found = judged({4: [-9.0]}, {8: [-8.0]})
    assert found["verdict"] == UNDECIDED
    assert (found["difference"], found["decided"], found["seeds"]) == ({}, 0, 0)


def test_counts_need_no_training_and_no_margin():
    def found(low, high):
        counts = [
            {**entry(name, "flops", [count], value="measured"), "runs": []}
            for name, count in (("a", low), ("b", high))
        ]
        return judge(beats("a", "b")[0], result(*counts, unit="x, y"), "paper")

    assert found(10_000, 10_001)["verdict"] == "confirmed"
    assert found(10_000, 10_000)["verdict"] == UNDECIDED
    assert found(10_000, 10_001)["unit"] == "FLOPs"
    assert chain(("b", "a", "c")) == (*beats("a", "b"), *beats("c", "a"))


def run_at(nmse_db, klt_db):
    own = {"nmse_db": nmse_db, "nmse_pca_db": klt_db}
    return {"init": "paper", "epochs": 4, "best_epoch": 4, **own}


@pytest.mark.parametrize("which", ["better", "worse"])
def test_nothing_is_decided_by_a_network_behind_the_klt(which):
    """Joint training at 1/4, one seed: -13.8 against -13.4 dB, the KLT at -23.0."""
    runs = {"better": run_at(-13.83, -14.2), "worse": run_at(-13.4, -14.2)}
    runs[{"better": "worse", "worse": "better"}[which]] |= {"nmse_pca_db": -11.0}
    entries = [
        entry("a", 4, [-13.83], run={"model": "lora", **runs["better"]}),
        entry("b", 4, [-13.4], run={"model": "lora", **runs["worse"]}),
    ]
    (claim,) = beats("a", "b")
    assert judge(claim, result(*entries), "paper")["verdict"] == UNDECIDED
    full = result(*entries, budget="full")  # of the paper's own length
    assert judge(claim, full, "paper")["verdict"] == "confirmed"
    behind = entries[which == "worse"]
    assert remarks(behind, "fast") == [BEHIND] and remarks(behind, "full") == []


def test_the_klt_is_compared_with_what_the_training_ended_at():
    """Not with the value of the entry, which may add noise or quantisation."""
    noisy = entry("a", -5, [4.8], run=run_at(-11.5, -11.0), value="measured")
    assert remarks(noisy, "fast") == []
    seeds = [run_at(-11.5, -11.0), run_at(-10.4, -11.0)]
    both = {**noisy, "ours_by_seed": [4.8, 4.9], "runs": seeds}
    assert remarks(both, "fast") == [BEHIND]
    quantised = {**noisy, "runs": [{**run_at(-7.0, -11.0), "nmse_float_db": -11.5}]}
    assert remarks(quantised, "fast") == []
    exact = {**noisy, "runs": [run_at(-7.0, -91.0)]}  # as many bits as dimensions
    assert remarks(exact, "fast") == []
    without = {**noisy, "runs": [run_at(-2.0, None)]}  # a classic method
    assert remarks(without, "fast") == []


def test_a_claim_is_judged_where_it_is_made():
    entries = [entry("a", x, [ours]) for x, ours in (("1/4", -9.0), ("1/64", -3.0))]
    entries += [entry("b", x, [ours]) for x, ours in (("1/4", -8.0), ("1/64", -4.0))]
    everywhere, *rest = beats("a", "b")
    assert not rest
    found = judge(everywhere, result(*entries), "paper")
    assert found["verdict"] == "not confirmed"
    found = judge(everywhere._replace(at=("1/4",)), result(*entries), "paper")
    assert (found["verdict"], found["difference"]) == ("confirmed", {"1/4": -1.0})
    found = judge(Claim("", "1/4", "1/64", at=("b",)), result(*entries), "paper")
    assert found["difference"] == {"b": -4.0}
    for more, wanted in ((1, "confirmed"), (2, UNDECIDED)):  # that are not run
        at = ("1/4", "1/8", "1/16")[: 1 + more]
        found = judge(everywhere._replace(at=at), result(*entries), "paper")
        assert (found["verdict"], found["decided"]) == (wanted, 1)


def test_levels_and_how_much():
    entries = [entry("a", x, [x - 12.0]) for x in (0, 1)]

    def found(*claim, **more):
        return judge(Claim("", *claim, **more), result(*entries), "paper")["verdict"]

    assert found("a", -10.0) == "confirmed"
    assert found("a", -11.5) == "not confirmed"
    assert found(-13.0, "a") == "confirmed"  # above that level
    assert found(-13.0, 1) == "confirmed"  # so is every series at a place
    assert found(0, 1, by=0.5) == "confirmed"
    assert found(0, 1, by=1.5) == "not confirmed"
    assert found(1, 0, by=-1.5) == "confirmed"  # no more than 1.5 worse
    assert judge(Claim("", "a", -10.0), result(*entries), "paper")["seeds"] == 3


def test_what_is_made_of_all_places():
    steady = [entry("a", x, [-x, -x - 0.1, -x]) for x in (1.0, 2.0, 3.0)]
    rising = zip((1, 2, 3), (-1.0, -0.5, -4.0), strict=True)
    entries = [*steady, *(entry("b", x, [v]) for x, v in rising)]
    for e in entries:
        e["paper"] = e["ours"]
    claim = Claim("a never gets worse", "a", "b", over=setback)
    found = judge(claim, result(*entries), "paper")
    assert found["verdict"] == "confirmed" and found["seeds"] == 3
    assert found["difference"] == found["paper"] == {"setback": -0.5}
    flatter = Claim("a is flatter", "a", "b", over=spread)
    found = judge(flatter, result(*entries), "paper")
    assert found["difference"] == {"spread": -1.5}
    helps = Claim("later is better", "a", 0.0, over=change)
    assert judge(helps, result(*entries), "paper")["difference"] == {"change": -2.0}
    at_ends = flatter._replace(at=(1, 2))
    found = judge(at_ends, result(*entries), "paper")
    assert found["difference"] == {"spread": 0.5}


@pytest.mark.parametrize("which", ["silent", "behind", "handicap"])
def test_one_place_spoils_what_is_made_of_all(which):
    """Also where the mean over the places is ahead of the KLT, or it is a later one."""
    steady = [entry("a", x, [v], run_at(v, v + 3)) for x, v in ((1, -5.0), (2, -4.0))]
    other = [entry("b", x, [v]) for x, v in ((1, -5.0), (2, -2.0))]
    for claim in (
        Claim("a is flatter", "a", "b", over=spread),
        Claim("a changes less", "a", "b", over=change, minus="c"),
    ):
        base = [entry("c", x, [-1.0]) for x in (1, 2)]
        found = judge(claim, result(*steady, *other, *base), "paper")
        assert found["verdict"] == "confirmed"
        second = {
            "silent": {"ours": 0.2, "ours_by_seed": [0.2] * SEEDS},
            "behind": {"runs": [{**steady[1]["runs"][0], **run_at(-4.0, -5.0)}]},
            "handicap": {"handicap": "it begins at random"},
        }[which]
        spoilt = [steady[0], {**steady[1], **second}]
        found = judge(claim, result(*spoilt, *other, *base), "paper")
        assert found["verdict"] == UNDECIDED


def test_gains_over_a_series():
    """Of 1 dB at 4 bits and of 3 dB at 8, by seed."""
    entries = [
        entry("qat", 4, [-10.0, -10.2, -10.1]), entry("lszq", 4, [-11.0, -11.2, -11.1]),
        entry("qat", 8, [-12.0, -14.0, -13.0]), entry("lszq", 8, [-15.0, -17.0, -16.0]),
    ]  # fmt: skip
    claim = Claim("more at 8 bits", 8, 4, at=("lszq",), minus="qat")
    found = judge(claim, result(*entries), "paper")
    assert found["verdict"] == "confirmed"  # the seeds differ, their gains do not
    assert found["difference"] == {"lszq": -2.0} and found["seeds"] == 3
    entries[2]["runs"] = [run_at(-12.0, -13.0)]
    assert judge(claim, result(*entries), "paper")["verdict"] == UNDECIDED


def test_spread_setback_and_change():
    values = [-3.0, -1.0, -4.0, -2.5]
    assert (spread(values), setback(values), change(values)) == (3.0, 2.0, 0.5)
    assert setback([-1.0, -2.0]) == 0.0
