"""Propagation paths and impulse responses -> frequency responses.

    H(f_k) = sum over paths of gain exp(-j 2 pi f_k delay),  f_k = (k - N_c // 2) spacing

The gain of a path is that at the carrier, in the middle of the grid.

| layout | arrays | what they are |
|---|---|---|
| Sionna | `a`, `tau` | `[batch, rx, rx_ant, tx, tx_ant, path, time]`, without batch of its ray tracer; `[batch, rx, tx, path]`, or with antennas |
| QuaDRiGa | `coeff`, `delay` | `[rx_ant, tx_ant, path, snapshot]`; `[path, snapshot]`, or with antennas |
| DeepMIMO 4 | `power` dBW, `phase` deg, `delay` s, `aod_az`, `aod_el` deg | `[user, path]`, NaN for no path, aod_el from the zenith |
| lists | `amplitude` complex, `delay` s, `azimuth`, `elevation` rad | `[sample, path]`, elevation from the horizon, 0 where it is missing |
"""  # noqa: E501

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfds_builders.own.antenna_array import AntennaArray
from tfds_builders.own.array_files import StoredArray

LAYOUTS = {
    "Sionna": ("a", "tau"),
    "QuaDRiGa": ("coeff", "delay"),
    "DeepMIMO": ("power", "phase", "delay", "aod_az", "aod_el"),
    "lists": ("amplitude", "delay", "azimuth"),
}
ALL = slice(None)


class Cir(NamedTuple):
    """Paths of some samples.

    Attributes:
      gain: complex `[rows, time, rx, antenna, path]`.
      delay: s, the same axes, of length 1 where it does not depend on them.
    """

    gain: np.ndarray
    delay: np.ndarray


def find(arrays: dict[str, StoredArray], key: str, where: str) -> tuple[str, dict]:
    """Which layout the arrays of a file have.

    Args:
      arrays: of a file, by name.
      key: the group of names in front of '/', where there are several.
      where: the file, for messages.

    Returns:
      Name of the layout, and its arrays by their own names.

    Raises:
      ValueError: none of `LAYOUTS`, or several.
    """
    prefixes = {name.rpartition("/")[0] for name in arrays}
    found = []
    for prefix in sorted(prefixes if not key else {key}):
        names = {
            name.rpartition("/")[2]: stored
            for name, stored in arrays.items()
            if name.rpartition("/")[0] == prefix
        }
        found += [
            (prefix, layout, names)
            for layout, needed in LAYOUTS.items()
            if set(needed) <= set(names)
        ]
    if len(found) == 1:
        return found[0][1:]
    if found:
        choice = ", ".join(prefix for prefix, *_ in found)
        raise ValueError(f"{where} holds several sets of paths: --key=one of {choice}")
    layouts = "; ".join(f"{name}: {', '.join(x)}" for name, x in LAYOUTS.items())
    raise ValueError(
        f"{where} holds {', '.join(sorted(arrays)) or 'no array'}, no paths; expected "
        f"the arrays of {layouts}"
    )


def num_units(layout: str, arrays: dict[str, StoredArray]) -> int:
    """How many entries the axis has that is read in pieces."""
    if layout == "QuaDRiGa":
        for name, rank in (("coeff", 4), ("delay", 2)):
            arrays[name].pad(rank)
        return arrays["coeff"].shape[3]
    return arrays[LAYOUTS[layout][0]].shape[0]


def read(
    layout: str, arrays: dict[str, StoredArray], part: slice, array: AntennaArray | None
) -> Cir:
    """Paths of a part of the samples.

    Args:
      layout: of `LAYOUTS`.
      arrays: of the layout.
      part: of the axis that `num_units` counts.
      array: of the base station; needed where paths have angles.

    Raises:
      ValueError: shapes that no such file has, or no array.
    """
    try:
        if layout == "Sionna":
            return _sionna(arrays, part)
        if layout == "QuaDRiGa":
            return _quadriga(arrays, part)
        if array is None:
            raise ValueError(
                "paths with angles: give the base station's --array, such as ula:32"
            )
        return _angles(layout, arrays, part, array)
    except (IndexError, np.exceptions.AxisError) as error:
        shapes = ", ".join(f"{n} {arrays[n].shape}" for n in LAYOUTS[layout])
        raise ValueError(
            f"{layout} arrays of shapes {shapes}: expected those of the documentation"
        ) from error


def response(cir: Cir, frequencies: np.ndarray) -> np.ndarray:
    """Frequency response, complex128 `[rows, time, rx, antenna, frequency]`.

    Args:
      cir: paths.
      frequencies: Hz from the carrier.
    """
    *axes, paths = cir.gain.shape
    turns = np.exp(-2j * np.pi * cir.delay[..., None] * frequencies)
    if cir.delay.shape[1:4] == (1, 1, 1):
        rows = axes[0]
        h = cir.gain.reshape(rows, -1, paths) @ turns.reshape(rows, paths, -1)
        return h.reshape(*axes, -1)
    return (cir.gain[..., None, :] @ turns)[..., 0, :]


def _sionna(arrays: dict[str, StoredArray], part: slice) -> Cir:
    a, tau = arrays["a"], arrays["tau"]
    batched = len(a.shape) == 7
    gain = a[(part, *[ALL] * (len(a.shape) - 1))]
    delay = tau[(part, *[ALL] * (len(tau.shape) - 1))]
    if not batched:  # the ray tracer's: its receivers are the samples
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
    delay = arrays["delay"]
    delay = delay[(*[ALL] * (len(delay.shape) - 1), part)]
    delay = delay.T[:, None, None, None] if delay.ndim == 2 else None
    if delay is None:
        delay = arrays["delay"][(ALL, ALL, ALL, part)].transpose(3, 0, 1, 2)[:, None]
    return Cir(gain.astype(np.complex128), delay.astype(np.float64))


def _angles(
    layout: str, arrays: dict[str, StoredArray], part: slice, array: AntennaArray
) -> Cir:
    values = {  # single precision would cost six digits of the phases
        name: arrays[name][(part, ALL)] + np.float64(0)
        for name in (*LAYOUTS[layout], "elevation")
        if name in arrays
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
