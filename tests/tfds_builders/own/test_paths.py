"""Paths in the layouts of three simulators against sums that are written out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.own_channels import (
    BANDWIDTH_HZ,
    SUBCARRIERS,
    frequencies,
    write_deepmimo,
    write_quadriga,
    write_sionna,
)
from tfds_builders.own import antenna_array, sources
from tfds_builders.own.layout import Layout

GRID = {"domain": "paths", "subcarriers": SUBCARRIERS, "bandwidth_hz": BANDWIDTH_HZ}


def rows(path, **layout) -> np.ndarray:
    found = sources.Sources([path], Layout(**GRID, **layout))
    return np.concatenate([block.h for block in found.blocks(SUBCARRIERS)])


def close(found, expected) -> None:
    size = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=1e-9 * size, rtol=0)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("batched", [True, False])
def test_sionna(tmp_path, times, batched):
    a, tau = write_sionna(tmp_path / "cir.npz", 4, times=times)
    if not batched:
        a, tau = a[:, 0], tau[:, 0]
        np.savez(tmp_path / "cir.npz", a=a, tau=tau)
        a, tau = a[:, None], tau[:, None]
    found = rows(tmp_path / "cir.npz").reshape(*a.shape[:2], times, 8, SUBCARRIERS)
    for batch, rx, time, antenna in np.ndindex(found.shape[:-1]):
        expected = np.zeros(SUBCARRIERS, complex)
        for path in range(4):
            gain = a[batch, rx, 0, 0, antenna, path, time]
            turns = frequencies() * tau[batch, rx, 0, path]
            expected += gain * np.exp(-2j * np.pi * turns)
        close(found[batch, rx, time, antenna], expected)


def test_delays_of_each_antenna(tmp_path):
    a, tau = write_sionna(tmp_path / "cir.npz", 2)
    every = tau[:, :, None, :, None] + np.zeros((2, 2, 1, 1, 8, 4))
    same = rows(tmp_path / "cir.npz")
    np.savez(tmp_path / "cir.npz", a=a, tau=every)
    close(rows(tmp_path / "cir.npz"), same)
    every[:, :, :, :, 3] += 1e-7
    np.savez(tmp_path / "cir.npz", a=a, tau=every)
    later = rows(tmp_path / "cir.npz")
    turn = np.exp(-2j * np.pi * frequencies() * 1e-7)
    close(later[:, 0, 0, 0, 3], same[:, 0, 0, 0, 3] * turn)
    close(later[:, 0, 0, 0, :3], same[:, 0, 0, 0, :3])


@pytest.mark.parametrize("own_delays", [False, True])
@pytest.mark.parametrize("num", [1, 6])
def test_quadriga(tmp_path, own_delays, num):
    coeff, delay = write_quadriga(tmp_path / "c.mat", num, own_delays=own_delays)
    found = rows(tmp_path / "c.mat")
    assert found.shape == (num, 1, 2, 1, 8, SUBCARRIERS)
    for snap, rx, antenna in np.ndindex(num, 2, 8):
        tau = delay[rx, antenna, :, snap] if own_delays else delay[:, snap]
        gain = coeff[rx, antenna, :, snap]
        expected = gain @ np.exp(-2j * np.pi * np.outer(tau, frequencies()))
        close(found[snap, 0, rx, 0, antenna], expected)


@pytest.mark.parametrize("suffix", ["npz", "mat"])
def test_deepmimo(tmp_path, suffix):
    values = write_deepmimo(tmp_path / "city", 6, suffix)
    array = antenna_array.parse("upa:4x2")
    found = rows(tmp_path / "city", array=array)[:, 0, 0, 0]
    assert not found[-1].any()  # a user without a path
    for user, column, row in np.ndindex(5, 4, 2):
        expected = np.zeros(SUBCARRIERS, complex)
        for power, phase, delay, azimuth, zenith in zip(
            *(values[name][user].astype(float) for name in values), strict=True
        ):
            if np.isnan(power):
                continue
            azimuth, zenith = np.radians(azimuth), np.radians(zenith)
            along = column * np.sin(azimuth) * np.sin(zenith) + row * np.cos(zenith)
            gain = np.sqrt(10 ** (power / 10)) * np.exp(1j * np.radians(phase))
            turns = along / 2 + frequencies() * delay
            expected += gain * np.exp(-2j * np.pi * turns)
        close(found[user, column * 2 + row], expected)


def test_lists_of_paths(tmp_path):
    rng = np.random.default_rng(1)
    amplitude = rng.standard_normal((3, 4)) * np.array([1, 1, 0, 1])
    delay, azimuth = rng.uniform(0, 1e-6, (3, 4)), rng.uniform(-1, 1, (3, 4))
    lists = {"amplitude": amplitude, "delay": delay, "azimuth": azimuth}
    np.savez(tmp_path / "paths.npz", **lists)
    array = antenna_array.parse("ula:5")
    found = rows(tmp_path / "paths.npz", array=array)[:, 0, 0, 0]
    phase = np.sin(azimuth)[..., None, None] * np.arange(5)[:, None] / 2
    phase = phase + delay[..., None, None] * frequencies()
    waves = amplitude[..., None, None] * np.exp(-2j * np.pi * phase)
    close(found, waves.sum(axis=1))
    with pytest.raises(ValueError, match="give the base station's --array"):
        rows(tmp_path / "paths.npz")


def test_what_is_missing_is_named(tmp_path):
    write_deepmimo(tmp_path / "city", 2)
    for name in ("power", "phase", "delay", "aod_az", "aod_el"):
        path = tmp_path / "city" / f"{name}_t001_tx000_r000.npz"
        (tmp_path / "city" / f"{name}_t001_tx001_r000.npz").write_bytes(
            path.read_bytes()
        )
    with pytest.raises(ValueError, match="--key=one of t001_tx000_r000, t001_tx001"):
        rows(tmp_path / "city", array=antenna_array.parse("ula:4"))
    chosen = {"key": "t001_tx001_r000", "array": antenna_array.parse("ula:4")}
    assert rows(tmp_path / "city", **chosen).shape[4] == 4
    with pytest.raises(ValueError, match="give the grid with --subcarriers and --band"):
        sources.Sources([tmp_path / "city"], Layout("paths", key="t001_tx001_r000"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="power_t001_tx000_r002.npz"):
        rows(tmp_path / "empty")


@pytest.mark.parametrize("batched", [True, False])
def test_sionna_in_real_and_imaginary_parts(tmp_path, batched):
    a, tau = write_sionna(tmp_path / "cir.npz", 4, times=2)
    if not batched:
        a, tau = a[:, 0], tau[:, 0]
        np.savez(tmp_path / "cir.npz", a=a, tau=tau)
    expected = rows(tmp_path / "cir.npz")
    np.savez(tmp_path / "cir.npz", a=(a.real, a.imag), tau=tau)
    close(rows(tmp_path / "cir.npz"), expected)
    np.savez(tmp_path / "cir.npz", a=a.real, tau=tau)
    with pytest.raises(ValueError, match="cir.npz: real Sionna arrays .*'numpy'"):
        rows(tmp_path / "cir.npz")


@pytest.mark.parametrize("axes", [3, 2])
def test_one_quadriga_snapshot_with_individual_delays(tmp_path, axes):
    """MATLAB drops the last axes of length 1: of snapshots, and of paths."""
    coeff, delay = write_quadriga(tmp_path / "c.mat", 1, own_delays=True)
    if axes == 2:
        coeff, delay = coeff[:, :, :1], delay[:, :, :1]
    short = {"coeff": coeff.reshape(coeff.shape[:axes])}
    short["delay"] = delay.reshape(delay.shape[:axes])
    np.savez(tmp_path / "c.npz", **short)
    turns = np.exp(-2j * np.pi * delay[..., 0, None] * frequencies())
    expected = (coeff[..., 0, None] * turns).sum(axis=2)
    close(rows(tmp_path / "c.npz")[0, 0, :, 0], expected)


def test_arrays_that_do_not_belong_together_are_named(tmp_path):
    a, tau = write_sionna(tmp_path / "cir.npz", 4)
    wrong = [(a, tau[:3]), (a, tau[..., :2]), (a[0, 0], tau), (a, tau[..., None])]
    for gain, delay in [*wrong, (a[:0], tau[:0])]:
        np.savez(tmp_path / "cir.npz", a=gain, tau=delay)
        with pytest.raises(ValueError, match="cir.npz: Sionna arrays of shapes a"):
            rows(tmp_path / "cir.npz")
    x = np.ones((5, 3))
    np.savez(tmp_path / "l.npz", amplitude=x, delay=x, azimuth=x, elevation=x[:4])
    with pytest.raises(ValueError, match=r"elevation \(4, 3\); expected \[sample, pa"):
        rows(tmp_path / "l.npz", array=antenna_array.parse("ula:4"))
    coeff, delay = write_quadriga(tmp_path / "c.mat", 4)
    np.savez(tmp_path / "c.npz", coeff=coeff, delay=delay[:, :3])
    with pytest.raises(ValueError, match="c.npz: QuaDRiGa arrays of shapes coeff"):
        rows(tmp_path / "c.npz")


def test_one_batch_of_many_receivers_is_cut(tmp_path, monkeypatch):
    a, tau = write_sionna(tmp_path / "cir.npz", 2)
    expected = rows(tmp_path / "cir.npz")
    one = {"a": a.reshape(1, 4, *a.shape[2:]), "tau": tau.reshape(1, 4, 1, -1)}
    np.savez(tmp_path / "cir.npz", **one)
    monkeypatch.setattr(sources, "MOST_ROWS", 3)
    found = sources.Sources([tmp_path / "cir.npz"], Layout(**GRID))
    blocks = list(found.blocks(SUBCARRIERS))
    assert [len(block.h) for block in blocks] == [3, 1]
    assert [block.unit.tolist() for block in blocks] == [[0, 0, 0], [0]]
    close(np.concatenate([block.h for block in blocks]), expected)
    monkeypatch.setattr(sources, "BLOCK_BYTES", 16 * 8 * SUBCARRIERS * 2)
    assert [len(block.h) for block in found.blocks(SUBCARRIERS)] == [2, 2]


def test_many_paths_are_counted(tmp_path, monkeypatch):
    x = np.ones((6, 100))
    np.savez(tmp_path / "l.npz", amplitude=x, delay=0 * x, azimuth=0 * x)
    array = antenna_array.parse("ula:2")
    found = sources.Sources([tmp_path / "l.npz"], Layout(**GRID, array=array))
    monkeypatch.setattr(sources, "BLOCK_BYTES", 16 * 100 * 100 * 3)
    assert [len(block.h) for block in found.blocks(SUBCARRIERS)] == [3, 3]


def test_flags_that_would_do_nothing_are_refused(tmp_path):
    write_sionna(tmp_path / "cir.npz", 2)
    with pytest.raises(ValueError, match="--axes=nonsense: --domain=paths has the"):
        rows(tmp_path / "cir.npz", axes="nonsense")
    for bandwidth in (np.nan, np.inf, -1):
        with pytest.raises(ValueError, match="--bandwidth_hz=.*a positive number"):
            Layout(**GRID | {"bandwidth_hz": bandwidth})
