"""Reading of the published COST2100 `.mat` files, MATLAB v5, v7 and v7.3."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from tfds_builders import transforms
from tfds_builders.untrusted import hdf5
from tfds_builders.untrusted import mat_files as matlab

NUM_ANGLE, NUM_DELAY, NUM_SUBCARRIERS = 32, 32, 125
GRID = 257  # points of the band that `HF_all` has the first of
BLOCK = 1000  # samples at once
LEAST_CORRELATION = 0.1  # of `HF_all` with the responses of `HT`, to be scaled by it


def read_csi(path: Path) -> np.ndarray:
    """Read key `HT`: angular-delay CSI in [0, 1], 0.5 = zero.

    A row holds 1024 real parts, then 1024 imaginary parts, each 32 angle x 32 delay in
    row-major order (delay runs fastest: the published evaluators zero-pad the last
    axis and transform it to frequency).

    Args:
      path: a `DATA_H{train,val,test}{in,out}.mat` file.

    Returns:
      float32 `[rows, 32 angle, 32 delay, 2 (re, im)]`.

    Raises:
      FileNotFoundError: no such file.
      ValueError: a damaged file, a wrong key, width or type, NaN, Inf, values outside
        [0, 1] or a channel of zeros; the message names the file, what was found and
        what was expected.
    """
    rows = _read_rows(path, "HT", 2 * NUM_ANGLE * NUM_DELAY, "real")
    low, high = rows.min(), rows.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"{path}: HT holds values from {low:.4g} to {high:.4g}, expected [0, 1]"
            f" with 0.5 for zero; put the file as published into {path.parent}"
        )
    zero = np.flatnonzero((rows == 0.5).all(axis=1))
    if zero.size:
        raise ValueError(
            f"{path}: HT is a channel of zeros in {zero.size} of {len(rows)} rows, "
            f"first in row {zero[0]}, their NMSE has no meaning; put the file without "
            f"them into {path.parent}"
        )
    parts = rows.astype(np.float32, order="C")
    return parts.reshape(-1, 2, NUM_ANGLE, NUM_DELAY).transpose(0, 2, 3, 1)


def read_frequency(path: Path) -> np.ndarray:
    """Read key `HF_all`: angle-frequency CSI of the test set, zero-centred.

    A row holds 32 angles x 125 subcarriers in row-major order, the first 125 of a
    257-point grid over the band. The first axis is the angle domain: the published
    evaluators compare it with the angular-delay CSI transformed along delay only.

    Args:
      path: a `DATA_HtestF{in,out}_all.mat` file.

    Returns:
      float32 `[rows, 32 angle, 125 subcarriers, 2 (re, im)]`.

    Raises:
      FileNotFoundError: no such file.
      ValueError: as `read_csi`, except that values are not confined to [0, 1].
    """
    rows = _read_rows(path, "HF_all", NUM_ANGLE * NUM_SUBCARRIERS, "complex")
    pairs = rows.astype(np.complex64, order="C").view(np.float32)
    return pairs.reshape(-1, NUM_ANGLE, NUM_SUBCARRIERS, 2)


def frequency_scale(csi: np.ndarray, csi_freq: np.ndarray) -> float:
    """Factor that puts `HF_all` on the scale of `HT`; the files do not give it.

    `HT` was scaled by one constant, `HF_all` by another or none. `HF_all` holds a
    multiple of the responses of the taps (unitary DFT of 257 points), and what the
    truncation of delays took. The factor is that multiple's inverse, by least squares.

    Args:
      csi: of `read_csi`.
      csi_freq: of `read_frequency`, the same samples.

    Returns:
      1 where the two are not alike (correlation below 0.1), for then no factor means
      anything.
    """
    inner = energy = other_energy = 0.0
    for begin in range(0, len(csi), BLOCK):
        block = slice(begin, begin + BLOCK)
        taps = transforms.from_unit_range(csi[block], 1.0)
        own = transforms.delay_to_frequency(taps, GRID, NUM_SUBCARRIERS)
        other = csi_freq[block, ..., 0] + 1j * csi_freq[block, ..., 1]
        inner += np.sum(own.conj() * other, dtype=np.complex128).real
        energy += np.sum(np.abs(own) ** 2, dtype=np.float64)
        other_energy += np.sum(np.abs(other) ** 2, dtype=np.float64)
    alike = inner > LEAST_CORRELATION * np.sqrt(energy * other_energy)
    return float(energy / inner) if alike else 1.0


def _read_rows(path: Path, key: str, width: int, kind: str) -> np.ndarray:
    """Return a finite `[rows, width]` matrix, real or complex as `kind` says."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file, expected a MATLAB file with the key {key}; download"
            f" it and put it into {path.parent}"
        )
    expected = f"expected {key} of shape (rows, {width}), {kind}"
    advice = f"put the file as published into {path.parent}"
    shapes = _guard(_shapes, path)
    if key not in shapes:
        found = ", ".join(sorted(shapes)) or "none"
        raise ValueError(f"{path}: found the keys {found}, {expected}; {advice}")
    shape = shapes[key]
    if len(shape) != 2 or shape[0] < 1 or shape[1] != width:
        raise ValueError(f"{path}: found {key} of shape {shape}, {expected}; {advice}")
    rows = _guard(_load, path, key)
    kinds = "c" if kind == "complex" else "fiu"
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in kinds:
        found = f"{type(rows).__name__} of {rows.dtype}"
        raise ValueError(f"{path}: found {key} as {found}, {expected}; {advice}")
    _check_finite(path, key, rows)
    return rows


def _guard(read, path: Path, *args):
    """Call `read(path, *args)`, naming the file whatever goes wrong inside it.

    Depending on where a file is cut, SciPy and h5py raise OSError, IndexError,
    TypeError, ValueError, NotImplementedError, zlib.error or an own exception.
    """
    try:
        return read(path, *args)
    except MemoryError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path}: truncated, damaged or not a MATLAB file, {path.stat().st_size}"
            f" bytes ({type(error).__name__}: {reason}), expected MATLAB v5, v7 or"
            f" v7.3; download it again into {path.parent}"
        ) from error


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and MATLAB shapes of the arrays of a file, without reading them."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            arrays = hdf5.numbers(file, path)
            return {key: array.shape[::-1] for key, array in arrays.items()}
    return matlab.shapes(path)


def _load(path: Path, key: str) -> np.ndarray:
    if not h5py.is_hdf5(path):
        return matlab.read_one(path, key)
    with h5py.File(path) as file:
        # v7.3 stores the axes in reverse order.
        array = hdf5.numbers(file, path)[key][()].T
    if array.dtype.names == ("real", "imag"):
        return array["real"] + 1j * array["imag"]
    return array


def _check_finite(path: Path, key: str, rows: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(rows.sum(axis=1)))
    if bad.size:
        raise ValueError(
            f"{path}: {key} holds NaN or Inf in {bad.size} of {len(rows)} rows, first"
            f" in row {bad[0]}, expected finite numbers; download it again into"
            f" {path.parent}"
        )
