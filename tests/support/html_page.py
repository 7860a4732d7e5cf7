"""Self-contained HTML pages as the tests see them."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import matplotlib.image


class Page(HTMLParser):
    """Balanced tags, images and the cells of table rows."""

    VOID = {"meta", "img", "br"}

    def __init__(self, file):
        text = file.read_text(encoding="utf-8")
        super().__init__(convert_charrefs=True)
        self.tags, self.images, self.rows = [], [], {}
        self.open, self.row = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attrs = dict(attrs)
        assert not {"href", "onload"} & set(attrs)
        if tag == "img":
            assert len(attrs["alt"]) > 10
            kind, _, data = attrs["src"].partition(",")
            assert kind == "data:image/png;base64"
            self.images.append(base64.b64decode(data, validate=True))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.row = []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "tr":
            self.rows[self.row[0] if self.row else ""] = self.row[1:]

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.row.append(data)


class ReportPage(Page):
    """A page with links within itself or to papers; keeps its tables by caption."""

    def __init__(self, file):
        self.ids, self.links, self.tables, self.texts = set(), set(), [], []
        super().__init__(file)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        assert "src" not in attrs or tag == "img"
        if "id" in attrs:
            assert attrs["id"] not in self.ids
            self.ids.add(attrs["id"])
        if "href" in attrs:
            assert tag == "a"
            self.links.add(attrs.pop("href"))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        super().handle_starttag(tag, attrs.items())

    def handle_data(self, data):
        super().handle_data(data)
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def table(self, *columns):
        """The only table with these first columns, without its head."""
        tables = [[[c.strip() for c in row] for row in t] for t in self.tables]
        (found,) = [t for t in tables if t[0][: len(columns)] == list(columns)]
        return found[1:]


def pixels(data):
    """Pixels of a PNG that shows something."""
    image = matplotlib.image.imread(io.BytesIO(data))
    assert image.shape[0] > 200 and image.shape[1] > 800 and image[..., :3].std() > 0.02
    return image
