"""Claims of the papers, judged by mean, spread and what was learned at all."""

from __future__ import annotations

from zoo.experiments.claims import beats, chain, judge

UNDECIDED = "not decidable at this budget"
TRAINED = {"init": "klt", "best_epoch": 5}
AT_START = {"init": "klt", "best_epoch": 0}


def entry(series, x, seeds, run=None, value="nmse_db"):
    return {
        "series": series, "x": x, "ours": sum(seeds) / len(seeds), "value": value,
        "ours_by_seed": seeds, "paper": None, "line": False, "handicap": "",
        "runs": [{"model": series, "model_args": {}, **(run or TRAINED)}] * len(seeds),
    }  # fmt: skip


def judged(better: dict, worse: dict, **of_worse) -> dict:
    entries = [entry("a", x, seeds) for x, seeds in better.items()]
    entries += [entry("b", x, seeds, **of_worse) for x, seeds in worse.items()]
    return judge(("a better than b", "a", "b"), entries, "NMSE [dB]", "paper")


def verdict(better: dict, worse: dict, **of_worse) -> str:
    return judged(better, worse, **of_worse)["verdict"]


def test_difference_is_weighed_against_the_spread():
    assert verdict({4: [-9.0, -9.1]}, {4: [-8.0, -8.2]}) == "confirmed"
    assert verdict({4: [-7.0, -7.1]}, {4: [-8.0, -8.2]}) == "not confirmed"
    assert verdict({4: [-8.0, -9.0]}, {4: [-7.9, -8.5]}) == UNDECIDED
    assert verdict({4: [-8.15, -8.15]}, {4: [-8.0, -8.0]}) == "confirmed"
    assert verdict({4: [-8.15]}, {4: [-8.0]}) == UNDECIDED  # a single seed


def test_half_of_the_places_decide():
    confirmed = judged({1: [-3.0], 2: [-5.0]}, {1: [-3.0], 2: [-4.0]})
    assert confirmed["verdict"] == "confirmed"
    assert (confirmed["decided"], confirmed["seeds"]) == (1, 1)
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
        return judge(claim, entries, "NMSE [dB]", "paper")["verdict"]

    assert found(better, worse) == UNDECIDED
    assert found(better, {**worse, "line": True}) == "confirmed"
    worse = entry("b", 4, [-5.0])
    assert found(better, worse) == "confirmed"
    assert found({**better, "handicap": "it begins at random"}, worse) == UNDECIDED


def test_what_is_no_decibel_is_weighed_by_its_size():
    def found(low, high):
        entries = [entry("a", 1, [low] * 2), entry("b", 1, [high] * 2)]
        entries = [{**e, "value": "measured"} for e in entries]
        return judge(beats("a", "b")[0], entries, "seconds", "paper")["verdict"]

    assert found(0.050, 0.052) == "confirmed"
    assert found(5.00, 5.05) == UNDECIDED


def test_places_of_every_trained_series_and_the_papers_values():
    entries = [entry("a", x, [ours]) for x, ours in ((4, -5.0), (7, -6.0))]
    entries += [entry("b", x, [ours]) for x, ours in ((4, -5.0), (7, -4.0))]
    entries += [{**entry("klt", x, [-7.0]), "line": True} for x in (4, 7)]
    entries[0]["paper"], entries[1]["paper"] = -8.0, -8.5
    found = judge(("seven blocks", 7, 4), entries, "NMSE [dB]", "ours")
    assert found["difference"] == {"a": -1.0, "b": 1.0}
    assert found["paper"] == {"a": -0.5}
    assert found["verdict"] == "not confirmed" and found["origin"] == "ours"


def test_places_in_common_only():
    found = judged({4: [-9.0]}, {8: [-8.0]})
    assert found["verdict"] == UNDECIDED
    assert (found["difference"], found["decided"], found["seeds"]) == ({}, 0, 0)


def test_counts_need_no_training():
    counts = [
        {**entry(name, "flops", [count], value="measured"), "runs": []}
        for name, count in (("a", 10), ("b", 11))
    ]
    found = judge(beats("a", "b")[0], counts, "parameters, flops", "paper")
    assert found["verdict"] == "confirmed"
    assert chain(("b", "a", "c")) == (*beats("a", "b"), *beats("c", "a"))
