"""Channels of a few paths, and their files as simulators write them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import scipy.io

SUBCARRIERS, BANDWIDTH_HZ = 52, 20e6
MATLAB_COMPLEX = [("real", "<f8"), ("imag", "<f8")]


def complex_normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def frequencies(count: int = SUBCARRIERS, bandwidth_hz: float = BANDWIDTH_HZ):
    """Of the subcarriers, from the carrier, one by one as they are defined."""
    return np.array([(k - count // 2) * bandwidth_hz / count for k in range(count)])


def responses(num: int, antennas: int, seed: int = 0, taps: float = 6.0) -> np.ndarray:
    """Independent channels of five paths, complex64 `[num, antennas, subcarriers]`."""
    rng = np.random.default_rng(seed)
    gain = complex_normal(rng, num, 5)
    delay = rng.uniform(-1, taps, (num, 5))
    angle = rng.uniform(-1, 1, (num, 5))
    n, k = np.arange(antennas), np.arange(SUBCARRIERS) / SUBCARRIERS
    return np.einsum(
        "sp,spn,spk->snk",
        gain,
        np.exp(-1j * np.pi * angle[..., None] * n),
        np.exp(-2j * np.pi * delay[..., None] * k),
    ).astype(np.complex64)


def tracks(num: int, length: int, antennas: int, step: float = 0.005) -> np.ndarray:
    """UEs that move a little from sample to sample, `[num, length, antennas, 52]`."""
    rng = np.random.default_rng(3)
    gain = complex_normal(rng, num, 1, 5)
    delay = rng.uniform(0, 6, (num, 1, 5))
    angle = rng.uniform(-1, 1, (num, 1, 5))
    moved = np.arange(length)[:, None] * rng.uniform(-step, step, (num, 1, 5))
    phase = np.exp(2j * np.pi * np.cumsum(np.abs(moved), axis=1))
    n, k = np.arange(antennas), np.arange(SUBCARRIERS) / SUBCARRIERS
    return np.einsum(
        "utp,utpn,utpk->utnk",
        gain * phase,
        np.exp(-1j * np.pi * (angle + moved)[..., None] * n),
        np.exp(-2j * np.pi * (delay + moved)[..., None] * k),
    ).astype(np.complex64)


def angular_delay(h: np.ndarray) -> np.ndarray:
    """All taps of `[..., antenna, subcarrier]`, the DFTs written out as sums."""
    antennas, count = h.shape[-2:]
    n, k = np.arange(antennas), np.arange(count)
    beam = n - antennas // 2
    angle = np.exp(-2j * np.pi * np.outer(beam, n) / antennas) / np.sqrt(antennas)
    delay = np.exp(2j * np.pi * np.outer(k, k) / count) / np.sqrt(count)
    return angle @ h @ delay


def write_matlab73(path: Path, **arrays: np.ndarray) -> Path:
    """Write MATLAB v7.3: HDF5, axes reversed, complex numbers as pairs."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if np.iscomplexobj(array):
                pairs = np.empty(array.shape, MATLAB_COMPLEX)
                pairs["real"], pairs["imag"] = array.real, array.imag
                array = pairs
            file[name] = array.T
    return path


def write_sionna(path: Path, num: int, antennas: int = 8, times: int = 1):
    """A CIR of Sionna; returns `a` and `tau`, `[num, 2 rx, 1, 1, antennas, 4, T]`."""
    rng = np.random.default_rng(5)
    a = complex_normal(rng, num, 2, 1, 1, antennas, 4, times)
    tau = rng.uniform(0, 1e-6, (num, 2, 1, 4))
    a[..., 3, :], tau[..., 3] = 0, -1  # as the ray tracer marks a path that is none
    np.savez(path, a=a, tau=tau)
    return a, tau


def write_quadriga(path: Path, num: int, antennas: int = 8, own_delays: bool = False):
    """A channel of QuaDRiGa with 2 receive antennas; returns `coeff` and `delay`."""
    rng = np.random.default_rng(6)
    coeff = complex_normal(rng, 2, antennas, 5, num)
    shape = (2, antennas, 5, num) if own_delays else (5, num)
    delay = rng.uniform(0, 1e-6, shape)
    write_matlab73(path, coeff=coeff, delay=delay)
    return coeff, delay


def write_deepmimo(folder: Path, num: int, suffix: str = "npz") -> dict:
    """A scenario of DeepMIMO 4; the last user has no path, others one to four."""
    rng = np.random.default_rng(7)
    values = {
        "power": rng.uniform(-130, -90, (num, 4)),
        "phase": rng.uniform(-180, 180, (num, 4)),
        "delay": rng.uniform(0, 1e-6, (num, 4)),
        "aod_az": rng.uniform(-180, 180, (num, 4)),
        "aod_el": rng.uniform(0, 180, (num, 4)),
    }
    used = np.arange(4) < rng.integers(1, 5, (num, 1))
    used[-1] = False
    folder.mkdir()
    for name, array in values.items():
        values[name] = np.where(used, array, np.nan).astype(np.float32)
        path = folder / f"{name}_t001_tx000_r000.{suffix}"
        if suffix == "npz":
            np.savez_compressed(path, **{name: values[name]})
        else:
            scipy.io.savemat(path, {name: values[name]})
    (folder / "params.json").write_text("{}")
    return values
