"""What the pages name exists: files, modules, commands, results."""

from __future__ import annotations

import importlib.util
import re

import pytest

import zoo
from tests.conftest import ROOT
from zoo import registry
from zoo.reporting import network_pages

PAGES = [
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if path.name not in ("CHANGELOG.md", "report.md")  # history, and made by a command
]
NETWORKS = ROOT / "docs" / "networks"
TOP = "zoo|serving|tests|tfds_builders|benchmarks|docs"
FILE = re.compile(rf"(?<![\w./-])((?:{TOP})/[\w./*{{}},-]*[\w}}])")
MODULE = re.compile(rf"(?:python -m |from |import |`)((?:{TOP})(?:\.\w+)+)")


def expanded(name: str) -> list[str]:
    """`a{b,c}` as `ab`, `ac`."""
    match = re.search(r"\{([^}]*)\}", name)
    if not match:
        return [name]
    parts = (name.replace(match[0], part, 1) for part in match[1].split(","))
    return [x for part in parts for x in expanded(part)]


def exists(name: str) -> bool:
    """Whether a path of the project exists; NAME stands for any name."""
    pattern = name.rstrip("/").replace("NAME", "*")
    return any(ROOT.glob(pattern)) if pattern else False


def is_object(name: str) -> bool:
    """Whether a dotted name is a module, or a public name that its module defines."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:end])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file():
            rest = parts[end:]
            if parts[:end] == ["zoo"] and rest:
                return rest[0] in zoo.__all__
            return not rest or bool(
                re.search(rf"(?m)^(?:def |class )?{rest[0]}\b", file.read_text())
            )
        if path.is_dir() and end == len(parts):
            return True
    return False


def ids(path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_files_and_modules_of_a_page_exist(page):
    text = re.sub(r"--output=\S+", "", page.read_text(encoding="utf-8"))  # no ending
    names = [x for name in FILE.findall(text) for x in expanded(name)]
    wrong = [x for x in names if not exists(x)]
    wrong += [x for x in MODULE.findall(text) if not is_object(x)]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_of_a_page_are_modules(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"python -m ([\w.]+)", text):
        assert importlib.util.find_spec(name), name


def test_a_wrong_name_would_be_found():
    """The patterns above see paths and modules where pages have them."""
    text = "`zoo/nothing.py`, zoo/flagfiles/{crnet,none}.cfg: `python -m zoo.nothing`"
    names = [x for name in FILE.findall(text) for x in expanded(name)]
    assert [x for x in names if not exists(x)] == [
        "zoo/nothing.py",
        "zoo/flagfiles/none.cfg",
    ]
    assert [x for x in MODULE.findall(text) if not is_object(x)] == ["zoo.nothing"]


def test_the_example_of_the_frame_runs():
    text = (ROOT / "docs" / "bits" / "frame.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    code, names = "".join(blocks), {}
    exec(code, names)
    assert f"# {len(names['payload'])} bytes" in code
    assert f"# {len(names['frame'])} bytes" in code


def test_every_network_has_a_page():
    stored = {path.stem for path in NETWORKS.glob("*.md")} - {"index", "own"}
    index = (NETWORKS / "index.md").read_text()
    assert stored == set(registry.MODELS)
    assert all(f"[`{name}`]({name}.md)" in index for name in stored)


def specs(sequences: bool):
    found = registry.MODELS.values()
    return sorted(s.name for s in found if s.takes_sequences == sequences)


@pytest.mark.parametrize("name", specs(False))
def test_page_of_a_network_is_in_sync(name):
    stored = (NETWORKS / f"{name}.md").read_text(encoding="utf-8")
    assert stored == network_pages.page(registry.get(name)), (
        "run python -m zoo.report --network_pages=docs/networks"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", specs(True))
def test_page_of_a_network_of_sequences_is_in_sync(name):
    test_page_of_a_network_is_in_sync(name)


def test_pages_are_written(tmp_path, monkeypatch):
    one = {"cs_csinet": registry.get("cs_csinet")}
    monkeypatch.setattr(registry, "MODELS", one)
    (path,) = network_pages.write(tmp_path)
    assert path == tmp_path / "cs_csinet.md"
    assert path.read_text() == (NETWORKS / "cs_csinet.md").read_text()
