"""Propagation paths and impulse responses -> frequency responses.

    H(f_k) = sum over paths of gain exp(-j 2 pi f_k delay),  f_k = (k - N_c // 2) spacing

The gain of a path is that at the carrier, in the middle of the grid.
Layouts of the arrays: `path_layouts`.
"""  # noqa: E501

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfds_builders.own.antenna_array import AntennaArray
from tfds_builders.own.array_files import StoredArray
from tfds_builders.own.axes import combined
from tfds_builders.own.path_layouts import is_in_parts, names_of

ALL = slice(None)


class Cir(NamedTuple):
    """Paths of some samples.

    Attributes:
      gain: complex `[rows, time, rx, antenna, path]`.
      delay: s, the same axes, of length 1 where it does not depend on them.
    """

    gain: np.ndarray
    delay: np.ndarray


def read(
    layout: str, arrays: dict[str, StoredArray], part: slice, array: AntennaArray | None
) -> Cir:
    """Paths of a part of the samples.

    Args:
      layout: of `path_layouts.LAYOUTS`.
      arrays: of the layout, as `path_layouts.check` leaves them.
      part: of the axis that `path_layouts.check` counts.
      array: of the base station; needed where paths have angles.

    Raises:
      ValueError: no array.
    """
    if layout == "Sionna":
        return _sionna(arrays, part)
    if layout == "QuaDRiGa":
        return _quadriga(arrays, part)
    if array is None:
        raise ValueError(
            "paths with angles: give the base station's --array, such as ula:32"
        )
    return _angles(layout, arrays, part, array)


def response(cir: Cir, frequencies: np.ndarray) -> np.ndarray:
    """Frequency response, complex128 `[rows, time, rx, antenna, frequency]`.

    Args:
      cir: paths.
      frequencies: Hz from the carrier.
    """
    *axes, paths = cir.gain.shape
    if cir.delay.shape[1:4] == (1, 1, 1):
        rows = axes[0]
        turns = np.exp(-2j * np.pi * cir.delay[..., None] * frequencies)
        h = cir.gain.reshape(rows, -1, paths) @ turns.reshape(rows, paths, -1)
        return h.reshape(*axes, -1)
    h = np.zeros((*axes, len(frequencies)), complex)
    for path in range(paths):  # all at once would take so many times the memory
        turns = np.exp(-2j * np.pi * cir.delay[..., path, None] * frequencies)
        h += cir.gain[..., path, None] * turns
    return h


def _sionna(arrays: dict[str, StoredArray], part: slice) -> Cir:
    a, tau = arrays["a"], arrays["tau"]
    if is_in_parts(arrays):
        real, imag = a[(ALL, part, *[ALL] * (len(a.shape) - 2))]
        gain = combined(real, imag)
    else:
        gain = a[(part, *[ALL] * (len(a.shape) - 1))]
    delay = tau[(part, *[ALL] * (len(tau.shape) - 1))]
    if gain.ndim == 6:  # the ray tracer's: its receivers are the samples
        gain, delay = gain[:, None], delay[:, None]
    gain = gain.transpose(0, 1, 3, 6, 2, 4, 5)  # batch rx tx, time rx_ant tx_ant path
    gain = gain.reshape(-1, *gain.shape[3:])
    if delay.ndim == 4:
        delay = delay.reshape(-1, 1, 1, 1, delay.shape[-1])
    else:
        delay = delay.transpose(0, 1, 3, 2, 4, 5)
        delay = delay.reshape(-1, 1, *delay.shape[3:])
    return Cir(gain.astype(np.complex128), delay.astype(np.float64))


def _quadriga(arrays: dict[str, StoredArray], part: slice) -> Cir:
    gain = arrays["coeff"][(ALL, ALL, ALL, part)].transpose(3, 0, 1, 2)[:, None]
    if len(arrays["delay"].shape) == 2:
        delay = arrays["delay"][(ALL, part)].T[:, None, None, None]
    else:
        delay = arrays["delay"][(ALL, ALL, ALL, part)].transpose(3, 0, 1, 2)[:, None]
    return Cir(gain.astype(np.complex128), delay.astype(np.float64))


def _angles(
    layout: str, arrays: dict[str, StoredArray], part: slice, array: AntennaArray
) -> Cir:
    values = {  # single precision would cost six digits of the phases
        name: arrays[name][(part, ALL)] + np.float64(0)
        for name in names_of(layout, arrays)
    }
    if layout == "DeepMIMO":
        level, phase = values["power"], np.radians(values["phase"])
        gain = 10 ** (level / 20) * np.exp(1j * phase)
        angles = np.radians(values["aod_az"]), np.radians(values["aod_el"])
        unused = np.isnan(gain)
    else:
        gain = values["amplitude"]
        elevation = values.get("elevation", np.zeros(gain.shape))
        angles = values["azimuth"], np.pi / 2 - elevation
        unused = gain == 0
    delay, *angles = (np.where(unused, 0, x) for x in (values["delay"], *angles))
    gain = np.where(unused, 0, gain)[..., None] * array.response(*angles)
    gain = np.swapaxes(gain, 1, 2)[:, None, None]
    return Cir(gain.astype(np.complex128), delay[:, None, None, None].astype(float))
