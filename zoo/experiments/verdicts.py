"""What becomes of a paper's claim, such as that one network is better than another."""

from __future__ import annotations

import numpy as np

from zoo.experiments import labels
from zoo.experiments.claims import Claim
from zoo.experiments.handicaps import (
    AHEAD_DB,
    BEHIND,
    MARGIN_DB,
    SEEDS,
    SILENT,
    ahead,
    improving,
    is_recorded,
    remarks,
    too_few_seeds,
)

MARGIN = 0.02  # share, of what is no dB, below which there is no difference
VERDICTS = ("confirmed", "not confirmed", "not decidable at this budget")
RULE = (
    "A place decides where our means differ by more than the margin: half of both "
    f"spreads over seeds together, and at least {MARGIN_DB} dB, or {MARGIN:.0%} where "
    "the unit is not dB; counts by any difference. One does not where a network has "
    f"learned nothing, or has fewer than {SEEDS} seeds; where at the budget fast a "
    "training has left its network, before its quantiser, behind the linear KLT codec "
    "of as many real numbers, unless that one is exact; where there one of two "
    "trainings gained more than the margin in the last fifth of its epochs, or the "
    f"better one began {AHEAD_DB:.0f} dB ahead at its fitted start (a random one "
    "counts as 0 dB); or where one of two different networks stayed at its fitted "
    "start (of any seed) or has another handicap that is noted beside it. Results of "
    "before starts and last gains were recorded are judged without them, and say so. "
    "Confirmed: at least half of the places that the claim is made at decide, all of "
    "them for it. Not confirmed: at least half decide, some against it. Otherwise it "
    "is not decidable at this budget."
)


def judge(claim: Claim | tuple, result: dict, origin: str) -> dict:
    """Whether the entries of a result bear a claim out, see `RULE`.

    Args:
        claim: what is claimed, a `Claim` or its first attributes.
        result: `entries` as `Entry.finished` gives them, their `unit`, the `budget`.
        origin: 'paper' or 'ours'.

    Returns:
        The text, its origin, its verdict, the differences by place, those of the
        published values, their unit, how many of ours decide, the smallest number of
        seeds, why places are open, and whether some training's start and last gain
        are not known.
    """
    claim = Claim(*claim)
    pairs = _pairs(claim, result["entries"])
    found = {x: _sign(*pair, claim.by, result) for x, pair in pairs.items()}
    decided = [sign for sign, _ in found.values() if sign]
    compared = [e for pair in pairs.values() for e in pair if _seeds(e)]
    parts = [part for e in compared for part in _parts(e)]
    places = len(pairs) if claim.over else max(len(pairs), len(claim.at))
    if not decided or 2 * len(decided) < places:
        verdict = VERDICTS[2]
    else:
        verdict = VERDICTS[max(decided) > 0]
    return {
        "claim": claim.text,
        "origin": origin,
        "verdict": verdict,
        "difference": _differences(pairs, "ours"),
        "paper": _differences(pairs, "paper"),
        "unit": labels.unit_of(result, compared[0]) if compared else "",
        "decided": len(decided),
        "seeds": min(map(_seeds, compared), default=0),
        "open": {str(x): why for x, (sign, why) in found.items() if not sign},
        "unrecorded": not all(map(is_recorded, parts)),
    }


def _pairs(claim: Claim, entries: list[dict]) -> dict[object, tuple[dict, dict]]:
    """Entries to compare: two series at each place, or two places of each series."""
    at = claim.at
    if claim.minus:
        entries = _gains(claim.minus, entries)
    if claim.over:
        entries, at = _reduced(claim, entries), ()
    trained = [e for e in entries if not e["line"]]
    for own, other, among in (("series", "x", entries), ("x", "series", trained)):
        low, high = (
            {e[other]: e for e in among if e[own] == key}
            for key in (claim.better, claim.worse)
        )
        if isinstance(claim.better, float):
            low = dict.fromkeys(high, _level(claim.better))
        if isinstance(claim.worse, float):
            high = dict.fromkeys(low, _level(claim.worse))
        found = [x for x in low if x in high and (not at or x in at)]
        if found:
            return {x: (low[x], high[x]) for x in found}
    return {}


