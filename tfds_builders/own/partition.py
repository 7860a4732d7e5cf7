"""Training, validation and test samples, groups never on two sides."""

from __future__ import annotations

import numpy as np

from tfds_builders.blocks import SPLITS


def parse(values: list[str]) -> tuple[float, float, float]:
    """Read `--split`: three shares that add up to one.

    Raises:
      ValueError: anything else.
    """
    try:
        shares = tuple(float(value) for value in values)
    except ValueError:
        shares = ()
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(
            f"--split={','.join(values)}: expected shares of {', '.join(SPLITS)} that "
            "add up to 1, such as 0.8,0.1,0.1"
        )
    return shares


def split(
    groups: np.ndarray, shares: tuple[float, float, float], seed: int
) -> np.ndarray:
    """Number of the split of each sample, `[n]`, see `blocks.SPLITS`.

    Groups in a random order fill the test split, then the validation split, without
    those that are too large for it; the rest is for training. Every split gets one
    group at least.

    Args:
      groups: `[n]` number of the group of each sample; alone where there are none.
      shares: of the samples.
      seed: of the order.

    Raises:
      ValueError: fewer than three groups.
    """
    known, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(known) < len(SPLITS):
        raise ValueError(
            f"{len(groups)} samples in {len(known)} groups: training, validation and "
            "test take one group each at least; give more samples, or smaller groups "
            "(without --group what is at one place of a file's sample axis is one, "
            "such as all receivers of a batch)"
        )
    split_of = np.zeros(len(known), np.int8)
    rest = np.random.default_rng(seed).permutation(len(known))
    for number in (2, 1):
        most = round(shares[number] * len(groups))
        taken = _fill(sizes[rest], most, len(rest) - number)
        split_of[rest[taken]] = number
        rest = np.delete(rest, taken)
    return split_of[members]


def _fill(sizes: np.ndarray, most: int, most_groups: int) -> list[int]:
    """Groups in their order that fit into so many samples, or else the smallest one."""
    taken, total = [], 0
    for place, size in enumerate(sizes.tolist()):
        if total + size <= most and len(taken) < most_groups:
            taken.append(place)
            total += size
    return taken or [int(sizes.argmin())]


def missed(split_of: np.ndarray, shares: tuple[float, float, float]) -> str:
    """Splits with less than half or more than twice their share; '' for none.

    Args:
      split_of: `[n]` as `split` gives it; -1 for samples that are in none.
      shares: that were asked for.
    """
    counts = np.array([np.sum(split_of == number) for number in SPLITS.values()])
    found = counts / counts.sum()
    return ", ".join(
        f"{name} has {have:.1%} of the samples, expected {share:.1%}"
        for name, have, share in zip(SPLITS, found, shares, strict=True)
        if not share / 2 <= have <= 2 * share
    )
