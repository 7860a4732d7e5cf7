"""What becomes of a paper's claim, such as that one network is better than another."""

from __future__ import annotations

import numpy as np

from zoo.experiments import labels
from zoo.experiments.claims import Claim

# Below no difference [dB], and share of what is no dB; with several seeds and with one.
MARGINS, MARGINS_OF_ONE = (0.1, 0.02), (0.2, 0.05)
SILENT_DB = -0.1  # near the NMSE of the estimate 0
NMSE = "nmse_db", "nmse_freq_db", "nmse_all_db"
EXACT_DB = -60  # of a KLT of as many numbers as the channels have dimensions
SILENT, AT_START = "learned nothing", "at its start: no epoch was better"
BEHIND = "behind the linear KLT"
VERDICTS = ("confirmed", "not confirmed", "not decidable at this budget")
RULE = (
    "A place decides where our means differ by more than half of both spreads over "
    f"seeds together, and by {MARGINS[0]} dB ({MARGINS_OF_ONE[0]} dB with a single "
    f"seed), or by {MARGINS[1]:.0%} ({MARGINS_OF_ONE[1]:.0%}) where the unit is not "
    "dB; counts by any difference. One does not where a network learned nothing; where "
    "at the budget fast a training has left its network, before its quantiser, behind "
    "the linear KLT codec of as many real numbers, unless that one is exact; or where "
    "one of two different networks stayed at its fitted start (of any seed) or has "
    "another handicap that is noted beside it. "
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
        published values, their unit, how many of ours decide, and the smallest number
        of seeds.
    """
    claim = Claim(*claim)
    pairs = _pairs(claim, result["entries"])
    signs = [_sign(*pair, claim.by, result) for pair in pairs.values()]
    decided = [sign for sign in signs if sign]
    compared = [e for pair in pairs.values() for e in pair if _seeds(e)]
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


def _sign(low: dict, high: dict, by: float, result: dict) -> int:
    """-1 where an entry is below another, 1 where it is above, 0 if that is open."""
    parts = [*_parts(low), *_parts(high)]
    found = {text for part in parts for text in remarks(part, result["budget"])}
    if found & {SILENT, BEHIND} or found and _network(low) != _network(high):
        return 0
    measured = [e for e in (low, high) if _seeds(e)]
    spreads = sum(np.ptp(e["ours_by_seed"]) for e in measured)
    trained = any(e["runs"] for e in measured)
    in_db, share = MARGINS
    if trained and min(map(_seeds, measured)) == 1:
        in_db, share = MARGINS_OF_ONE
    unit = labels.unit_of(result, measured[0])
    margin = share * max(abs(low["ours"]), abs(high["ours"]))
    if "[dB]" in unit:
        margin = in_db
    elif labels.is_count(unit):
        margin = 0.0
    difference = low["ours"] - high["ours"] + by
    decides = abs(difference) > max(margin, spreads / 2)
    return int(np.sign(difference)) if decides else 0


def _parts(entry: dict) -> list[dict]:
    """Entries of the result that an entry is made of."""
    return entry.get("parts", [entry])


def _seeds(entry: dict) -> int:
    return len(entry["ours_by_seed"])


def _network(entry: dict) -> set[tuple[str, str]]:
    return {(run["model"], str(run["model_args"])) for run in entry["runs"]}


def remarks(entry: dict, budget: str) -> list[str]:
    """What keeps an entry from deciding a claim; nothing for most.

    The best epoch of a network with a fitted start may be the one before the first. The
    NMSE that is compared with the KLT's is the one that a run's training ended at,
    before the quantiser, also where the entry adds noise or other channels to it.

    Args:
        entry: as `Entry.finished` gives it.
        budget: 'fast' or 'full': the papers' own trainings are compared as they are.
    """
    if entry["line"]:
        return []
    if entry["value"] in NMSE and entry["ours"] >= SILENT_DB:
        return [SILENT]
    fitted = [run for run in entry["runs"] if run.get("init") == "klt"]
    at_start = not all(run["best_epoch"] for run in fitted)
    behind = budget == "fast" and _above_klt_db(entry["runs"]) > 0
    found = (AT_START * at_start, BEHIND * behind, entry["handicap"])
    return [text for text in found if text]


def _above_klt_db(runs: list[dict]) -> float:
    """How far runs are above the KLT at as many real numbers; 0: none has a KLT."""
    above = []
    for run in runs:
        trained, klt = run.get("nmse_float_db"), run.get("nmse_pca_db")
        trained = run.get("nmse_db") if trained is None else trained
        if None not in (trained, klt) and klt > EXACT_DB:
            above.append(trained - klt)
    return sum(above) / len(above) if above else 0.0
