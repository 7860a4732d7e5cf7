"""The blocks of a report as one self-contained HTML page without scripts."""

from __future__ import annotations

import base64
import functools
import re
from html import escape

from tfds_builders import inspect_html
from zoo.reporting.blocks import (
    Claims,
    Details,
    Flow,
    Picture,
    Section,
    Stage,
    Table,
    millions,
)

ORIGINS = ("paper", "ours")
MARKS = {"confirmed": "✓", "not confirmed": "✗"}
NUMBER = re.compile(r"[+−–-]?[\d.,]+(e[+-]\d+)?[M%]?( ●| to .*)?|–|")
LINK = re.compile(r"https?://[^\s<>&]*[^\s<>&.,;)]")
STYLE = """
:root { --ours: #1463b8; --paper: #9a5b00; --yes: #17713a; --no: #b3261e;
  --tint: #f3f5f8; }
@media (prefers-color-scheme: dark) {
  :root { --ours: #7db7f5; --paper: #e8b45a; --yes: #6fcf97; --no: #ff8a80;
    --tint: #1e242c; }
  img.plot { filter: invert(.91) hue-rotate(180deg); } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { display: grid; grid-template-columns: minmax(0, 1fr); max-width: 88rem;
  margin: 0 auto; gap: 0 3rem; overflow-wrap: break-word; }
header { padding-top: 2rem; } h1 { margin: 0; line-height: 1.2; }
h2 { margin-top: 3.5rem; padding-bottom: .2rem; border-bottom: 2px solid var(--line); }
h3 { margin: 2.5rem 0 .2rem; }
p { max-width: 46rem; }
a { color: var(--ours); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--ours); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: .5rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav > ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; }
nav ul ul { display: none; }
nav { font-size: .9rem; padding: 1rem 0; } nav a { text-decoration: none; }
caption { text-align: left; color: var(--soft); padding: .3rem 0; }
.scroll { margin: .8rem 0; } tbody tr:hover { background: var(--tint); }
thead th { vertical-align: bottom; border-bottom: 2px solid var(--line); }
td, th { white-space: normal; } td.n, th.n { white-space: nowrap; }
td:not(.n), th:not(.n) { text-align: left; min-width: 4rem; max-width: 26rem; }
tbody th { white-space: nowrap; }
td.ours { color: var(--ours); } td.paper { color: var(--paper); }
.chip { display: inline-block; padding: 0 .45rem; border-radius: .8rem;
  border: 1px solid currentColor; font-size: .75rem; font-weight: 600; }
.chip.ours { color: var(--ours); } .chip.paper { color: var(--paper); }
.yes { color: var(--yes); } .no { color: var(--no); } .open { color: var(--soft); }
ul.claims { list-style: none; padding: 0; } .claims li { padding: .45rem 0;
  border-bottom: 1px solid var(--line); }
.claims b { font-weight: 600; } .claims .numbers { color: var(--soft);
  font-variant-numeric: tabular-nums; }
details { margin: .6rem 0; } summary { cursor: pointer; padding: .2rem 0; }
details.card { border: 1px solid var(--line); border-radius: 8px; padding: .3rem 1rem; }
details details, details:not(.card) { font-size: .9rem; }
figure { margin: 1rem 0; } figcaption { font-size: .9rem; margin: 0; }
figure img { min-width: 28rem; max-width: 44rem; }
.plots { display: grid; gap: 0 1.5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.plots figure { margin: .3rem 0; }
ol.flow { display: flex; flex-wrap: wrap; gap: .5rem 1.4rem; list-style: none;
  padding: 0; margin: .5rem 0 1.2rem; font-size: .85rem; }
.flow li { position: relative; padding: .35rem .6rem; border-radius: 6px;
  background: linear-gradient(var(--ours) 0 0) 0 100% / var(--share) 3px no-repeat
    var(--tint); max-width: 100%; }
.flow li:not(:last-child)::after { content: "→"; position: absolute; right: -1.2rem;
  top: .3rem; color: var(--soft); }
.flow small { display: block; color: var(--soft); }
footer { color: var(--soft); margin: 4rem 0 2rem; font-size: .9rem; }
@media (min-width: 72rem) {
  body { grid-template-columns: 15rem minmax(0, 1fr); }
  header, footer { grid-column: 2; }
  nav { grid-row: 1 / span 3; position: sticky; top: 0; max-height: 100vh;
    overflow-y: auto; padding: 2.2rem 0; }
  nav > ul, nav ul ul { display: block; } nav ul ul { padding-left: .9rem; }
  nav li { margin: .25rem 0; } }
@media print { nav { display: none; } body { display: block; } }
"""


