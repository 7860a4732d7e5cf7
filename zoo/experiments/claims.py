"""What becomes of a paper's claim, such as that one network is better than another."""

from __future__ import annotations

import itertools

import numpy as np

MARGIN, MARGIN_OF_ONE = 0.1, 0.2  # below: no difference; with a single seed
SILENT_DB = -0.1  # near the NMSE of the estimate 0
SILENT, AT_START = "learned nothing", "at its start: no epoch was better"
VERDICTS = ("confirmed", "not confirmed", "not decidable at this budget")
RULE = (
    "A place decides where our means differ by more than half of both spreads over "
    f"seeds together, and by {MARGIN} ({MARGIN_OF_ONE} with a single seed). One does "
    "not where a network learned nothing, or stayed at its fitted start unless both "
    "had the same. Confirmed: at least half of the places decide, all of them for the "
    "claim. Not confirmed: at least half decide, some against it. Otherwise it is not "
    "decidable at this budget."
)

Claim = tuple[str, str, str]


def beats(better: str, *others: str) -> tuple[Claim, ...]:
    """Claims that a series is better than each of some others."""
    return tuple((f"{better} better than {other}", better, other) for other in others)


def chain(worse_to_better: tuple[str, ...]) -> tuple[Claim, ...]:
    """Claims that each series is better than the one before it."""
    pairs = itertools.pairwise(worse_to_better)
    return tuple(claim for worse, better in pairs for claim in beats(better, worse))


def judge(claim: Claim, entries: list[dict]) -> dict:
    """Whether entries bear a claim out, see `RULE`.

    Args:
        claim: (text, series that is better, series that is worse): smaller is better.
        entries: as `Entry.finished` gives them.

    Returns:
        The text, its verdict, the differences by place, how many of these decide, and
        the smallest number of seeds.
    """
    text, better, worse = claim
    found = {(e["series"], e["x"]): e for e in entries}
    pairs = {
        x: (e, found[worse, x])
        for (series, x), e in found.items()
        if series == better and (worse, x) in found
    }
    signs = [_sign(*pair) for pair in pairs.values()]
    decided = [sign for sign in signs if sign]
    if not decided or 2 * len(decided) < len(signs):
        verdict = VERDICTS[2]
    else:
        verdict = VERDICTS[max(decided) > 0]
    differences = {x: low["ours"] - high["ours"] for x, (low, high) in pairs.items()}
    return {
        "claim": text,
        "verdict": verdict,
        "difference": {str(x): round(value, 3) for x, value in differences.items()},
        "decided": len(decided),
        "seeds": min((_seeds(e) for pair in pairs.values() for e in pair), default=0),
    }


def _sign(low: dict, high: dict) -> int:
    """-1 where an entry is below another, 1 where it is above, 0 if that is open."""
    remarks = {remark(low), remark(high)}
    if SILENT in remarks or AT_START in remarks and _network(low) != _network(high):
        return 0
    spreads = np.ptp(low["ours_by_seed"]) + np.ptp(high["ours_by_seed"])
    trained = low["runs"] or high["runs"]
    alone = trained and min(_seeds(low), _seeds(high)) == 1
    margin = max(MARGIN_OF_ONE if alone else MARGIN, spreads / 2)
    difference = low["ours"] - high["ours"]
    return int(np.sign(difference)) if abs(difference) > margin else 0


def _seeds(entry: dict) -> int:
    return len(entry["ours_by_seed"])


def _network(entry: dict) -> list[tuple]:
    return [(run["model"], run["model_args"]) for run in entry["runs"]]


def remark(entry: dict) -> str:
    """What keeps an entry from deciding a claim; nothing for most.

    The best epoch of a network with a fitted start may be the one before the first.
    """
    if entry["value"] != "nmse_db":
        return ""
    if entry["ours"] >= SILENT_DB:
        return SILENT
    fitted = [run for run in entry["runs"] if run["init"] == "klt"]
    return "" if all(run["best_epoch"] for run in fitted) else AT_START
