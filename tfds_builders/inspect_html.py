"""HTML of the page of `tfds_builders.inspect`: self-contained, no scripts."""

from __future__ import annotations

import base64
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #566170; --line: #dde2ea;
  --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #a3adba; --line: #39424e; --page: #15191f; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; color: var(--ink); background: var(--page); }
h1 { margin-bottom: 0; } h2 { margin: 2.5rem 0 .3rem; }
.lead, figcaption, thead { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .6rem; font-weight: normal; text-align: right;
  white-space: nowrap; border-bottom: 1px solid var(--line); }
th[colspan] { text-align: center; border: none; }
tr > :first-child, .text td { text-align: left; padding-left: 0; }
dl { color: var(--soft); font-size: .9rem; } dt { float: left; margin-right: .5rem;
  color: var(--ink); }
figure { margin: 0; } figcaption { max-width: 54rem; margin-bottom: .8rem; }
img { display: block; width: 100%; background: #fff; border-radius: 6px; }
"""


def document(title: str, body: list[str]) -> str:
    """A whole page; its parts are HTML, the title is plain text."""
    name = escape(title)
    content = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{name}</h1>\n{content}\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """A heading of plain text."""
    return f"<h2>{escape(text)}</h2>"


def figure(title: str, caption: str, png: bytes, alt: str) -> str:
    """An embedded image below heading and caption, all plain text."""
    data = base64.b64encode(png).decode()
    return (
        f"{heading(title)}\n<figure><figcaption>{escape(caption)}</figcaption>\n"
        f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}"></figure>'
    )


def facts(values: dict) -> str:
    """Table of names and values; a name that ends in `_hz` has a frequency."""
    rows = [_fact(name, value) for name, value in values.items()]
    return f'<div class="scroll"><table class="text">{_rows(rows)}</table></div>'


def _fact(name: str, value) -> list[str]:
    if name.endswith("_hz"):
        name, value = name.removesuffix("_hz"), f"{value / 1e6:,g} MHz"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return [name.replace("_", " "), text]


def definitions(texts: dict[str, str]) -> str:
    """Names and what they mean."""
    items = (f"<dt>{escape(k)}</dt>\n<dd>{escape(v)}</dd>" for k, v in texts.items())
    return "<dl>" + "\n".join(items) + "</dl>"


def table(rows: list[list[str]], head: list[str], groups: dict[str, int]) -> str:
    """Table of numbers; above its head the names of groups of so many columns."""
    names = "".join(f'<th colspan="{n}">{escape(k)}</th>' for k, n in groups.items())
    top = f"<thead><tr>{names}</tr>\n{_rows([head], 'th')}</thead>"
    return f'<div class="scroll"><table>{top}\n{_rows(rows)}</table></div>'


def _rows(rows: list[list[str]], tag: str = "td") -> str:
    lines = ("".join(f"<{tag}>{escape(c)}</{tag}>" for c in row) for row in rows)
    return "\n".join(f"<tr>{line}</tr>" for line in lines)
