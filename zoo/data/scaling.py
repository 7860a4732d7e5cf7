"""Maps of CSI to [0, 1]: the stored one, one factor per sample, one for all."""

from __future__ import annotations

import numpy as np

from tfds_builders import transforms
from tfds_builders.csi_examples import PER_SAMPLE

UNKNOWN = "unknown: "  # begins what is said of a factor that nobody knows


def rescale(csi: np.ndarray, scale: np.ndarray, scaling: str, builder) -> np.ndarray:
    """CSI in [0, 1] under another scaling.

    Args:
        csi: `[n, ...]` float32 in [0, 1], as stored.
        scale: `[n]` float32, its factors.
        scaling: 'stored', 'per_sample' or 'global'.
        builder: TFDS builder whose metadata may hold the global factor.

    Raises:
        ValueError: no global factor is stored.
    """
    if scaling == "stored":
        return csi
    h = transforms.from_unit_range(csi, scale)
    if scaling == "per_sample":
        return transforms.to_unit_range(h, transforms.per_sample_scale(h))
    return transforms.to_unit_range(h, global_scale(builder))


def global_scale(builder) -> np.float32:
    """One factor for the whole data set, from its metadata.

    Raises:
        ValueError: there is none.
    """
    metadata = builder.info.metadata or {}
    if "global_scale" not in metadata:
        raise ValueError(
            f"--scaling=global: {builder.info.full_name} stores no global_scale; use "
            "--scaling=stored or --scaling=per_sample"
        )
    return np.float32(metadata["global_scale"])


def stored_rule(builder) -> str:
    """What a data set says of its factors, or 'unknown: ...'.

    Args:
        builder: TFDS builder. Data of before have the statement in the code alone.
    """
    said = (builder.info.metadata or {}).get("normalisation")
    said = said or getattr(builder, "normalisation", None)
    return said or f"{UNKNOWN}{builder.info.full_name} does not say how it was scaled"


OF_EIGENVECTORS = {
    "scale": "half of unit eigenvectors",
    "constant": 0.5,
    "says": "0.5 of unit eigenvectors, phases fixed as `eigenvectors` says: layer by "
    "layer, the subbands of each side by side",
}


def describe(scaling: str, builder, target: str = "csi") -> dict:
    """How a channel H is scaled under a scaling: h = factor * H.

    Args:
        scaling: 'stored', 'per_sample' or 'global'.
        builder: TFDS builder of the data.
        target: what is sent; the factor of 'eigenvectors' is always the same.

    Returns:
        `scale`, the rule that gives the factor of a sample; `constant`, the one factor
        of all; each None where it is not that, or not known; `says`, a sentence.
    """
    if target == "eigenvectors":
        return OF_EIGENVECTORS
    if scaling == "global":
        try:
            constant = float(global_scale(builder))
        except ValueError as error:
            return {"scale": None, "constant": None, "says": f"{UNKNOWN}{error}"}
        says = f"{constant!r}, the global_scale of {builder.info.full_name}"
        return {"scale": None, "constant": constant, "says": says}
    says = PER_SAMPLE if scaling == "per_sample" else stored_rule(builder)
    rule = None if says.startswith(UNKNOWN) else says
    return {"scale": rule, "constant": None, "says": says}
