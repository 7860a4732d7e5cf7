"""JSON documents of which one place is missing or of another kind."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path

OTHERS = (
    None, True, -1, 0, 4.5, 1e308, 10**30, "x", "", "\ud800", [], [[]], {}, {"a": 1},
    "<script>", [1, 2, 3, 4, 5],
)  # fmt: skip
ONE_LINE = (ValueError, OSError)  # what a command says in one line


def places(value, above=()) -> Iterator[tuple]:
    """Keys and indices of every place in a document."""
    yield above
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from places(inner, (*above, key))


def mutations(document) -> Iterator[tuple[str, object]]:
    """Each place taken away, then with each of `OTHERS` in its stead."""
    for place in places(document):
        if not place:
            yield from (("the whole", other) for other in OTHERS)
            continue
        for other in (places, *OTHERS):
            changed = copy.deepcopy(document)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            if other is places:
                del inner[place[-1]]
            else:
                inner[place[-1]] = other
            yield f"{'.'.join(map(str, place))} = {other!r:.20}", changed


def check_reader(path: Path, read: Callable, every: int = 1) -> tuple[int, int]:
    """Read mutations of a JSON file: taken as they are, or refused in one line.

    Args:
        path: of the file, which is as it was afterwards.
        read: what reads it.
        every: of so many mutations one.

    Returns:
        Numbers of mutations, and of those that were refused.
    """
    whole = path.read_text(encoding="utf-8")
    number = refused = 0
    try:
        for name, changed in list(mutations(json.loads(whole)))[::every]:
            path.write_text(json.dumps(changed), encoding="utf-8")
            number += 1
            try:
                read()
            except ONE_LINE as error:
                refused += 1
                assert str(error).strip(), name
            except Exception as error:
                raise AssertionError(f"{path.name}: {name}: {error!r}") from error
        for cut in range(0, len(whole), max(1, len(whole) // 10)):
            path.write_text(whole[:cut], encoding="utf-8")
            try:
                read()
            except ONE_LINE:
                pass
    finally:
        path.write_text(whole, encoding="utf-8")
    read()
    return number, refused
