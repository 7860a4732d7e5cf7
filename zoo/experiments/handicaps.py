"""What keeps a value from deciding a claim: how its trainings began and ended."""

from __future__ import annotations

import numpy as np

SEEDS = 3  # that a trained value has where it decides
MARGIN_DB = 0.1
AHEAD_DB = 5.0
SILENT_DB = -0.1  # near the NMSE of the estimate 0
NMSE = "nmse_db", "nmse_freq_db", "nmse_all_db"
EXACT_DB = -60  # of a KLT of as many numbers as the channels have dimensions
FITTED = "klt", "klt_exact"  # starts, see --init
SILENT, AT_START = "learned nothing", "at its start: no epoch was better"
BEHIND = "behind the linear KLT"


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
    fitted = [run for run in entry["runs"] if run.get("init") in FITTED]
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


def too_few_seeds(entry: dict) -> bool:
    """Whether an entry depends on trainings, of fewer than `SEEDS` seeds."""
    return bool(_trained(entry)) and len(entry["ours_by_seed"]) < SEEDS


def improving(entries: list[dict], margin_db: float) -> str:
    """What to say where the trainings of one of some entries had not ended; ''."""
    gains = [_mean(run["last_gain_db"] for run in _recorded(e)) for e in entries]
    largest = max(gains, default=0.0)
    if largest <= margin_db:
        return ""
    return f"still improving: {largest:.2f} dB in the last fifth of the epochs"


def ahead(better: list[dict], worse: list[dict]) -> str:
    """What to say where entries owe to their fitted start what they are ahead; ''."""
    if not all(map(is_recorded, better + worse)):
        return ""
    trained = [[e for e in entries if _trained(e)] for entries in (better, worse)]
    low, high = (_mean(map(_start_db, entries)) for entries in trained)
    if not all(trained) or high - low < AHEAD_DB:
        return ""
    return f"the better one began {high - low:.1f} dB ahead at its fitted start"


def is_recorded(entry: dict) -> bool:
    """Whether it is known how all trainings of an entry began and ended."""
    return len(_recorded(entry)) == len(_trained(entry))


def _recorded(entry: dict) -> list[dict]:
    return [r for r in _trained(entry) if r.get("last_gain_db") is not None]


def _trained(entry: dict) -> list[dict]:
    """Runs of ours that an entry depends on."""
    return [] if entry["line"] else [run for run in entry["runs"] if run.get("epochs")]


def _start_db(entry: dict) -> float:
    """Validation NMSE of the fitted start; a random one is as good as no feedback."""
    fitted = [r for r in _trained(entry) if r.get("init") in FITTED]
    return min(0.0, _mean(r["start_nmse_db"] for r in fitted))


def _mean(values) -> float:
    """Mean, 0 of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else 0.0
