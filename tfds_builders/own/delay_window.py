"""Which delay taps are kept: the first and, circularly, the last ones."""

from __future__ import annotations

import numpy as np


def parse(text: str) -> int | float:
    """Read `--delays`: a number of taps, or a share of the energy.

    Returns:
      An integer number of taps (0: all of them), or a float share below 1.

    Raises:
      ValueError: another text.
    """
    kind, _, share = text.partition(":")
    try:
        if kind == "energy" and 0 < float(share) < 1:
            return float(share)
        if not share and (kind == "all" or int(kind) > 0):
            return 0 if kind == "all" else int(kind)
    except ValueError:
        pass
    raise ValueError(
        f"--delays={text}: expected a number of taps, energy:SHARE or all, such as 32 "
        "or energy:0.99"
    )


def check(wanted: int | float, num_subcarriers: int) -> None:
    """Refuse more taps than there are.

    Raises:
      ValueError: there are fewer.
    """
    if isinstance(wanted, int) and wanted > num_subcarriers:
        raise ValueError(
            f"--delays={wanted}: the channels have {num_subcarriers} delay taps, as "
            f"many as subcarriers; ask for fewer, or --delays=all"
        )


def find(profile: np.ndarray, wanted: int | float) -> tuple[int, int]:
    """Numbers of first and last taps of the best window.

    A window goes from so many taps before delay zero, which a DFT puts at the end, to
    so many after it.

    Args:
      profile: mean share of the energy in each of all taps, `[N_c]`.
      wanted: as `parse` gives it.

    Returns:
      First and last taps: those windows of `wanted` taps, or the shortest one that
      holds the share `wanted`, with the most energy; of equal ones with the fewest
      last taps.
    """
    count = len(profile)
    if isinstance(wanted, int):
        taps = wanted or count
        return (count, 0) if taps == count else _best(profile, taps)[:2]
    for taps in range(1, count + 1):
        first, last, kept = _best(profile, taps)
        if kept >= wanted * profile.sum():
            return first, last
    return count, 0


def _best(profile: np.ndarray, taps: int) -> tuple[int, int, float]:
    """First and last taps of the best window of so many taps, and what it holds."""
    from_start = np.concatenate([[0], np.cumsum(profile)])
    from_end = np.concatenate([[0], np.cumsum(profile[::-1])])
    last = np.arange(taps)  # at least one tap from delay zero on
    kept = from_start[taps - last] + from_end[last]
    best = int(np.argmax(kept > kept.max() * (1 - 1e-12)))
    return taps - best, best, float(kept[best])
