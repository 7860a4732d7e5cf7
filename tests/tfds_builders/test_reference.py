"""References: path lists and channels from files, right and wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders.cost2100_sim import simulator
from tfds_builders.reference import PATH_ARRAYS, load_reference

METADATA = {"carrier_hz": 5.3e9, "bandwidth_hz": 20e6, "num_subcarriers": 1024}


def white(num, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((num, 32, 32)) + 1j * rng.standard_normal((num, 32, 32))


def save_paths(file, paths, **changes):
    """Write drops of the simulator as path lists."""
    used = np.arange(paths.azimuth.shape[1]) < paths.num_paths[:, None]
    arrays = {name: getattr(paths, name)[used] for name in PATH_ARRAYS}
    arrays |= {"num_paths": paths.num_paths, **changes}
    np.savez(file, **{k: v for k, v in arrays.items() if v is not None})
    return file


@pytest.fixture(scope="module")
def paths():
    return simulator.paths("indoor", 60, seed=4)


def test_path_lists_are_seen_in_the_band_of_the_data_set(paths, tmp_path):
    reference = load_reference(save_paths(tmp_path / "paths.npz", paths))
    expected = simulator.taps(paths)
    np.testing.assert_array_equal(reference.channels((32, 32), METADATA), expected)
    wrapped = reference.channels((32, 32), {**METADATA, "last_taps": 3})
    np.testing.assert_array_equal(wrapped[..., :29], expected[..., :29])
    taps = simulator.taps(paths, 1024)
    np.testing.assert_allclose(wrapped[..., 29:], taps[..., -3:], atol=1e-6)
    with pytest.raises(ValueError, match="paths, and .* no bandwidth_hz, num_subcarr"):
        reference.channels((32, 32), {"carrier_hz": 1e9})


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_channels_as_reference(suffix, tmp_path):
    file, h = tmp_path / f"h.{suffix}", white(3)
    np.save(file, h) if suffix == "npy" else np.savez(file, h=h, other=1)
    reference = load_reference(file)
    np.testing.assert_array_equal(reference.channels((32, 32), {}), h)
    with pytest.raises(
        ValueError, match=r"h.np. *: h has shape \(3, 32, 32\).*16 taps"
    ):
        reference.channels((32, 16), {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"delay": None, "amplitude": None},
            "found .*num_paths.*delay, amplitude are m",
        ),
        ({"delay": np.zeros(7)}, r"delay is float64 \(7,\), expected .* all \d+ paths"),
        ({"azimuth": np.zeros(3, int)}, "azimuth is int64"),
        ({"num_paths": np.ones(3)}, r"num_paths is float64 \(3,\)"),
        ({"h": np.ones((4, 32, 32))}, "h is float64 .* expected complex"),
        ({"h": np.ones((4, 32), complex)}, r"h is complex128 \(4, 32\)"),
        ({"h": np.full((4, 32, 32), np.inf + 0j)}, "h holds NaN or inf"),
        ({"h": np.array([{}])}, "no whole .npy or .npz"),
    ],
)
def test_wrong_arrays_in_a_reference(paths, tmp_path, changes, words):
    file = save_paths(tmp_path / "paths.npz", paths, **changes)
    with pytest.raises(ValueError, match=f"paths.npz.*{words}"):
        load_reference(file)


def test_nan_and_empty_drops_in_a_reference(paths, tmp_path):
    zeros = np.zeros(paths.num_paths.sum())
    with pytest.raises(ValueError, match="delay holds NaN"):
        load_reference(save_paths(tmp_path / "nan.npz", paths, delay=zeros + np.nan))
    counts = paths.num_paths.copy()
    counts[3:6] = counts[3:6].sum(), 0, 0
    empty = load_reference(save_paths(tmp_path / "some.npz", paths, num_paths=counts))
    with pytest.raises(ValueError, match="some.npz: 2 of 60 drops .* is number 4"):
        empty.channels((32, 32), METADATA)
    np.save(tmp_path / "h.npy", np.zeros((9, 32, 32), complex))
    with pytest.raises(ValueError, match="h.npy: 9 of 9 samples are all zero"):
        load_reference(tmp_path / "h.npy").channels((32, 32), METADATA)


@pytest.mark.parametrize("content", [b"", b"azimuth, delay\n", b"PK\x03\x04broken"])
def test_files_that_are_no_arrays(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match="x.npz is no whole .npy or .npz"):
        load_reference(tmp_path / "x.npz")
