"""Memory and time that a large file takes: python -m benchmarks.own_channels.

Makes a sparse .npy file of 64 antennas and 52 subcarriers (it takes little room on the
disk), of which one sample in a thousand is not zero, and adds it as a data set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import cli

ANTENNAS, SUBCARRIERS, EVERY = 64, 52, 1000


def write_sparse(path: Path, size_gb: float) -> int:
    """Write the file; returns the number of its samples."""
    num = int(size_gb * 1e9 / (8 * ANTENNAS * SUBCARRIERS))
    shape = (num, ANTENNAS, SUBCARRIERS)
    file = np.lib.format.open_memmap(path, "w+", np.complex64, shape)
    rng = np.random.default_rng(0)
    for sample in range(0, num, EVERY):
        real, imag = rng.standard_normal((2, ANTENNAS, SUBCARRIERS))
        file[sample] = real + 1j * imag
    return num


def measure(folder: Path, size_gb: float) -> dict:
    """Add a file of so many GB: its samples, seconds and the peak of memory."""
    num = write_sparse(folder / "h.npy", size_gb)
    command = [sys.executable, "-m", "tfds_builders.add", "--name=large", "--drop_bad"]
    command += [f"--source={folder / 'h.npy'}", f"--data_dir={folder}"]
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise OSError(f"{' '.join(command)} ended with status {status}")
    return {
        "file_gb": (folder / "h.npy").stat().st_size / 1e9,
        "samples": num,
        "seconds": time.monotonic() - start,
        "peak_memory_gb": usage.ru_maxrss * 1024 / 1e9,
    }


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    with tempfile.TemporaryDirectory(dir=flags.FLAGS.folder or None) as folder:
        print(json.dumps(measure(Path(folder), flags.FLAGS.size_gb), indent=2))


if __name__ == "__main__":
    flags.DEFINE_float("size_gb", 20, "Of the file.", lower_bound=0)
    flags.DEFINE_string("folder", "", "Where the file is made [the system's].")
    cli.run(main)
