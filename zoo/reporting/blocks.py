"""What a report is made of, and how it reads as Markdown.

Blocks that are text, claims and summaries are Markdown; everything else, such as
titles, captions and cells, is plain text that both renderings show as it is.
"""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Iterator
from typing import NamedTuple

from zoo.reporting.prose import inline, plain, without_html

KLT = "linear KLT"
NMSE_UNIT = "NMSE [dB]"


class Table(NamedTuple):
    """Cells as text, those of numbers as `zoo.reporting.cells.Cell`.

    Attributes:
        columns: names; a name that begins with 'paper' or 'ours' is the origin of the
            numbers below it.
        rows: as many cells each.
        caption: what it shows.
        name: of its files, see `zoo.reporting.table_files`; empty: it has none.
    """

    columns: list[str]
    rows: list[list[str]]
    caption: str = ""
    name: str = ""


class Picture(NamedTuple):
    """A PNG.

    Attributes:
        png: the file's bytes.
        caption: what it shows.
        alt: what one would read off it.
        plot: dark lines on white, which a dark page may invert.
        link: URL of the file from where Markdown is; empty: it is none.
    """

    png: bytes
    caption: str
    alt: str
    plot: bool = True
    link: str = ""


class Claim(NamedTuple):
    """What becomes of a paper's claim.

    Attributes:
        text: the claim.
        verdict: one of `zoo.experiments.verdicts.VERDICTS`.
        numbers: the differences that it rests on.
        anchor: section of the result.
        target: title of the result.
    """

    text: str
    verdict: str
    numbers: str
    anchor: str
    target: str


class Claims(NamedTuple):
    """A list of claims; `linked` where they are away from their results."""

    items: list[Claim]
    linked: bool = False


class Stage(NamedTuple):
    """One step of a network's flow.

    Attributes:
        name: what it does.
        behind: layers without multiplications that follow it.
        shape: of what leaves it.
        macs: multiply-accumulates per example.
    """

    name: str
    behind: str
    shape: str
    macs: int


class Flow(NamedTuple):
    """The stages of one side of a network."""

    side: str
    stages: list[Stage]


class Details(NamedTuple):
    """Blocks that are folded away behind a line; `anchor` is where links find it."""

    summary: str
    blocks: list
    anchor: str = ""


class Section(NamedTuple):
    """A heading with what is below it; `level` 2 is in the table of contents."""

    title: str
    anchor: str
    blocks: list
    level: int = 2


def pictures(block) -> Iterator[Picture]:
    """All pictures within a block, in order."""
    if isinstance(block, Picture):
        yield block
    inner = block.blocks if isinstance(block, Section | Details) else block
    for part in inner if isinstance(inner, list) else []:
        yield from pictures(part)


def _id(anchor: str) -> str:
    """An anchor as it stands in HTML and in a link: the name of a file may be any."""
    return urllib.parse.quote(anchor)


@functools.singledispatch
def markdown(block) -> str:
    """A block as Markdown, ending in a line break.

    Args:
        block: text, one of this module's tuples, or a list of them.
    """
    raise TypeError(f"no Markdown of a {type(block).__name__}")


@markdown.register
def _(block: str) -> str:
    return f"{without_html(block)}\n"


@markdown.register
def _(block: list) -> str:
    return "\n".join(map(markdown, block))


@markdown.register
def _(block: Table) -> str:
    lines = [_line(block.columns), "|" + "---|" * len(block.columns)]
    lines += map(_line, block.rows)
    above = f"{plain(block.caption)}\n\n" if block.caption else ""
    return above + "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    shown = (plain(cell).replace("|", "&#124;") for cell in cells)
    return f"| {' | '.join(shown)} |"


@markdown.register
def _(block: Picture) -> str:
    if not block.link:
        return f"*Plot, in the HTML page:* {plain(block.caption)}\n"
    alt = plain(block.alt.replace("[", "").replace("]", ""))  # they would end the text
    return f"![{alt}]({block.link})\n\n*{plain(block.caption)}*\n"


@markdown.register
def _(block: Claims) -> str:
    lines = []
    for claim in block.items:
        where = (
            f" ([{plain(claim.target)}](#{_id(claim.anchor)}))" if block.linked else ""
        )
        text, numbers = without_html(claim.text), plain(claim.numbers)
        lines.append(f"- **{plain(claim.verdict)}**: {text}{where}: {numbers}")
    return "\n".join(lines) + "\n"


@markdown.register
def _(block: Flow) -> str:
    return plain(f"{block.side}: {' → '.join(s.name for s in block.stages)}") + "\n"


@markdown.register
def _(block: Details) -> str:
    body = "\n".join(map(markdown, block.blocks))
    anchor = f' id="{_id(block.anchor)}"' if block.anchor else ""
    summary = f"<summary>{inline(block.summary)}</summary>"
    return f'<details{anchor} markdown="1">{summary}\n\n{body}\n</details>\n'


@markdown.register
def _(block: Section) -> str:
    head = f'{"#" * block.level} <a id="{_id(block.anchor)}"></a>{plain(block.title)}\n'
    return "\n".join([head, *map(markdown, block.blocks)])
