"""Arrays of paths in files: which simulator's they are, and whether they fit.

| layout | arrays | what they are |
|---|---|---|
| Sionna | `a`, `tau` | `[batch, rx, rx_ant, tx, tx_ant, path, time]`, without batch of its ray tracer, complex or the pair (real, imaginary) of Dr.Jit; `[batch, rx, tx, path]`, or with antennas |
| QuaDRiGa | `coeff`, `delay` | `[rx_ant, tx_ant, path, snapshot]`; `[path, snapshot]`, or with antennas |
| DeepMIMO 4 | `power` dBW, `phase` deg, `delay` s, `aod_az`, `aod_el` deg | `[user, path]`, NaN for no path, aod_el from the zenith |
| lists | `amplitude` complex, `delay` s, `azimuth`, `elevation` rad | `[sample, path]`, elevation from the horizon, 0 where it is missing |
"""  # noqa: E501

from __future__ import annotations

from tfds_builders.own.array_files import StoredArray

LAYOUTS = {
    "Sionna": ("a", "tau"),
    "QuaDRiGa": ("coeff", "delay"),
    "DeepMIMO": ("power", "phase", "delay", "aod_az", "aod_el"),
    "lists": ("amplitude", "delay", "azimuth"),
}
SHAPES = {
    "Sionna": "a complex [batch, rx, rx_ant, tx, tx_ant, path, time] or without batch, "
    "as cir(out_type='numpy') gives it, and tau [batch, rx, tx, path] or with antennas",
    "QuaDRiGa": "coeff [rx_ant, tx_ant, path, snapshot] and delay [path, snapshot] or "
    "as coeff",
}


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


def check(layout: str, arrays: dict[str, StoredArray], where: str) -> int:
    """Compare the shapes with those of the layout, before anything is read.

    Args:
      layout: of `LAYOUTS`.
      arrays: of the layout; axes of length 1 that MATLAB drops are appended.
      where: the file, for messages.

    Returns:
      How many entries the axis has that is read in pieces.

    Raises:
      ValueError: other shapes, or empty ones; the message names the file.
    """
    used = [arrays[name] for name in names_of(layout, arrays)]
    checks = {"Sionna": _fits_sionna, "QuaDRiGa": _fits_quadriga}
    if not checks.get(layout, _fits_lists)(arrays, used) or not all(
        min(stored.shape) for stored in used
    ):
        shapes = ", ".join(f"{n} {arrays[n].shape}" for n in names_of(layout, arrays))
        kind = "" if arrays[LAYOUTS[layout][0]].is_complex else "real "
        raise ValueError(
            f"{where}: {kind}{layout} arrays of shapes {shapes}; expected "
            f"{SHAPES.get(layout, '[sample, path], all the same')}, not empty"
        )
    if layout == "Sionna":
        return used[0].shape[1 if is_in_parts(arrays) else 0]
    return used[0].shape[3 if layout == "QuaDRiGa" else 0]


def names_of(layout: str, arrays: dict[str, StoredArray]) -> list[str]:
    """Arrays of a layout, those that may be missing where they are there."""
    names = list(LAYOUTS[layout])
    return names + ["elevation"] * (layout == "lists" and "elevation" in arrays)


def is_in_parts(arrays: dict[str, StoredArray]) -> bool:
    """Whether Sionna's gains are a pair of real and imaginary parts."""
    return not arrays["a"].is_complex


def _fits_sionna(arrays: dict[str, StoredArray], _) -> bool:
    gain, delay = arrays["a"].shape, arrays["tau"].shape
    if is_in_parts(arrays):
        parts, *gain = gain
        if parts != 2:
            return False
    if len(gain) not in (6, 7):
        return False
    *batch, rx, rx_ant, tx, tx_ant, path, _ = gain
    short, full = (*batch, rx, tx, path), (*batch, rx, rx_ant, tx, tx_ant, path)
    if len(delay) == len(short):
        return delay == short
    return len(delay) == len(full) and all(
        have == wanted or (have == 1 and place - len(batch) in (1, 3))
        for place, (have, wanted) in enumerate(zip(delay, full, strict=True))
    )


def _fits_quadriga(arrays: dict[str, StoredArray], _) -> bool:
    gain, delay = arrays["coeff"], arrays["delay"]
    gain.pad(4)
    delay.pad(2)
    if len(gain.shape) == 4 and delay.shape != gain.shape[2:]:
        delay.pad(4)  # individual delays, of one snapshot perhaps
    return len(gain.shape) == 4 and delay.shape in (gain.shape, gain.shape[2:])


def _fits_lists(_, used: list[StoredArray]) -> bool:
    return len(used[0].shape) == 2 and len({stored.shape for stored in used}) == 1
