"""What the project says of itself agrees, and a distribution holds what is needed."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.conftest import ROOT
from tests.support.wheels import (
    PACKAGES,
    build_wheel,
    commit_all,
    copy_project,
    git,
)
from tfds_builders import provenance


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\d+\.\d+\.\d+)\b", changelog, re.MULTILINE)
    project = (ROOT / "pyproject.toml").read_text()
    stated = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert stated[1] == newest[1] == citation["version"] == provenance.version()
    for word in citation["keywords"]:
        assert f'"{word}"' in project


def test_pinned_versions_are_for_every_python_3_11():
    """Debian has 3.11.2; what is made of a newer 3.11 may need that one."""
    installed = {
        (re.sub(r"[-_.]+", "-", found.name).lower(), found.version): found
        for found in importlib.metadata.distributions()
    }
    pins = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8").split()
    checked = 0
    for name, version in (pin.split("==") for pin in pins):
        found = installed.get((re.sub(r"[-_.]+", "-", name).lower(), version))
        if found is None:  # of an extra that is not installed, or another environment
            continue
        needed = SpecifierSet(found.metadata["Requires-Python"] or "")
        assert "3.11.0" in needed, f"{name}=={version} needs Python {needed}"
        checked += 1
    if not checked:
        pytest.skip("nothing is installed as it is pinned")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The project as the only content of a repository."""
    tree = copy_project(tmp_path_factory.mktemp("tree") / "project")
    commit_all(tree)
    return tree


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    with zipfile.ZipFile(
        build_wheel(tree, tmp_path_factory.mktemp("wheel"))
    ) as content:
        yield content


def built_from(wheel: zipfile.ZipFile) -> dict:
    return json.loads(wheel.read(f"tfds_builders/{provenance.BUILD_INFO}"))


def test_every_file_of_the_packages_is_in_the_wheel(wheel, tree):
    names = set(wheel.namelist())
    wanted = {
        str(path.relative_to(tree))
        for package in PACKAGES
        for path in (tree / package).rglob("*")
        if path.is_file()
    }
    assert len(wanted) > 500 and not wanted - names
    extra = {name for name in names - wanted if ".dist-info/" not in name}
    assert extra == {f"tfds_builders/{provenance.BUILD_INFO}"}


def test_the_wheel_says_what_it_was_built_from(wheel, tree):
    head = git(tree, "rev-parse", "HEAD")
    assert built_from(wheel) == {"version": provenance.version(), "commit": head}
    assert not (tree / "tfds_builders" / provenance.BUILD_INFO).exists()
    (name,) = [x for x in wheel.namelist() if x.endswith("dist-info/METADATA")]
    assert f"\nVersion: {provenance.version()}\n" in wheel.read(name).decode()


def test_a_wheel_of_a_changed_tree_says_so(wheel, tree, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(tree, changed)
    with (changed / "zoo" / "__init__.py").open("a") as file:
        file.write("# changed\n")
    with zipfile.ZipFile(build_wheel(changed, tmp_path / "out")) as content:
        commit = built_from(content)["commit"]
    assert commit == built_from(wheel)["commit"] + "-dirty"


def test_an_editable_install_asks_git(tree, tmp_path):
    """Nothing is written down where the code is that of the checkout."""
    code = "from setuptools import build_meta; build_meta.build_editable('{}')"
    command = [sys.executable, "-c", code.format(tmp_path)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(tree.rglob(provenance.BUILD_INFO))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        assert not [x for x in content.namelist() if provenance.BUILD_INFO in x]
