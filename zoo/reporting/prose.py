"""Texts of a report: Markdown as HTML, and plain texts in Markdown.

Texts come from results files, too: HTML in them is shown, never obeyed.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markupsafe import Markup

LIBRARY = MarkdownIt("commonmark", {"html": False, "linkify": True})
LIBRARY.enable("linkify").disable("image")  # an image would be loaded from elsewhere
LIBRARY.linkify.set({"fuzzy_link": False, "fuzzy_email": False})  # report.md is none
ACTIVE = re.compile(r"[\\`*<]|(?<![^\W_])_|_(?![^\W_])|\[(?=.*\]\()|&(?=#?\w+;)")
ENTITIES = {"<": "&lt;", "&": "&amp;"}  # a backslash does not help in every dialect
CODE_OR_HTML = re.compile(r"(`+)(?:.*?[^`])?\1(?!`)|<", re.S)


def inline(text: str) -> Markup:
    """Markdown of one line as HTML."""
    return Markup(LIBRARY.renderInline(text))


def paragraphs(text: str) -> Markup:
    """Markdown as HTML."""
    return Markup(LIBRARY.render(text))


def plain(text: str) -> str:
    """Markdown that reads as a text does, whatever is in it.

    A line break becomes a space.
    """
    one_line = " ".join(text.splitlines())
    return ACTIVE.sub(lambda m: ENTITIES.get(m[0], f"\\{m[0]}"), one_line)


def code(text: str) -> str:
    """Markdown of one line of code."""
    text = " ".join(text.split())
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def without_html(text: str) -> str:
    """Markdown whose HTML, but for that in code, is text."""
    return CODE_OR_HTML.sub(lambda m: m[0] if m[1] else "&lt;", text)