def _gains(minus: str, entries: list[dict]) -> list[dict]:
    """Entries as their differences from a series at the same place."""
    of_series = {e["x"]: e for e in entries if e["series"] == minus}
    gains = []
    for e in entries:
        base = of_series.get(e["x"])
        if base is None or e is base:
            continue
        seeds = zip(e["ours_by_seed"], base["ours_by_seed"], strict=False)
        papers = e["paper"], base["paper"]
        gains.append(
            e
            | {
                "ours": e["ours"] - base["ours"],
                "ours_by_seed": [own - other for own, other in seeds],
                "paper": None if None in papers else papers[0] - papers[1],
                "runs": e["runs"] + base["runs"],
                "parts": [e, base],
            }
        )
    return gains


def _reduced(claim: Claim, entries: list[dict]) -> list[dict]:
    """One entry for each series: what `over` makes of those at the claim's places."""
    by_series: dict[str, list[dict]] = {}
    for e in entries:
        if not claim.at or e["x"] in claim.at:
            by_series.setdefault(e["series"], []).append(e)
    reduced = []
    for own in by_series.values():
        seeds = zip(*(e["ours_by_seed"] for e in own), strict=False)
        ours = [float(claim.over(values)) for values in seeds]
        papers = [e["paper"] for e in own]
        reduced.append(
            own[0]
            | {
                "x": claim.over.__name__,
                "ours": float(np.mean(ours)),
                "ours_by_seed": ours,
                "paper": None if None in papers else float(claim.over(papers)),
                "runs": [run for e in own for run in e["runs"]],
                "parts": [part for e in own for part in _parts(e)],
            }
        )
    return reduced


def _level(value: float) -> dict:
    """What a value that is no measurement is compared as."""
    return {
        "series": "", "x": "", "ours": value, "ours_by_seed": [], "paper": value,
        "value": "measured", "line": True, "handicap": "", "runs": [],
    }  # fmt: skip


def _differences(pairs: dict, key: str) -> dict[str, float]:
    return {
        str(x): round(low[key] - high[key], 3)
        for x, (low, high) in pairs.items()
        if None not in (low[key], high[key])
    }


def _sign(low: dict, high: dict, by: float, result: dict) -> tuple[int, str]:
    """-1 where an entry is below another, 1 where it is above; 0 if that is open: why.

    The reasons that do not depend on the difference come first.
    """
    parts = [*_parts(low), *_parts(high)]
    unit = labels.unit_of(result, next(e for e in (low, high) if _seeds(e)))
    noted = [text for part in parts for text in remarks(part, result["budget"])]
    own = [text for text in noted if text in (SILENT, BEHIND)]
    if own or (noted and _network(low) != _network(high)):
        return 0, [*own, *noted][0]
    if not labels.is_count(unit) and any(map(too_few_seeds, parts)):
        return 0, f"fewer than {SEEDS} seeds"
    half = sum(np.ptp(e["ours_by_seed"]) for e in (low, high) if _seeds(e)) / 2
    difference = low["ours"] - high["ours"] + by
    if abs(difference) <= max(_margin(low, high, unit), half):
        return 0, "within the margin"
    if result["budget"] == "fast" and low["runs"] != high["runs"]:
        better, worse = (low, high) if difference < 0 else (high, low)
        in_db = max(MARGIN_DB, half) if "[dB]" in unit else MARGIN_DB
        why = improving(parts, in_db) or ahead(_parts(better), _parts(worse))
        if why:
            return 0, why
    return int(np.sign(difference)), ""


def _margin(low: dict, high: dict, unit: str) -> float:
    """What a difference must exceed whatever the spread over seeds is."""
    if "[dB]" in unit:
        return MARGIN_DB
    if labels.is_count(unit):
        return 0.0
    return MARGIN * max(abs(low["ours"]), abs(high["ours"]))


def _parts(entry: dict) -> list[dict]:
    """Entries of the result that an entry is made of."""
    return entry.get("parts", [entry])


def _seeds(entry: dict) -> int:
    return len(entry["ours_by_seed"])


def _network(entry: dict) -> set[tuple[str, str]]:
    return {(run["model"], str(run["model_args"])) for run in entry["runs"]}
