"""The report in a real browser: nothing fails, everything is shown."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from tests.conftest import ROOT
from tests.support import report_files
from zoo.reporting import pages
from zoo.reporting import results_files as loader

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", "--dump-dom",
)  # fmt: skip
# What a page says about itself when it is loaded; an error would be logged.
PROBE = """<pre id="probe"></pre><script>addEventListener("load", () => {
  document.querySelectorAll("details").forEach(x => { x.open = true; });
  document.getElementById("probe").textContent = JSON.stringify({
    images: [...document.images].map(x => x.naturalWidth),
    shown: [...document.images].map(x => x.getBoundingClientRect().width),
    broken: [...document.querySelectorAll("a[href^='#']")].filter(
      x => !document.getElementById(x.hash.slice(1))).length,
    overflow: document.documentElement.scrollWidth - innerWidth,
    dark: getComputedStyle(document.body).backgroundColor,
    requests: performance.getEntriesByType("resource").map(x => x.name)
      .filter(x => !x.startsWith("data:")),
  }); });</script></body>"""


@pytest.fixture(scope="module")
def browser():
    found = [name for name in BROWSERS if shutil.which(name)]
    if not found:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the PATH")
    return found[0]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report on a results directory, as HTML."""
    folder = tmp_path_factory.mktemp("browser")
    report_files.write(folder / "results")
    results = loader.load(folder / "results")
    page, *_ = pages.write(results, folder / "report", ["crnet"])
    return page.read_text(encoding="utf-8")


def seen(browser, page: str, tmp_path, *flags) -> tuple[dict, str]:
    """What the page says of itself, and what the browser logged of it."""
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", PROBE), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [browser, *FLAGS, profile, *flags, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = re.search(r'<pre id="probe">(.+?)</pre>', done.stdout, re.S)
    assert said, done.stderr[-2000:]
    return json.loads(unescape(said[1])), done.stderr


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_fails_and_everything_fits(browser, page, tmp_path, width):
    found, log = seen(browser, page, tmp_path, f"--window-size={width},900")
    assert "CONSOLE" not in log
    assert len(found["images"]) == 8 and min(found["images"]) > 600
    assert min(found["shown"]) > 300
    assert found["broken"] == 0 and found["requests"] == []
    assert found["overflow"] <= 0  # wide tables scroll in themselves


def test_committed_report(browser, tmp_path):
    text = (ROOT / "docs" / "results" / "report.html").read_text(encoding="utf-8")
    found, log = seen(browser, text, tmp_path)
    assert "CONSOLE" not in log and found["requests"] == [] and found["broken"] == 0
    assert len(found["images"]) > 10 and min(found["images"]) > 300


def test_console_errors_would_be_seen(browser, page, tmp_path):
    broken = page.replace(
        "<main", '<img alt="" src="http://127.0.0.1:9/none.png"><main'
    )
    found, log = seen(browser, broken + "<script>nothing()</script>", tmp_path)
    assert "CONSOLE" in log and "nothing is not defined" in log
    assert min(found["images"]) == 0 and found["requests"]


def test_dark_mode(browser, page, tmp_path):
    backgrounds = [
        seen(browser, page, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
        for scheme in (0, 1)
    ]
    dark, light = (found["dark"] for found, _ in backgrounds)
    assert dark == "rgb(21, 25, 31)" and light == "rgb(255, 255, 255)"
