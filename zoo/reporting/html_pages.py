"""The blocks of a report as one self-contained HTML page without scripts.

Each kind of block has a template of its name in `templates`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from tfds_builders import inspect_html
from zoo.reporting import prose
from zoo.reporting.blocks import Section, Table
from zoo.reporting.cells import Cell, millions

SHORT = 26  # letters of a cell that needs no line break
ORIGIN = re.compile(r"(paper|ours)\b,? ?(.*)")


class Column(NamedTuple):
    """Head of a table's column.

    Attributes:
        name: without the origin.
        origin: 'paper', 'ours' or ''.
        classes: of its cells; None where there are none.
    """

    name: str
    origin: str
    classes: str | None


def document(title: str, lead: str, sections: list[Section], footer: str) -> str:
    """A whole page.

    Args:
        title: plain text.
        lead: Markdown below it.
        sections: the rest; those within are in the table of contents, too.
        footer: Markdown.
    """
    return TEMPLATES.get_template("page.html.j2").render(
        title=title, lead=lead, sections=sections, footer=footer
    )


def html(block) -> Markup:
    """A block as HTML.

    Args:
        block: Markdown, a tuple of `blocks`, or a list of pictures side by side.
    """
    name = "str" if isinstance(block, str) else type(block).__name__.lower()
    try:
        template = TEMPLATES.get_template(f"{name}.html.j2")
    except jinja2.TemplateNotFound:
        raise TypeError(f"no HTML of a {name}") from None
    return Markup(template.render(block=block))


def columns(table: Table) -> list[Column]:
    """Heads of a table's columns."""
    found = []
    for i, name in enumerate(table.columns):
        cells = [row[i] for row in table.rows]
        numbers = any(cells) and all(isinstance(c, Cell) or not c for c in cells)
        match = ORIGIN.fullmatch(name)
        origin, rest = match.groups() if match else ("", name)
        short = all(len(cell) <= SHORT for cell in cells)
        kind = "n" if numbers else "short" if short else ""
        classes = " ".join(filter(None, (kind, origin)))
        found.append(Column(rest, origin, classes or None))
    return found


TEMPLATES = inspect_html.environment(
    jinja2.ChoiceLoader([jinja2.PackageLoader("zoo.reporting"), inspect_html.LOADER])
)
TEMPLATES.tests["section"] = lambda block: isinstance(block, Section)
TEMPLATES.filters |= {
    "columns": columns,
    "html": html,
    "inline": prose.inline,
    "millions": millions,
    "paragraphs": prose.paragraphs,
}
