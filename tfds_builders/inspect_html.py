"""HTML of the page of `tfds_builders.inspect`: self-contained, no scripts."""

from __future__ import annotations

import base64
from typing import NamedTuple

import jinja2

LOADER = jinja2.PackageLoader("tfds_builders")


class Figure(NamedTuple):
    """An image, `png` its bytes, with plain texts."""

    title: str
    caption: str
    alt: str
    png: bytes


class Statistics(NamedTuple):
    """A table of numbers; above its head the names of groups of so many columns."""

    rows: list[list[str]]
    head: list[str]
    groups: dict[str, int]


def environment(loader: jinja2.BaseLoader = LOADER) -> jinja2.Environment:
    """Templates that escape every text; the filter base64 is for bytes."""
    found = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["base64"] = lambda data: base64.b64encode(data).decode()
    return found


def document(
    title: str,
    facts: dict,
    statistics: Statistics,
    definitions: dict[str, str],
    figures: list[Figure],
) -> str:
    """A whole page.

    Args:
        title: name of the data set.
        facts: names and values; a name that ends in `_hz` has a frequency.
        statistics: of the channels.
        definitions: names and what they mean.
        figures: one below the other.
    """
    return (
        environment()
        .get_template("inspect.html.j2")
        .render(
            title=title,
            facts=[_fact(name, value) for name, value in facts.items()],
            statistics=statistics.rows,
            head=statistics.head,
            groups=statistics.groups,
            definitions=definitions,
            figures=figures,
        )
    )


def _fact(name: str, value) -> list[str]:
    if name.endswith("_hz"):
        name, value = name.removesuffix("_hz"), f"{value / 1e6:,g} MHz"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return [name.replace("_", " ") if name.isidentifier() else name, text]
