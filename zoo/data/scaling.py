"""Maps of CSI to [0, 1]: the stored one, one factor per sample, one for all."""

from __future__ import annotations

import numpy as np

from tfds_builders import transforms


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
