"""Texts of reports: Markdown is rendered, data are shown as they are, HTML never."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from tests.conftest import ROOT
from tests.support import report_files
from tests.support.html_page import ReportPage
from zoo.reporting import html_pages, pages, prose, results_files
from zoo.reporting.blocks import (
    Claim,
    Claims,
    Details,
    Flow,
    Picture,
    Section,
    Stage,
    Table,
    markdown,
)

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(1)</script>'
NAMES = [
    "encoder_dynamic.tflite", "_a_ __b__", "*c* **d**", "`e` ``f``", "a|b", "<b>x</b>",
    "[g](javascript:alert(1))", "![h](https://x.org/i.png)", "&lt;i&gt;", r"\_j\*",
    "NMSE [dB]", "a < b & c", HOSTILE,
]  # fmt: skip
README = MarkdownIt("commonmark").enable("table")  # with HTML, as readers have it


def shown(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html)).strip()


@pytest.mark.parametrize("name", NAMES)
def test_data_read_as_they_are_in_markdown(name):
    html = README.renderInline(prose.plain(name))
    assert "<" not in html and unescape(html) == name
    table = README.render(markdown(Table(["a", name], [["b", name]], name)))
    heads = re.findall(r"<t[hd]>(.*?)</t[hd]>", table)
    assert [unescape(cell) for cell in heads] == ["a", name, "b", name]


@pytest.mark.parametrize("name", NAMES)
def test_data_read_as_they_are_in_html(name):
    table = str(html_pages.html(Table(["a", name], [["b", name]], name)))
    assert [shown(x) for x in re.findall(r"<td.*?>(.*?)</td>", table)] == [name]
    assert shown(re.search("<caption>(.*)</caption>", table)[1]) == name
    assert shown(str(prose.inline(prose.plain(name)))) == name
    assert shown(str(prose.inline(prose.code(name)))) == name


def test_prose_is_rendered():
    html = html_pages.html("At `fast` see `encoder_dynamic.tflite`, a_b_c *d*.")
    assert html.startswith("<p>At <code>fast</code> see <code>encoder_dynamic.tflite</")
    assert "a_b_c <em>d</em>." in html
    assert "<li>b</li>" in html_pages.html("a\n\n- b")
    link = '<a href="https://x.org/a_b">https://x.org/a_b</a>.'
    assert link in html_pages.html("see https://x.org/a_b.")
    assert "<a" not in html_pages.html("report.md, zoo.report, javascript:alert(1)")
    assert "<img" not in html_pages.html("![x](https://x.org/i.png)")


def blocks_of(text: str) -> list:
    stage = Stage(text, text, text, 3)
    claim = Claim(text, text, text, "s", text)
    inner = [text, Table([text], [[text]], text), Flow(text, [stage]),
             Picture(b"x", text, text), Claims([claim], True)]  # fmt: skip
    return [Section(text, "s", [*inner, Details(text, inner, "d"), [inner[3]]])]


def test_nothing_injects_html(tmp_path):
    page = html_pages.document(HOSTILE, HOSTILE, blocks_of(HOSTILE), HOSTILE)
    assert "<script" not in page and "<img src=x" not in page
    (tmp_path / "x.html").write_text(page, encoding="utf-8")
    assert not {"script", "iframe"} & set(ReportPage(tmp_path / "x.html").tags)
    text = README.render("\n".join(map(markdown, blocks_of(HOSTILE))))
    assert "<script" not in text and "<img" not in text


HIDDEN = [  # code in one dialect, and none in another
    "`a\n\n{}\n\nb`", "\\`{}`", "``{}`", "| `a | {} | b` |\n|--|--|--|", "`{}\n`",
    "> `a\n{}\n> b`", "```\n{}", "~~~\n`{}`\n~~~\n{}", "    `{}", "\\``{}`",
]  # fmt: skip


@pytest.mark.parametrize("around", HIDDEN)
def test_html_that_hides_in_half_of_a_code_span(around):
    text = markdown(around.replace("{}", HOSTILE))
    for read in (README.render, _python_markdown):
        assert not _active(read(text)), text


@pytest.mark.parametrize(
    "text",
    ["[a](javascript:alert(1))", "[a]( JavaScript:alert(1))", "[a](data:text/html,x)",
     "[a]: javascript:alert(1)\n\n[a]", "![a](https://x.org/i.png)",
     "[a](java&#115;cript:alert(1))", "<javascript:alert(1)>",
     "[a](\tjavascript:alert(1))", "![a][b]\n\n[b]: https://x.org/i.png"],
)  # fmt: skip
def test_links_that_run_and_images_that_load(text):
    for read in (README.render, _python_markdown):
        html = read(markdown(text))
        assert not re.search("href=|src=", html), html


@pytest.mark.parametrize(
    "link", ["https://x.org/a_b", "#part", "report.md", "../deploy/serving.md#a"]
)
def test_links_to_pages_stay(link):
    for read in (README.render, _python_markdown):
        assert f'href="{link}"' in read(markdown(f"see [a `b<c>`]({link})"))


def _active(html: str) -> list[str]:
    """What a browser would load or run."""
    return re.findall(r"<(?:script|img|iframe)\b", html, re.I)


def _python_markdown(text: str) -> str:
    """As mkdocs renders it."""
    library = pytest.importorskip("markdown")
    return library.markdown(text, extensions=["tables", "md_in_html"])


def test_anchors_are_names_of_files():
    anchor = 'x" onmouseover="alert(1)"><script>'
    inner = [Claims([Claim("a", "b", "c", anchor, "d")], True)]
    blocks = [Section("a", anchor, [*inner, Details("s", inner, anchor)])]
    text = README.render("".join(map(markdown, blocks)))
    page = html_pages.document("a", "b", blocks, "c")
    assert not _active(text) and not _active(page)
    assert "onmouseover" not in re.sub("%22|%20|&#34;", "", re.sub(r"=\S*", "", text))


def test_hostile_results(tmp_path):
    directory = tmp_path / "results"
    report_files.write(directory)
    content = report_files.result(
        "x.y",
        [report_files.entry(HOSTILE, HOSTILE, [-1.0, -2.0], model="crnet")],
        [{**report_files.FIGURE["claims"][0], "claim": HOSTILE}],
        title=HOSTILE, note=HOSTILE, unit=HOSTILE, x=HOSTILE, budget=HOSTILE,
        device=HOSTILE, date=HOSTILE, commit=HOSTILE,
    )  # fmt: skip
    results = {**results_files.load(directory), directory / "x.y.json": content}
    html, text, *_ = pages.write(results, tmp_path / "r", ["crnet"])
    assert "<script" not in html.read_text(encoding="utf-8")
    ReportPage(html)
    assert "<script" not in README.render(text.read_text(encoding="utf-8"))


def test_committed_report_has_no_literal_markdown():
    text = (ROOT / "docs" / "results" / "report.html").read_text(encoding="utf-8")
    body = re.sub(r"<code>.*?</code>", "", text.partition("<body>")[2], flags=re.S)
    body = re.sub(r'src="data:[^"]*"', "", body)
    assert "`" not in body and "**" not in shown(body)
