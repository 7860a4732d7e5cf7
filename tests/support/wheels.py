"""The project as a wheel, in an environment that does not know the checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PACKAGES = ("serving", "tfds_builders", "zoo")
FILES = ("pyproject.toml", "README.md", "LICENSE")
KEPT_OUT = ("csi_feedback_zoo", "__editable__", "_csi_feedback", "__pycache__")


def git(folder: Path, *arguments: str) -> str:
    """Run git with an identity of its own; returns what it prints."""
    identity = ("-c", "user.name=n", "-c", "user.email=n@x.example")
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit_all(folder: Path) -> str:
    """Make a folder a repository with one commit of all in it; returns that."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "all", "--allow-empty")
    return git(folder, "rev-parse", "HEAD")


def copy_project(tree: Path) -> Path:
    """Copy what a distribution is made of: setuptools leaves files where it builds."""
    skipped = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tree / name, ignore=skipped)
    for name in FILES:
        shutil.copyfile(ROOT / name, tree / name)
    return tree


def build_wheel(tree: Path, out: Path) -> Path:
    """Build the wheel by way of the source distribution, as for a release."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out)]
    own = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # the tree stays as it is
    done = subprocess.run(
        [*command, str(tree)], capture_output=True, text=True, env=own
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = out.glob("*.whl")
    return wheel


@dataclass(frozen=True)
class Installed:
    """A new environment with the wheel, beside the dependencies of this one."""

    python: Path
    packages: Path

    def run(self, cwd: Path, *command: str):
        """Run `python -m command` in a folder, knowing of nothing else."""
        return self.execute(cwd, str(self.python), "-m", *command)

    def execute(self, cwd: Path, *command: str):
        """Run a program in a folder; returns the process."""
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST")
        environment = {k: v for k, v in os.environ.items() if k not in hidden}
        return subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )


def install(wheel: Path, folder: Path) -> Installed:
    """Install a wheel in a new environment.

    The dependencies are linked from this environment, all but this project: whichever
    way it is installed here, it cannot be seen from there.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    lib = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / lib / "site-packages"
    for path in map(Path, site.getsitepackages()):
        for entry in path.iterdir() if path.is_dir() else ():
            link = packages / entry.name
            if not entry.name.startswith(KEPT_OUT) and not link.exists():
                link.symlink_to(entry)
    command = [sys.executable, "-m", "pip", "--python", str(folder), "install"]
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *options, str(wheel)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Installed(folder / "bin" / "python", packages)
