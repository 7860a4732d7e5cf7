"""The values that the papers print, read off the targets without a training."""

from __future__ import annotations

import tempfile
from pathlib import Path

from zoo.experiments.labels import BY_BUDGET
from zoo.experiments.pool import PendingRow, Pool
from zoo.experiments.runner import Runner
from zoo.experiments.target import Entry, Lab, Target


class Listed(Pool):
    """Makes no row: a target lists its entries on it."""

    def row(self, name, make) -> PendingRow:
        """A row without values."""
        del make
        return PendingRow(name, dict)


def listed(target: Target, flagfile: Path, folder: Path, budget="full") -> list[Entry]:
    """Entries of a target at a budget, with rows that are not made.

    Args:
        target: a table or figure.
        flagfile: of the budget.
        folder: gets a flagfile of every run that they need.
        budget: 'fast' or 'full'.
    """
    return list(target.make(Lab(Runner(folder, flagfile, pool=Listed()), budget)))


def values(target: Target, flagfile: Path) -> list[dict]:
    """Series, place and published value of every entry of a target that has one.

    Args:
        target: a table or figure.
        flagfile: of the budget full, at which all of them have their place.
    """
    with tempfile.TemporaryDirectory() as folder:
        entries = listed(target, flagfile, Path(folder))
    return [
        {"series": e.series, "x": e.x, "paper": e.paper, "title": target.title}
        for e in entries
        if e.paper is not None
    ]


def elsewhere(result: dict, printed: list[dict]) -> list[dict]:
    """Published values of places that a result has none of ours at.

    Where it has one of ours under the same name, which is not what the paper's is of,
    the place is named with the paper's ratio, or the budget where no title has it.

    Args:
        result: of a target.
        printed: of the same target, as `values` gives them.
    """
    ours = {(e["series"], e["x"]): e for e in result["entries"]}
    found = []
    for value in printed:
        here = ours.get((value["series"], value["x"]))
        if here is not None and here["paper"] is not None:
            continue
        place = value["x"]
        if here is not None:
            ratio = BY_BUDGET.search(value["title"])
            place = f"{place}, {ratio[1] if ratio else 'full'}"
        found.append({"series": value["series"], "x": place, "paper": value["paper"]})
    return found
