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

    Groups in a random order fill the test split, then the validation split; the rest
    is for training. Every split gets one group at least.

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
            "test take one group each at least; give more samples, or no --group"
        )
    order = np.random.default_rng(seed).permutation(len(known))
    filled = np.cumsum(sizes[order])
    split_of = np.zeros(len(known), np.int8)
    start = 0
    for number, share in ((2, shares[2]), (1, shares[1])):
        before = filled[start - 1] if start else 0
        wanted = before + round(share * len(groups))
        stop = int(np.searchsorted(filled, wanted, side="right"))
        stop = min(max(stop, start + 1), len(known) - number)
        split_of[order[start:stop]] = number
        start = stop
    return split_of[members]
