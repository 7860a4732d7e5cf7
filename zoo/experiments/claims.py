"""What becomes of a paper's claim, such as that one network is better than another."""

from __future__ import annotations

import itertools

import numpy as np

# Below no difference [dB], and share of what is no dB; with several seeds and with one.
MARGINS, MARGINS_OF_ONE = (0.1, 0.02), (0.2, 0.05)
SILENT_DB = -0.1  # near the NMSE of the estimate 0
NMSE = "nmse_db", "nmse_freq_db", "nmse_all_db"
SILENT, AT_START = "learned nothing", "at its start: no epoch was better"
VERDICTS = ("confirmed", "not confirmed", "not decidable at this budget")
RULE = (
    "A place decides where our means differ by more than half of both spreads over "
    f"seeds together, and by {MARGINS[0]} dB ({MARGINS_OF_ONE[0]} dB with a single "
    f"seed), or by {MARGINS[1]:.0%} ({MARGINS_OF_ONE[1]:.0%}) where the unit is not "
    "dB. One does not where a network learned nothing, or where one of two different "
    "networks stayed at its fitted start (of any seed) or has another handicap that "
    "is noted beside it. Confirmed: at least half of the places decide, all of them "
    "for the claim. Not confirmed: at least half decide, some against it. Otherwise it "
    "is not decidable at this budget."
)

Claim = tuple[str, object, object]


def beats(better: str, *others: str) -> tuple[Claim, ...]:
    """Claims that a series is better than each of some others."""
    return tuple((f"{better} better than {other}", better, other) for other in others)


def chain(worse_to_better: tuple[str, ...]) -> tuple[Claim, ...]:
    """Claims that each series is better than the one before it."""
    pairs = itertools.pairwise(worse_to_better)
    return tuple(claim for worse, better in pairs for claim in beats(better, worse))


def judge(claim: Claim, entries: list[dict], unit: str, origin: str) -> dict:
    """Whether entries bear a claim out, see `RULE`.

    Args:
        claim: (text, series that is better, series that is worse), or two places that
            all series are compared at: smaller is better.
        entries: as `Entry.finished` gives them.
        unit: of their values.
        origin: 'paper' or 'ours'.

    Returns:
        The text, its origin, its verdict, the differences by place, those of the
        published values, how many of ours decide, and the smallest number of seeds.
    """
    text, better, worse = claim
    pairs = _pairs(better, worse, entries)
    signs = [_sign(*pair, unit) for pair in pairs.values()]
    decided = [sign for sign in signs if sign]
    if not decided or 2 * len(decided) < len(signs):
        verdict = VERDICTS[2]
    else:
        verdict = VERDICTS[max(decided) > 0]
    return {
        "claim": text,
        "origin": origin,
        "verdict": verdict,
        "difference": _differences(pairs, "ours"),
        "paper": _differences(pairs, "paper"),
        "decided": len(decided),
        "seeds": min((_seeds(e) for pair in pairs.values() for e in pair), default=0),
    }


def _pairs(better, worse, entries: list[dict]) -> dict[object, tuple[dict, dict]]:
    """Entries to compare: two series at each place, or two places of each series."""
    trained = [e for e in entries if not e["line"]]
    for own, other, among in (("series", "x", entries), ("x", "series", trained)):
        found = {(e[own], e[other]): e for e in among}
        pairs = {
            place: (low, found[worse, place])
            for (key, place), low in found.items()
            if key == better and (worse, place) in found
        }
        if pairs:
            return pairs
    return {}


def _differences(pairs: dict, key: str) -> dict[str, float]:
    return {
        str(x): round(low[key] - high[key], 3)
        for x, (low, high) in pairs.items()
        if None not in (low[key], high[key])
    }


def _sign(low: dict, high: dict, unit: str) -> int:
    """-1 where an entry is below another, 1 where it is above, 0 if that is open."""
    remarks = {remark(low), remark(high)} - {""}
    if SILENT in remarks or remarks and _network(low) != _network(high):
        return 0
    spreads = np.ptp(low["ours_by_seed"]) + np.ptp(high["ours_by_seed"])
    trained = low["runs"] or high["runs"]
    alone = trained and min(_seeds(low), _seeds(high)) == 1
    in_db, share = MARGINS_OF_ONE if alone else MARGINS
    values = low["ours"], high["ours"]
    margin = in_db if "[dB]" in unit else share * max(map(abs, values))
    difference = values[0] - values[1]
    decides = abs(difference) > max(margin, spreads / 2)
    return int(np.sign(difference)) if decides else 0


def _seeds(entry: dict) -> int:
    return len(entry["ours_by_seed"])


def _network(entry: dict) -> list[tuple]:
    return [(run["model"], run["model_args"]) for run in entry["runs"]]


def remark(entry: dict) -> str:
    """What keeps an entry from deciding a claim; nothing for most.

    The best epoch of a network with a fitted start may be the one before the first.
    """
    if entry["line"]:
        return ""
    if entry["value"] in NMSE and entry["ours"] >= SILENT_DB:
        return SILENT
    fitted = [run for run in entry["runs"] if run["init"] == "klt"]
    if not all(run["best_epoch"] for run in fitted):
        return AT_START
    return entry["handicap"]
