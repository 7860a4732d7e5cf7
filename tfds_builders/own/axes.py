"""Which axis of an array is what, and the one order in which all are worked on.

Canonical: complex `[rows, time, rx, pol, antenna, column]`, a row for each sample and
group, column the subcarrier or the delay. What a file lacks has length 1.
"""

from __future__ import annotations

import numpy as np

COLUMNS = {"frequency": "subcarrier", "taps": "delay", "angle_delay": "delay"}
ELEMENTS = {"frequency": "antenna", "taps": "antenna", "angle_delay": "angle"}
OPTIONAL = ("group", "time", "rx", "pol", "reim")


def parse(text: str, domain: str) -> tuple[str, ...]:
    """Names of the axes in `--axes`; () where nothing is said.

    Raises:
      ValueError: a name that the domain has not, one twice, or one missing.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    needed = ("sample", ELEMENTS[domain], COLUMNS[domain])
    known = (*needed, *OPTIONAL)
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ValueError(
            f"--axes={text}: {wrong[0]!r} is no axis of --domain={domain}, expected "
            f"some of {', '.join(known)}"
        )
    missing = [name for name in needed if names and name not in names]
    if missing or len(set(names)) < len(names):
        said = f"no {missing[0]!r}" if missing else "an axis twice"
        raise ValueError(
            f"--axes={text} has {said}: --domain={domain} takes {', '.join(needed)} "
            "once each"
        )
    return names


def resolve(
    names: tuple[str, ...], shape: tuple[int, ...], is_complex: bool, domain: str
) -> tuple[str, ...]:
    """Name every axis of an array.

    Args:
      names: as `parse` gives them.
      shape: of the array.
      is_complex: or real, with an axis of length 2 for the two parts.
      domain: 'frequency', 'taps' or 'angle_delay'.

    Returns:
      Names as many as the array has axes, 'reim' among them where it is real.

    Raises:
      ValueError: names and shape do not fit.
    """
    rank = len(shape)
    if not names:
        plain = rank - (not is_complex)
        middle = {3: (), 4: ("rx",)}.get(plain)
        if middle is None:
            raise ValueError(
                f"an array of shape {shape}: say what its axes are, such as "
                f"--axes=sample,{ELEMENTS[domain]},{COLUMNS[domain]}"
            )
        names = ("sample", *middle, ELEMENTS[domain], COLUMNS[domain])
    if not is_complex and "reim" not in names:
        names = _with_parts(names, shape)
    said = ",".join(names)
    if len(names) != rank or (is_complex and "reim" in names):
        kind = "complex" if is_complex else "real"
        raise ValueError(
            f"--axes={said} names {len(names)} axes, the {kind} array has shape "
            f"{shape}: name each axis once, reim only of real arrays"
        )
    if not is_complex and shape[names.index("reim")] != 2:
        raise ValueError(
            f"--axes={said}: the axis reim of an array of shape {shape} has length "
            f"{shape[names.index('reim')]}, expected 2 (real, imaginary)"
        )
    return names


def _with_parts(names: tuple[str, ...], shape: tuple[int, ...]) -> tuple[str, ...]:
    """Find the axis of real and imaginary parts: the last, or the one after sample."""
    behind = names.index("sample") + 1
    places = {
        place
        for place in (behind, len(shape) - 1)
        if place < len(shape) and shape[place] == 2
    }
    if len(shape) != len(names) + 1 or len(places) != 1:
        raise ValueError(
            f"a real array of shape {shape}: expected one axis of length 2 (real, "
            "imaginary) behind the samples or at the end; name it reim in --axes"
        )
    place = places.pop()
    return (*names[:place], "reim", *names[place:])


def canonical(part: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Bring a part of an array into the order of this module, complex."""
    if "reim" in names:
        parts = np.moveaxis(part, names.index("reim"), 0)
        part = combined(parts[0], parts[1])
        names = tuple(name for name in names if name != "reim")
    order = ("sample", "group", "time", "rx", "pol")
    element = "angle" if "angle" in names else "antenna"
    column = "delay" if "delay" in names else "subcarrier"
    axes = [names.index(x) for x in (*order, element, column) if x in names]
    part = part.transpose(axes)
    absent = [place for place, name in enumerate(order) if name not in names]
    part = np.expand_dims(part, absent)
    rows = part.shape[0] * part.shape[1]
    part = part.reshape(rows, *part.shape[2:])
    return part.astype(np.result_type(part, np.complex64), copy=False)


def combined(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    """Complex values of two parts, infinite ones too: `1j * inf` would be NaN."""
    h = np.empty(real.shape, np.result_type(real, imag, np.complex64))
    h.real, h.imag = real, imag
    return h
