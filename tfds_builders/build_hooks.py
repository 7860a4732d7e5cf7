"""Hooks of setuptools (see pyproject.toml): a distribution carries its commit."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

# By path: while a distribution is built, the package cannot be imported.
PROVENANCE = runpy.run_path(str(Path(__file__).with_name("provenance.py")))


def _write_build_info(root: str) -> None:
    path = Path(root, "tfds_builders", PROVENANCE["BUILD_INFO"])
    path.unlink(missing_ok=True)  # of an unpacked sdist: perhaps a hard link
    path.write_text(
        json.dumps(PROVENANCE["source"]()._asdict()) + "\n", encoding="utf-8"
    )


class BuildPy(build_py):
    """Not in editable mode: there git is asked whenever something runs."""

    def run(self):
        """Copy the packages, then write where they are from."""
        super().run()
        if not self.editable_mode:
            _write_build_info(self.build_lib)


class Sdist(sdist):
    """The wheel that is built from it says what it says."""

    def make_release_tree(self, base_dir, files):
        """Copy the files, then write where they are from."""
        super().make_release_tree(base_dir, files)
        _write_build_info(base_dir)
