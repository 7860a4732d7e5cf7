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
# Code that every dialect of Markdown takes for code: of one line, without backslash or
# bar around which they differ. Beside it, what would run, load or lead somewhere else.
CODE = r"(?<![\\`])`[^`\n|]+`(?!`)"
TARGET = r"(?:https?://|#|[\w./-]*[)#\s])"
CODE_OR_ACTIVE = re.compile(rf"({CODE})|<|!\[|\](?=\(\s*(?!{TARGET}))|\](?=:)")


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
    """Markdown whose HTML, but for that in code, is text.

    So are images, and links to anything but pages of the web and of the project.
    """
    return CODE_OR_ACTIVE.sub(_as_text, text)


def _as_text(match: re.Match) -> str:
    if match[1]:
        return match[1]
    return (
        "&lt;" if match[0] == "<" else match[0].replace("[", "\\[").replace("]", "\\]")
    )