def document(title: str, lead: str, sections: list[Section], footer: str) -> str:
    """A whole page.

    Args:
        title: plain text.
        lead: plain text below it.
        sections: the rest; those within are in the table of contents, too.
        footer: plain text.
    """
    name = escape(title)
    body = "\n".join(map(html, sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{inspect_html.STYLE}{STYLE}</style>\n</head>\n"
        '<body>\n<nav aria-label="Contents"><a class="skip" href="#main">Skip to the '
        f"results</a>{_contents(sections)}</nav>\n"
        f'<header><h1>{name}</h1>\n<p class="lead">{_linked(lead)}</p></header>\n'
        f'<main id="main">\n{body}\n</main>\n<footer>{_linked(footer)}</footer>\n'
        "</body>\n</html>\n"
    )


def _contents(sections: list) -> str:
    items = []
    for section in sections:
        if isinstance(section, Section):
            link = f'<a href="#{section.anchor}">{escape(section.title)}</a>'
            items.append(f"<li>{link}{_contents(section.blocks)}</li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _linked(text: str) -> str:
    return LINK.sub(lambda m: f'<a href="{m[0]}">{m[0]}</a>', escape(text))


@functools.singledispatch
def html(block) -> str:
    """A block as HTML.

    Args:
        block: text, a tuple of `blocks`, or a list of pictures side by side.
    """
    raise TypeError(f"no HTML of a {type(block).__name__}")


@html.register
def _(block: str) -> str:
    return f"<p>{_linked(block)}</p>"


@html.register
def _(block: list) -> str:
    return f'<div class="plots">{"".join(map(html, block))}</div>'


@html.register
def _(block: Table) -> str:
    cells = list(zip(*block.rows, strict=True)) or [()] * len(block.columns)
    classes = [_class(*pair) for pair in zip(block.columns, cells, strict=True)]
    columns = zip(block.columns, classes, strict=True)
    head = "".join(f'<th scope="col"{kind}>{_chip(c)}</th>' for c, kind in columns)
    rows = "\n".join(f"<tr>{_row(row, classes)}</tr>" for row in block.rows)
    caption = f"<caption>{_linked(block.caption)}</caption>" if block.caption else ""
    label = escape(block.caption or "Table")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>'
        f"{caption}<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )


def _class(column: str, cells: tuple[str, ...]) -> str:
    """Class attribute of a column: whether it holds numbers, and their origin."""
    names = ["n"] if any(cells) and all(map(NUMBER.fullmatch, cells)) else []
    names += [o for o in ORIGINS if re.match(rf"{o}\b", column)]
    return f' class="{" ".join(names)}"' if names else ""


def _chip(column: str) -> str:
    """A column's name, its origin as a chip."""
    origin, _, rest = column.replace(",", "").partition(" ")
    if origin not in ORIGINS:
        return escape(column)
    return f'<span class="chip {origin}">{origin}</span> {escape(rest)}'


def _row(cells: list[str], classes: list[str]) -> str:
    first, *rest = map(_linked, cells)
    return f'<th scope="row"{classes[0]}>{first}</th>' + "".join(
        f"<td{kind}>{cell}</td>" for cell, kind in zip(rest, classes[1:], strict=True)
    )


@html.register
def _(block: Picture) -> str:
    data = base64.b64encode(block.png).decode()
    kind = ' class="plot"' if block.plot else ""
    return (
        f'<figure><div class="scroll"><img{kind} alt="{escape(block.alt)}" '
        f'src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{escape(block.caption)}</figcaption></figure>"
    )


@html.register
def _(block: Claims) -> str:
    kinds = {"confirmed": "yes", "not confirmed": "no"}
    items = []
    for claim in block.items:
        mark, kind = MARKS.get(claim.verdict, "?"), kinds.get(claim.verdict, "open")
        link = f'<a href="#{claim.anchor}">{escape(claim.target)}</a>: '
        items.append(
            f'<li><b class="{kind}">{mark} {escape(claim.verdict)}</b> – '
            f"{link if block.linked else ''}{escape(claim.text)} "
            f'<span class="numbers">({escape(claim.numbers)})</span></li>'
        )
    return f'<ul class="claims">{"".join(items)}</ul>'


@html.register
def _(block: Flow) -> str:
    total = sum(stage.macs for stage in block.stages) or 1
    items = "".join(_stage(stage, stage.macs / total) for stage in block.stages)
    label = f"Flow of layers, {block.side}"
    return (
        f"<p><b>{escape(block.side)}</b></p>"
        f'<ol class="flow" aria-label="{escape(label)}">{items}</ol>'
    )


def _stage(stage: Stage, share: float) -> str:
    macs = f", {millions(stage.macs)} MACs" if stage.macs else ""
    behind = f"<small>{escape(stage.behind)}</small>" if stage.behind else ""
    return (
        f'<li style="--share: {share:.0%}">{escape(stage.name)}{behind}'
        f"<small>{escape(stage.shape)}{macs}</small></li>"
    )


@html.register
def _(block: Details) -> str:
    body = "\n".join(map(html, block.blocks))
    own, summary = "", escape(block.summary)
    if block.anchor:
        own = f' class="card" id="{block.anchor}"'
        summary = "<b>{}</b>{}{}".format(*summary.partition(":"))
    return f"<details{own}><summary>{summary}</summary>{body}</details>"


@html.register
def _(block: Section) -> str:
    tag = f"h{block.level}"
    body = "\n".join(map(html, block.blocks))
    head = f'<{tag} id="{block.anchor}">{escape(block.title)}</{tag}>'
    return f"<section>{head}\n{body}</section>"
