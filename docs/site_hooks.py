"""What mkdocs does beside its plugins: files of the project that pages link to.

A page may link to a file outside of docs/ by its relative path, as GitHub shows it: the
site gets a copy of that file under tree/. A path that does not exist is a warning, and
so the end of a strict build. `::: PACKAGE.*` stands for the modules of a package.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
MODULES = re.compile(r"^::: (\w+)\.\*$", re.M)
LINK = re.compile(r"(\]\()((?:\.\./)*[^)#:\s]+)(?=[)#])")
log = logging.getLogger("mkdocs.hooks.tree")


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Lead links out of docs/ to copies, and let Markdown in <details> be Markdown."""
    here = posixpath.dirname(page.file.src_uri)

    def moved(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join("docs", here, match[2]))
        inside = target.removeprefix("docs/")
        if inside != target and files.get_file_from_path(inside):
            return match[0]
        if not (ROOT / target).is_file():
            if inside == target:  # mkdocs names those inside of docs/ itself
                log.warning("%s links to %s: no such file", page.file.src_uri, target)
            return match[0]
        copy = f"tree/{target}"
        if not copy.endswith((".png", ".html")):
            copy += ".txt"  # browsers show it, mkdocs does not take it for a page
        if not files.get_file_from_path(copy):
            source = str(ROOT / target)
            files.append(File.generated(config, copy, abs_src_path=source))
        return match[1] + os.path.relpath(copy, here or ".")

    markdown = MODULES.sub(_modules, markdown)
    return LINK.sub(moved, markdown).replace("<details", "<details markdown")


def _modules(match: re.Match) -> str:
    """`::: PACKAGE.*` as the modules at the top of a package."""
    paths = sorted((ROOT / match[1]).glob("*.py"))
    names = [path.stem for path in paths if path.stem != "__init__"]
    options = "    options: {heading_level: 2}\n"
    return "\n".join(f"::: {match[1]}.{name}\n{options}" for name in names)


def on_page_content(html: str, page, config, files) -> str:
    """Turn the reStructuredText mark of a drawing in a docstring into a colon.

    Links of a notebook, which its plugin leaves as they are, get their pages' names.
    """
    if page.file.src_uri.endswith(".ipynb"):
        html = re.sub(r'(href="(?!\w+:)[^"]*)\.md(?=["#])', r"\1.html", html)
    return html.replace("::</p>", ":</p>")
