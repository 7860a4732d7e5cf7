"""What a result of `zoo.reproduce` is called: its title, units and places in parts."""

from __future__ import annotations

import re

BY_BUDGET = re.compile(r"(\d+/\d+) \(fast: (\d+/\d+)\)")
COUNTED = {  # what tells a count among values of another unit
    "flops": "FLOPs",
    "params without fc": "parameters without FC layers",
    "params": "parameters",
}
PARTS = {  # of a place, by the name of the axis
    "scenario, ratio": re.compile(r"(?:(?P<scenario>\D+) )?(?P<ratio>\d+/\d+)"),
    "ratio, side": re.compile(r"(?P<ratio>\d+/\d+)\s*(?P<side>\D*)"),
    "ratio and bits": re.compile(r"(?P<ratio>\d+/\d+), (?P<bits>\d+) bit"),
}


def title_of(result: dict) -> str:
    """Title with the ratio of the result's budget alone."""
    group = 2 if result["budget"] == "fast" else 1
    return BY_BUDGET.sub(lambda match: match[group], result["title"])


def unit_of(result: dict, entry: dict) -> str:
    """Unit of an entry's values, also where the result has several."""
    unit = result["unit"].partition(",")[0]
    if unit == result["unit"] and not unit.startswith("as the series"):
        return unit
    words = f"{entry['series']} {entry['x']}"
    found = [own for word, own in COUNTED.items() if word in words]
    return found[0] if found else "count" if unit.startswith("as the") else unit


def is_count(unit: str) -> bool:
    """Whether a unit is that of counts, which are exact."""
    return unit in (*COUNTED.values(), "count")


def units(result: dict) -> list[str]:
    """Different units of a result's entries, the first entry's first."""
    return list(dict.fromkeys(unit_of(result, entry) for entry in result["entries"]))


def unit_of_claim(result: dict, claim: dict) -> str:
    """Unit of a claim's differences."""
    return claim.get("unit") or units(result)[0]


def parts_of(result: dict) -> tuple[list[str], list[list]]:
    """Names and, per entry, values of what a place consists of.

    '1/16, 4 bit' on the axis 'ratio and bits' is the ratio '1/16' and the bits 4. A
    part that a place has not is ''.
    """
    name, places = result["x"], [entry["x"] for entry in result["entries"]]
    pattern = PARTS.get(name)
    if pattern is None:
        return [name], [[place] for place in places]
    names = list(pattern.groupindex)
    found = []
    for place in map(str, places):
        match = pattern.fullmatch(place)
        parts = match.groupdict("") if match else {}
        found.append([_value(parts.get(part, "")) for part in names])
    return names, found


def _value(part: str) -> str | int:
    return int(part) if part.isdigit() else part


def on_one_axis(result: dict) -> dict:
    """A result whose places are those of one part, where the others do not change.

    What does not change goes to the title.
    """
    names, parts = parts_of(result)
    columns = [dict.fromkeys(column) for column in zip(*parts, strict=True)]
    varied = [i for i, column in enumerate(columns) if len(column) > 1]
    if len(names) < 2 or len(varied) != 1 or any("" in column for column in columns):
        return {**result, "title": title_of(result)}
    (axis,) = varied
    same = [next(iter(column)) for i, column in enumerate(columns) if i != axis]
    moved = [
        {**entry, "x": own[axis]}
        for entry, own in zip(result["entries"], parts, strict=True)
    ]
    title = ", ".join([title_of(result), *map(str, same)])
    return {**result, "title": title, "x": names[axis], "entries": moved}
