"""Reference channels to compare a data set with, from a NumPy file.

Two kinds of file:

* path lists, `.npz`: `num_paths [drops]` and the paths of all drops end to end,
  `azimuth`, `elevation` [rad at the BS, azimuth from broadside of the array], `delay`
  [s], `amplitude` (complex, at delay zero);
* channels: complex `h [n, N_t beams, N_a taps]`, as an `.npy` or as `h` of an `.npz`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tfds_builders import statistics, synthesis
from tfds_builders.untrusted import numpy_files

PATH_ARRAYS = ("azimuth", "elevation", "delay", "amplitude")


@dataclasses.dataclass(frozen=True)
class Reference:
    """Path lists (`num_paths` and `paths`), or channels `h`."""

    file: Path
    num_paths: np.ndarray | None = None
    paths: dict[str, np.ndarray] | None = None
    h: np.ndarray | None = None

    def channels(self, shape: tuple[int, int], metadata: dict) -> np.ndarray:
        """Angle-delay taps as a data set has them, complex `[n, N_t, N_a]`.

        Paths are seen by a half-wavelength array of N_t elements in the band of the
        data set.

        Args:
          shape: N_t beams and N_a taps of the data set.
          metadata: of the data set; `carrier_hz`, `bandwidth_hz`, `num_subcarriers` and
            `last_taps` (of the N_a, by default none) apply to paths.

        Raises:
          ValueError: channels of another shape or without energy, metadata without the
            band.
        """
        h = self._taps(shape, metadata) if self.h is None else self.h
        if h.shape[1:] != shape:
            raise ValueError(
                f"{self.file}: h has shape {h.shape}, the data set {shape[0]} beams and"
                f" {shape[1]} taps; give h [n, {shape[0]}, {shape[1]}]"
            )
        try:
            statistics.energy(h)
        except ValueError as error:
            raise ValueError(f"{self.file}: {error}") from error
        return h

    def _taps(self, shape: tuple[int, int], metadata: dict) -> np.ndarray:
        missing = {"carrier_hz", "bandwidth_hz", "num_subcarriers"} - set(metadata)
        if missing:
            raise ValueError(
                f"{self.file} holds paths, and the data set's metadata no"
                f" {', '.join(sorted(missing))} to see them in; give channels h instead"
            )
        bandwidth_hz = metadata["bandwidth_hz"]
        first_hz = metadata["carrier_hz"] - bandwidth_hz / 2
        band = synthesis.Band(first_hz, bandwidth_hz, metadata["num_subcarriers"])
        sine, delay, amplitude = self._padded()
        silent = ~amplitude.any(axis=1)
        if silent.any():
            raise ValueError(
                f"{self.file}: {silent.sum()} of {len(silent)} drops have no path with"
                f" power, the first is number {silent.argmax()}: remove them"
            )
        last = metadata.get("last_taps", 0)
        num_taps = (shape[1] - last, last)
        return synthesis.ula_taps(sine, delay, amplitude, band, shape[0], *num_taps)

    def _padded(self) -> list[np.ndarray]:
        """Sine, delay and amplitude as `[drops, most paths]`, zero where unused."""
        paths = self.paths
        sine = np.sin(paths["azimuth"]) * np.cos(paths["elevation"])
        used = np.arange(self.num_paths.max()) < self.num_paths[:, None]
        padded = []
        for values in (sine, paths["delay"], paths["amplitude"]):
            padded.append(np.zeros(used.shape, np.result_type(values, np.float64)))
            padded[-1][used] = values
        return padded


def load_reference(file: str | Path) -> Reference:
    """Read and check a reference file.

    Raises:
      FileNotFoundError: no such file.
      ValueError: neither path lists nor channels, or NaN in them; names what was found.
    """
    file = Path(file)
    arrays = _read(file)
    if "h" in arrays:
        h = arrays["h"]
        if h.dtype.kind != "c" or h.ndim != 3 or 0 in h.shape:
            raise ValueError(
                f"{file}: h is {h.dtype} {h.shape}, expected complex [n, beams, taps]"
            )
        _check_finite(file, "h", h)
        return Reference(file, h=h)
    missing = [name for name in ("num_paths", *PATH_ARRAYS) if name not in arrays]
    if missing:
        raise ValueError(
            f"{file}: found the arrays {', '.join(arrays) or 'none'}; expected 'h', or"
            f" path lists, of which {', '.join(missing)} are missing"
        )
    paths = {name: arrays[name] for name in PATH_ARRAYS}
    num_paths = arrays["num_paths"]
    _check_paths(file, num_paths, paths)
    return Reference(file, num_paths=num_paths, paths=paths)


def _read(file: Path) -> dict[str, np.ndarray]:
    """All arrays by name; the single one of an `.npy` is `h`."""
    loaded = numpy_files.load(file)
    return {"h": loaded} if isinstance(loaded, np.ndarray) else loaded


def _check_paths(
    file: Path, num_paths: np.ndarray, paths: dict[str, np.ndarray]
) -> None:
    if num_paths.dtype.kind not in "iu" or num_paths.ndim != 1 or not num_paths.size:
        raise ValueError(
            f"{file}: num_paths is {num_paths.dtype} {num_paths.shape}, expected the"
            " integer number of paths of each drop"
        )
    for name, values in paths.items():
        kinds = "fc" if name == "amplitude" else "f"
        if values.dtype.kind not in kinds or values.shape != (num_paths.sum(),):
            raise ValueError(
                f"{file}: {name} is {values.dtype} {values.shape}, expected the values"
                f" of all {num_paths.sum()} paths of num_paths end to end"
            )
        _check_finite(file, name, values)


def _check_finite(file: Path, name: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"{file}: {name} holds NaN or infinity: remove those drops")
