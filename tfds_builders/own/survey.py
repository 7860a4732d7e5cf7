"""A first look at all samples: what is wrong, whose they are, where the energy is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfds_builders import progress
from tfds_builders.own.channels import FAULTS, OUTSIDE, Channels
from tfds_builders.own.sources import Sources

LEAST_SHARE = 1e-6  # of its energy that a sample has in one kept tap at least


class Survey(NamedTuple):
    """What a first look at all samples says.

    Attributes:
      fault: `[all samples]` number of `FAULTS`.
      unit: `[all samples]` numbers in the files.
      group: `[readable samples]`, those of which a transform can be had.
      profile: mean share of their energy in each of the N_c delays.
      filled: `[readable samples, time, N_c / 8]` bits of the delays that hold
        `LEAST_SHARE` or more.
    """

    fault: np.ndarray
    unit: np.ndarray
    group: np.ndarray
    profile: np.ndarray
    filled: np.ndarray


def survey(channels: Channels) -> Survey:
    """Look at all samples once."""
    parts, profile = [], np.zeros(channels.num_subcarriers)
    with progress.bar(channels.num_samples, "looking", " samples") as shown:
        for found in channels.samples():
            power = (found.h.real**2 + found.h.imag**2).sum(axis=2)
            whole = power.sum(axis=1)
            profile += (whole / whole.sum(axis=1, keepdims=True)).sum(axis=0)
            least = LEAST_SHARE * power.sum(axis=2, keepdims=True)
            filled = np.packbits(power >= least, axis=2)
            parts.append((found.fault, found.fault_unit, found.group, filled))
            shown.update(len(found.fault))
    fault, unit, group, filled = map(np.concatenate, zip(*parts, strict=True))
    return Survey(fault, unit, group, profile / max(len(group), 1), filled)


def mark_outside(found: Survey, first: int, last: int) -> tuple[Survey, np.ndarray]:
    """Find the samples that have nothing in the first and last delays.

    What is left of them is rounding noise, and would be scaled up to an example. A
    sequence is one of them where one of its times is.

    Returns:
      The survey with their fault, and `[readable samples]` whether they are kept.
    """
    window = np.zeros(len(found.profile), bool)
    window[:first], window[len(window) - last :] = True, True
    inside = (found.filled & np.packbits(window)).any(axis=2).all(axis=1)
    fault = found.fault.copy()
    fault[np.flatnonzero(fault == 0)[~inside]] = OUTSIDE
    return found._replace(fault=fault), inside


def check_faults(found: Survey, sources: Sources, drop_bad: bool) -> dict[str, int]:
    """Refuse bad samples, or count what is dropped.

    Returns:
      Number of bad samples of each kind.

    Raises:
      ValueError: there are some, and they are not to be dropped; or only such.
    """
    counts, texts = {}, []
    for number in np.unique(found.fault[found.fault > 0]):
        bad = found.fault == number
        counts[FAULTS[number]] = int(bad.sum())
        first = sources.place(int(found.unit[bad.argmax()]))
        texts.append(f"{bad.sum()} {FAULTS[number]} (first {first})")
    said = f"{sum(counts.values())} of {len(found.fault)} samples: {', '.join(texts)}"
    if counts and not drop_bad:
        raise ValueError(f"bad samples, {said}; --drop_bad leaves them out")
    if (found.fault > 0).all():
        raise ValueError(f"no good sample, {said}; are --key and --axes right?")
    if counts:
        print(f"left out {said}")
    return counts
