"""Which wing may import which: the contracts of pyproject.toml, and Keras' one door."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PACKAGES = ("zoo", "serving", "tfds_builders")


def lint(folder):
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_contracts_are_kept():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " 0 broken" in done.stdout
    assert int(re.search(r"Contracts: (\d+) kept", done.stdout).group(1)) >= 6


def test_contracts_can_be_broken(tmp_path):
    """The same contracts refuse an upward import, and a wing that they do not name."""
    for name in PACKAGES:
        for path in (ROOT / name).rglob("*.py"):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    assert lint(tmp_path).returncode == 0
    layer = tmp_path / "zoo" / "layers" / "conv.py"
    layer.write_text(layer.read_text() + "\nfrom zoo.training import trainer\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "zoo.layers.conv -> zoo.training.trainer" in done.stdout
    layer.write_text((ROOT / "zoo" / "layers" / "conv.py").read_text())
    (tmp_path / "zoo" / "attic").mkdir()
    (tmp_path / "zoo" / "attic" / "__init__.py").touch()
    assert lint(tmp_path).returncode == 1


def test_the_top_of_the_zoo_is_commands_and_spine():
    """At most 23: zoo.rate, the main axis of all results, is a command of its own."""
    assert len(list((ROOT / "zoo").glob("*.py"))) <= 23
    for path in (ROOT / "zoo").glob("*/__init__.py"):
        tree = ast.parse(path.read_text())
        assert len(tree.body) == 1 and ast.get_docstring(tree), path


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_keras_compat_imports_keras():
    found = {
        path.name
        for folder in PACKAGES
        for path in (ROOT / folder).rglob("*.py")
        for name in _imports(path)
        if re.match(r"(keras|tf_keras|tensorflow\.keras)(\.|$)", name)
    }
    assert found == {"keras_compat.py"}
