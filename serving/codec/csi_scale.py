"""Is CSI what an encoder was made for? Its scale and mean, by codec.json."""

from __future__ import annotations

import numpy as np

MOST_OF_MEAN = 0.5  # of the energy; of CSI in [0, 1] nearly all of it
# From the norms that the training has: noise adds to one that is set for each sample,
# one factor for all leaves the path loss in them.
SPREAD, SPREAD_OF_ONE_FACTOR = 2.5, 1e3


def norms(h: np.ndarray) -> list[float]:
    """Smallest and largest norm of CSI `[n, ...]`: `norms` of codec.json."""
    found = np.linalg.norm(h.reshape(len(h), -1).astype(np.float64), axis=1)
    return [float(found.min()), float(found.max())]


def fault(h: np.ndarray, codec: dict) -> str:
    """What makes CSI another one than the encoder's; empty where nothing does.

    Args:
        h: zero-centred CSI of one sample, float, finite.
        codec: content of codec.json; without `norms` the scale is not known.
    """
    h = np.asarray(h, np.float64)
    mean, square = h.mean(), np.mean(h * h)
    if mean**2 > MOST_OF_MEAN * square:
        return (
            f"its mean is {mean:.2g}, that of zero-centred CSI is near 0: subtract 0.5 "
            "of CSI in [0, 1]"
        )
    if "norms" not in codec:
        return ""
    (low, high), (norm, _) = codec["norms"], norms(h[np.newaxis])
    for_each = codec.get("normalisation", {}).get("scale") is not None
    spread = SPREAD if for_each else SPREAD_OF_ONE_FACTOR
    if low / spread <= norm <= high * spread:
        return ""
    return (
        f"its norm is {norm:.2g}, in the training it was {low:.2g} to {high:.2g}: "
        "scale it as `normalisation` of codec.json says"
    )


def check(h: np.ndarray, codec: dict, place: str) -> None:
    """Refuse CSI `[n, ...]` of which some is not the encoder's.

    Args:
        h: zero-centred, float; the encoder itself refuses NaN and Inf.
        codec: content of codec.json.
        place: where it is from.

    Raises:
        ValueError: how many are another's, and what is wrong with the first.
    """
    finite = (row for row, x in enumerate(h) if np.isfinite(x).all())
    faults = [(row, said) for row in finite if (said := fault(h[row], codec))]
    if faults:
        row, said = faults[0]
        raise ValueError(
            f"{place}: {len(faults)} of {len(h)} CSI are not what this encoder takes; "
            f"in row {row}, {said}"
        )
