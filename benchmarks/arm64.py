"""The encoders of an export on an emulated arm64: the same bits as where it was made?

    python -m benchmarks.arm64 --export=export/crnet

Runs `serving.golden`, for every encoder of the export, under qemu on Debian's arm64
Python and the arm64 wheels of NumPy and ai-edge-litert. Takes qemu-aarch64 where it is
installed; all else is unpacked below --folder, nothing is installed. Needs apt-get,
dpkg-deb and pip with their package sources (Debian 12 on x86-64), about 60 MB; where
those do not answer it says "skipped" and why. Emulated times mean nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from absl import flags

from tfds_builders import cli

PYTHON = "3.11"
PACKAGES = (
    f"python{PYTHON}-minimal libpython{PYTHON}-minimal libpython{PYTHON}-stdlib "
    "libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libssl3 libbz2-1.0 liblzma5 libffi8 "
    "libcrypt1 libuuid1"
).split()
WHEELS = ("ai-edge-litert", "numpy", "flatbuffers", "fastjsonschema")
PLATFORMS = ("manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
# With qemu's default processor the int8 kernels give wrong results.
PROCESSOR = "cortex-a76"
CPUINFO = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0b
CPU revision\t: 1
"""


class UnavailableError(Exception):
    """What the emulation needs cannot be had on this machine."""


def _call(*command: str, folder: Path | None = None) -> None:
    if not shutil.which(command[0]):
        raise UnavailableError(f"no {command[0]}: this needs a Debian 12 machine")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise UnavailableError(f"{' '.join(command[:3])} ...: {lines[-1]}")


def _unpack_packages(source: Path, target: Path) -> None:
    for package in sorted(source.glob("*.deb")):
        _call("dpkg-deb", "-x", str(package), str(target))


def qemu(folder: Path) -> str:
    """Emulator's path: the installed one, else Debian's, fetched once below host/.

    Raises:
        UnavailableError: none is installed, and apt cannot fetch it.
    """
    for name in ("qemu-aarch64-static", "qemu-aarch64"):
        if installed := shutil.which(name):
            return installed
    path = folder / "host" / "usr" / "bin" / "qemu-aarch64-static"
    if not path.exists():
        (folder / "host").mkdir(exist_ok=True)
        _call("apt-get", "download", "qemu-user-static", folder=folder / "host")
        _unpack_packages(folder / "host", folder / "host")
    return str(path)


def _unpack_debian(folder: Path) -> None:
    """arm64 Python below root/, by an apt with a state of its own."""
    state = folder / "apt"
    for part in ("state/lists/partial", "cache/archives/partial", "arm64"):
        (state / part).mkdir(parents=True, exist_ok=True)
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State": state / "state",
        "Dir::Cache": state / "cache",
        "Dir::State::status": "/dev/null",
    }
    own = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    _call("apt-get", *own, "update")
    _call("apt-get", *own, "download", *PACKAGES, folder=state / "arm64")
    _unpack_packages(state / "arm64", folder / "root")


def _unpack_wheels(folder: Path) -> None:
    """The arm64 wheels, of the versions installed here, below packages/."""
    wanted = [f"{name}=={metadata.version(name)}" for name in WHEELS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", f"--python-version={PYTHON}"]
    command += [f"--platform={platform}" for platform in (*PLATFORMS, "any")]
    _call(*command, *wanted, f"--dest={folder / 'wheels'}")
    for wheel in sorted((folder / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "packages")


def prepare(folder: Path) -> None:
    """Fetch and unpack what the emulation needs, once.

    Raises:
        UnavailableError: a package source does not answer, or a tool is missing.
    """
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _unpack_debian(partial)
    _unpack_wheels(partial)
    # An x86 /proc/cpuinfo crashes the library that looks for the kernels to use.
    (partial / "root" / "proc").mkdir(exist_ok=True)
    (partial / "root" / "proc" / "cpuinfo").write_text(CPUINFO, encoding="utf-8")
    partial.replace(folder)


def replay(folder: Path, export: Path) -> int:
    """Run `serving.golden` on emulated arm64, its output shown; returns its status.

    Raises:
        UnavailableError: there is no emulator.
    """
    root = folder / "root"
    command = [
        qemu(folder),
        *("-cpu", PROCESSOR, "-L", str(root)),
        str(root / "usr" / "bin" / f"python{PYTHON}"),
        *("-m", "serving.golden", f"--export={export.resolve()}"),
    ]
    here = Path(__file__).resolve().parents[1]
    paths = f"{here}:{(folder / 'packages').resolve()}"
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, cwd=here, env=environment).returncode


def main(argv: list[str]) -> int:
    """Command line."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    folder, export = Path(values.folder).resolve(), Path(values.export)
    if not (export / "golden.npz").is_file():
        raise FileNotFoundError(f"no {export / 'golden.npz'}: --export=DIR?")
    try:
        if not folder.exists():
            print(f"fetching arm64 packages into {folder}", flush=True)
            prepare(folder)
        return replay(folder, export)
    except UnavailableError as error:
        print(f"skipped: {error}")
        return 0


if __name__ == "__main__":
    flags.DEFINE_string("export", "", "Export directory with golden.npz.")
    flags.DEFINE_string("folder", "runs/arm64", "Where packages are unpacked.")
    cli.run(main)
