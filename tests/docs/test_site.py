"""The documentation builds strictly, without the network, and shows every docstring."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Attributes by which a browser loads something, unlike the href of a link.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
NOT_LOADED = ("canonical", "prev", "next", "alternate")
PACKAGES = ("zoo", "serving", "tfds_builders")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; a warning of mkdocs (strict: true) fails here."""
    out = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(out)]
    # No proxy answers there: what asks the network fails.
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return out


class _Page(HTMLParser):
    """Identifiers of a page and the addresses that a browser loads for it."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.loaded = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids.add(values.get("id"))
        if tag in LOADED:
            self.loaded.add(values.get(LOADED[tag]) or "")
        if tag == "link" and values.get("rel") not in NOT_LOADED:
            self.loaded.add(values.get("href") or "")


@pytest.fixture(scope="module")
def reference(site) -> dict[str, _Page]:
    """Pages of the API reference by name."""
    paths = (site / "reference").glob("*.html")
    return {path.stem: _Page(path) for path in paths}


def documented(path: Path):
    """The public names of a module that have a docstring, its own included."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    module = module.removesuffix(".__init__")

    def walk(node, name):
        if ast.get_docstring(node):
            yield name
        for child in node.body:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            if isinstance(child, kinds) and not child.name.startswith("_"):
                if isinstance(node, (ast.Module, ast.ClassDef)):
                    yield from walk(child, f"{name}.{child.name}")

    yield from walk(ast.parse(path.read_text()), module)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_docstring_is_in_the_reference(reference, package):
    shown = set().union(*(page.ids for page in reference.values()))
    names = [x for path in (ROOT / package).rglob("*.py") for x in documented(path)]
    missing = [name for name in names if name not in shown]
    assert len(names) > 30 and not missing


def test_docstrings_are_read_as_what_they_are(site):
    """No section, table, directive or drawing of a docstring is left as plain text."""
    pages = list((site / "reference").glob("*.html"))
    wrong = (
        r"<p>(Args|Returns|Raises|Attributes|Yields):|::</p>|<p>::: |<p>\|[^<]*\|---"
    )
    found = {p.name: re.findall(wrong, p.read_text()) for p in pages}
    assert len(pages) > 20 and not {name: x for name, x in found.items() if x}


def test_nothing_is_loaded_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    loaded = {x for path in pages for x in _Page(path).loaded}
    assert len(loaded) > 10
    assert not [x for x in loaded if re.match(r"(https?:)?//", x)]
    styles = "".join(p.read_text() for p in (site / "assets").rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*[\"']?https?:", styles)


def test_every_page_has_a_title_and_text(site):
    for path in site.rglob("*.html"):
        if "tree" not in path.parts and path.name != "404.html":
            text = path.read_text(encoding="utf-8")
            assert "<h1" in text and len(text) > 5000, path
