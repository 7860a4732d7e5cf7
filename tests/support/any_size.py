"""A small data set of channels of any size, made by the command that users have."""

from __future__ import annotations

import numpy as np

from tests.conftest import run_command

SAMPLES, PATHS = 120, 3


def channels(num_antennas: int, num_subcarriers: int) -> np.ndarray:
    """Channels of three paths, complex64 `[120, antennas, subcarriers]`."""
    rng = np.random.default_rng(5)
    parts = rng.normal(size=(2, SAMPLES, PATHS))
    gain = (parts[0] + 1j * parts[1]) / np.arange(1, PATHS + 1)
    turn = rng.uniform(-0.4, 0.4, (SAMPLES, PATHS, 1))
    delay = rng.uniform(0, 6, (SAMPLES, PATHS, 1))
    space = np.exp(2j * np.pi * turn * np.arange(num_antennas))
    tones = np.arange(num_subcarriers) / num_subcarriers
    frequency = np.exp(-2j * np.pi * delay * tones)
    return np.einsum("nl,nla,nlc->nac", gain, space, frequency).astype(np.complex64)


def add(folder, num_antennas: int, num_delays: int) -> str:
    """Write the data set below `folder`.

    Returns:
        Its name, own/sizeNxM.
    """
    name = f"size{num_antennas}x{num_delays}"
    source = folder / f"{name}.npy"
    np.save(source, channels(num_antennas, 2 * num_delays))
    flags = [f"--source={source}", f"--name={name}", f"--delays={num_delays}"]
    done = run_command("tfds_builders.add", *flags, f"--data_dir={folder}")
    assert done.returncode == 0, done.stderr[-2000:]
    return f"own/{name}"
